"""Local mode with a data set: loaded, trained on, served, labelled."""

import re
from pathlib import Path

import pytest
from cli.test_local_run import SAMPLES, Outcome, Workplace, quick, section

TABLE = SAMPLES / "breast-cancer.csv"
SAMPLE = SAMPLES / "breast-cancer-dataset.yaml"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Return a folder the module's calls share."""
    return Workplace(tmp_path_factory.mktemp("workplace"))


@pytest.fixture(scope="module")
def model(workplace: Workplace) -> Path:
    """Return the sample with a model that is fitted at once."""
    return workplace.write("model.yaml", quick(SAMPLE.read_text()))


@pytest.fixture(scope="module")
def first(workplace: Workplace, model: Path) -> Outcome:
    """Return the outcome of loading the table and training on it."""
    outcome = workplace.call(model, "--data", TABLE, "--port", "0")
    assert outcome.code == 0, outcome.err
    return outcome


def version_in(outcome: Outcome) -> str:
    """Return the model's version."""
    found = re.search(r"breast-cancer-dataset (v[0-9a-f]{10}):", outcome.out)
    assert found, outcome.out
    return found[1]


def test_the_table_becomes_a_data_set(first: Outcome) -> None:
    """Its version and the view that shows it are named."""
    shown = section(first.out, "data set breast-cancer, version 1: loaded")

    assert "569 rows" in shown
    assert '."breast-cancer"' in shown
    assert "on data set breast-cancer, version 1" in first.err


def test_labels_give_live_accuracy(first: Outcome) -> None:
    """Most of a hundred predictions are labelled, and the interval contains the accuracy."""
    shown = section(first.out, "live accuracy")
    found = re.search(
        r"v[0-9a-f]{10} +102 +75 \(74%\) +\d+ +(0\.\d+|1\.0000) +(\S+) to (\S+)", shown
    )

    assert "the truth sent for 75 of them (75 accepted)" in " ".join(shown.split())
    assert found, shown
    low, accuracy, high = float(found[2]), float(found[1]), float(found[3])
    assert 0.8 < low < accuracy <= high <= 1


def test_the_data_set_stays_and_makes_the_same_version(
    first: Outcome, workplace: Workplace, model: Path
) -> None:
    """Without a file, and with the same file again."""
    for more in ((), ("--data", TABLE)):
        again = workplace.call(model, *more, "--port", "0")

        assert again.code == 0, again.err
        assert version_in(again) == version_in(first)
        assert "existing bundle re-evaluated" in again.out


def test_another_table_is_a_newer_version_of_both(
    first: Outcome, workplace: Workplace, model: Path
) -> None:
    """A file with another content makes a version of the data set, and it one of the model."""
    lines = TABLE.read_text().splitlines(keepends=True)
    fewer = workplace.write("fewer.csv", "".join(lines[:-20]))

    newer = workplace.call(model, "--data", fewer, "--port", "0")

    assert newer.code == 0, newer.err
    assert "data set breast-cancer, version 2: loaded" in newer.out
    assert version_in(newer) != version_in(first)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "name: breast-cancer\n    t",
            "name: nobody\n    t",
            "data set nobody is not in the local",
        ),
        (
            "name: breast-cancer\n    t",
            "name: breast-cancer\n      version: 77\n    t",
            "version 77 of data set breast-cancer is not in the local database",
        ),
    ],
)
def test_a_data_set_that_is_not_there_is_reported(
    workplace: Workplace, model: Path, first: Outcome, old: str, *, new: str, said: str
) -> None:
    """With what to do."""
    assert first.code == 0
    changed = workplace.write("changed.yaml", model.read_text().replace(old, new))

    outcome = workplace.call(changed, "--port", "0")

    assert outcome.code == 2
    assert said in outcome.err
    assert "--data TABLE" in outcome.err


def test_a_file_that_is_no_table_is_refused(
    workplace: Workplace, model: Path, first: Outcome
) -> None:
    """With its line, and nothing is trained."""
    assert first.code == 0
    ragged = workplace.write("ragged.csv", TABLE.read_text() + "1,2,3\n")

    outcome = workplace.call(model, "--data", ragged, "--port", "0")

    assert outcome.code == 2
    assert "571" in outcome.err

"""The profile in a bundle: of the training rows alone, and of the answers to them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from support.training import carried_out, run_request, small_identity, small_table

from taxon_bundle.codec import Codec
from taxon_contracts.manifest import MODEL_CARD_NAME, REFERENCE_NAME, SignatureFeature
from taxon_contracts.reference import Nominal, Ordered, Reference, read_reference
from taxon_training_job.bundle.reference import reference
from taxon_training_job.fit.training import Training
from taxon_training_job.measure import Answers
from taxon_training_job.run import Outcome

CLASSES = ("no", "yes")


def trained(table: pd.DataFrame, folder: Path, **identity: Any) -> Outcome:
    """Return a run over a table."""
    return carried_out(run_request(table, folder, identity=small_identity(**identity)))


def profile(outcome: Outcome) -> Reference:
    """Return the profile a run sealed."""
    found = read_reference(outcome.files[REFERENCE_NAME])
    assert found is not None
    return found


def profile_of(
    features: list[SignatureFeature], rows: NDArray[np.float64], *, train: int | None = None
) -> Reference:
    """Return the profile of encoded rows, the first of which are the training rows."""
    count = len(rows) if train is None else train
    labels = np.arange(count) % 2
    training = SimpleNamespace(
        codec=Codec(features),
        split=SimpleNamespace(train=np.arange(count)),
        encoded=rows,
        examples=SimpleNamespace(classes=CLASSES),
    )
    answers = Answers(labels, labels, np.full((count, 2), 0.5), 1)
    falls = {feature.name: 0.1 for feature in features}
    return reference(cast("Training", training), falls, np.arange(count), answers)


def test_columns_are_the_features_then_confidence_and_answer(tmp_path: Path) -> None:
    """Dropped features too: they are sent, so they can drift."""
    outcome = trained(small_table(), tmp_path)
    columns = profile(outcome).columns

    assert [(one.name, one.kind, one.role) for one in columns] == [
        ("length", "Ordered", "Feature"),
        ("width", "Ordered", "Feature"),
        ("batch", "Ordered", "Feature"),
        ("confidence", "Ordered", "Confidence"),
        ("answer", "Nominal", "Answer"),
    ]
    assert columns[0].importance is not None
    assert columns[0].importance > 0
    assert [one.importance for one in columns[2:]] == [0, None, None]


def test_a_feature_may_be_called_confidence(tmp_path: Path) -> None:
    """Roles tell them apart."""
    table = small_table().rename(columns={"length": "confidence", "width": "answer"})
    columns = profile(trained(table, tmp_path)).columns

    assert [(one.name, one.role) for one in columns if one.name == "confidence"] == [
        ("confidence", "Feature"),
        ("confidence", "Confidence"),
    ]


def test_it_is_of_the_training_rows_alone(tmp_path: Path) -> None:
    """Held-out rows do not show in counts or figures."""
    outcome = trained(small_table(), tmp_path)
    training, (length, *_) = outcome.training, profile(outcome).columns
    assert training is not None
    assert isinstance(length, Ordered)
    values = training.encoded[training.split.train, 0]

    assert (length.rows, length.missing) == (len(values), 0)
    assert (length.min, length.max) == (values.min(), values.max())
    assert length.mean == pytest.approx(values.mean(), rel=1e-8)
    assert length.std == pytest.approx(values.std(), rel=1e-8)


def test_confidence_and_answers_are_of_rows_the_classifier_was_not_fitted_on(
    tmp_path: Path,
) -> None:
    """On its own rows a forest without bounds is nearly always right."""
    noise = np.random.default_rng(0)
    table = pd.DataFrame({"length": noise.normal(size=400), "label": noise.choice(["a", "b"], 400)})
    outcome = trained(table, tmp_path, search={"strategy": "Grid", "folds": 5})
    found = profile(outcome)
    assert found.confidence is not None
    *_, confidence, answer = found.columns

    assert found.out_of_fold_rows == confidence.rows == answer.rows
    assert found.out_of_fold_rows == outcome.result.rows.train  # type: ignore[union-attr]
    assert sum(found.confidence.rows) == found.out_of_fold_rows
    assert 0.35 < sum(found.confidence.right) / found.out_of_fold_rows < 0.65


def test_the_answers_are_the_threshold_s(tmp_path: Path) -> None:
    """The classifier serves with it."""
    pipeline = {"threshold": 0.999, "classifier": {"type": "LogisticRegression"}}
    answer = profile(trained(small_table(), tmp_path, pipeline=pipeline)).columns[-1]
    assert isinstance(answer, Nominal)

    assert answer.categories[0] == "benign"
    assert answer.counts[0] > 0.8 * answer.rows


def test_integer_classes_stay_integers(tmp_path: Path) -> None:
    """They are compared with what the server logs."""
    table = small_table().assign(label=lambda frame: (frame["label"] == "benign").astype(int))
    answer = profile(trained(table, tmp_path)).columns[-1]
    assert isinstance(answer, Nominal)

    assert set(answer.categories) == {0, 1}


def test_without_out_of_fold_predictions_there_are_columns_alone(tmp_path: Path) -> None:
    """Four rows have no folds."""
    table = pd.DataFrame({"length": [0.0, 0.1, 1.0, 1.1], "label": ["a", "a", "b", "b"]})
    found = profile(trained(table, tmp_path))

    assert found.out_of_fold_rows == 0
    assert found.confidence is None
    assert found.shift_error is None
    assert [one.role for one in found.columns] == ["Feature"]


def test_categories_and_gaps_are_counted() -> None:
    """A category by its code, a gap as missing, in numbers too; a flag is an ordered column."""
    features = [
        SignatureFeature(name="island", type="Categorical", gaps=True, categories=("B", "D", "T")),
        SignatureFeature(name="mass", gaps=True),
        SignatureFeature(name="alive", type="Boolean", gaps=True),
    ]
    nan = float("nan")
    rows = np.array([[0, 3.5, 1], [0, nan, 1], [1, 4.5, 0], [nan, 3.5, nan], [2, 5.5, 0]])
    island, mass, alive, *_ = profile_of(features, rows, train=4).columns
    assert isinstance(island, Nominal)
    assert isinstance(mass, Ordered)
    assert isinstance(alive, Ordered)

    assert (island.rows, island.missing, island.other, island.unseen) == (4, 1, 0, 0)
    assert dict(zip(island.categories, island.counts, strict=True)) == {"B": 2, "D": 1, "T": 0}
    assert (mass.rows, mass.missing, mass.mean, mass.max) == (4, 1, 3.83333333, 4.5)
    assert mass.counts == (0, 2, 0, 1, 0)
    assert (alive.missing, alive.counts, alive.min, alive.max) == (1, (0, 1, 0, 2, 0), 0, 1)


def test_a_table_of_text_flags_and_gaps_is_profiled(tmp_path: Path) -> None:
    """As a person stores it, by a run from the file on."""
    table = small_table(rows=200)
    generator = np.random.default_rng(0)
    table["city"] = generator.choice(["Bern", "Köln", " Köln "], 200)
    table["alone"] = generator.random(200) < 0.3
    table.loc[generator.random(200) < 0.2, ["width", "city"]] = None
    outcome = trained(table, tmp_path, search={"strategy": "Grid", "folds": 3})
    training, columns = outcome.training, {one.name: one for one in profile(outcome).columns}
    assert training is not None
    train = table.iloc[training.split.train]
    width, city, alone = columns["width"], columns["city"], columns["alone"]
    assert isinstance(width, Ordered)
    assert isinstance(city, Nominal)
    assert isinstance(alone, Ordered)

    assert width.missing == city.missing == train["width"].isna().sum() > 0
    assert (width.min, width.max) == (train["width"].min(), train["width"].max())
    assert dict(zip(city.categories, city.counts, strict=True)) == (
        train["city"].str.strip().value_counts().to_dict()
    )
    assert alone.counts == (0, (~train["alone"]).sum(), 0, train["alone"].sum(), 0)
    assert profile(outcome).out_of_fold_rows == len(train)
    assert "by 3 numeric, 1 categorical and 1 boolean features." in (
        outcome.files[MODEL_CARD_NAME].decode()
    )


def test_a_column_of_gaps_has_no_bins() -> None:
    """Any value is outside of what was seen."""
    features = [SignatureFeature(name="mass", gaps=True, dropped=True)]
    mass = profile_of(features, np.full((9, 1), np.nan)).columns[0]
    assert isinstance(mass, Ordered)

    assert (mass.rows, mass.missing, mass.edges, mass.counts) == (9, 9, (), (0,))
    assert mass.mean is None


def test_beyond_50_categories_the_rest_is_counted_together() -> None:
    """The manifest has all of their names."""
    names = tuple(f"c{number:02d}" for number in range(60))
    codes = np.repeat(np.arange(60.0), np.arange(60, 0, -1))[:, None]
    features = [SignatureFeature(name="city", type="Categorical", categories=names)]
    city = profile_of(features, codes).columns[0]
    assert isinstance(city, Nominal)

    assert city.categories == names[:50]
    assert city.counts[:2] == (60, 59)
    assert city.other == sum(range(1, 11))


def test_it_is_small() -> None:
    """At most the sizes that were measured for a monitor that reads many."""
    generator = np.random.default_rng(0)

    def size(features: int, rows: int) -> int:
        names = [SignatureFeature(name=f"feature {number}") for number in range(features)]
        return len(profile_of(names, generator.normal(size=(rows, features))).encode())

    assert size(30, 455) <= 17 * 1024
    assert size(200, 1000) <= 110 * 1024

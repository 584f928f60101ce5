"""Out-of-fold predictions: each row answered for by a classifier that was not fitted on it."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from support.training import carried_out, run_request, small_identity, small_table

from taxon_contracts.manifest import OUT_OF_FOLD_NAME
from taxon_training_job.fit import out_of_fold
from taxon_training_job.fit.out_of_fold import Fold, folds_of
from taxon_training_job.run import Outcome

GRID = {"strategy": "Grid", "folds": 3}
LINEAR = {"classifier": {"type": "LogisticRegression"}}


def trained(table: pd.DataFrame, folder: Path, **identity: Any) -> Outcome:
    """Return a run over a table."""
    return carried_out(run_request(table, folder, identity=small_identity(**identity)))


def arrays(outcome: Outcome) -> dict[str, NDArray[Any]]:
    """Return the arrays of a bundle's file, read as anyone may."""
    with np.load(io.BytesIO(outcome.files[OUT_OF_FOLD_NAME]), allow_pickle=False) as kept:
        return dict(kept)


def with_scarce_class(rows: int) -> pd.DataFrame:
    """Return a table whose class malignant has few rows, one of them held out."""
    table = small_table(rows=300)
    scarce = table[table["label"] == "malignant"].head(rows)
    return pd.concat([table[table["label"] == "benign"], scarce])


@pytest.mark.parametrize("kind", ["RandomForest", "LogisticRegression"])
@pytest.mark.parametrize("strategy", ["Grid", "None"])
def test_they_are_those_of_the_search_s_own_folds(tmp_path: Path, strategy: str, kind: str) -> None:
    """As scikit-learn computes them for the chosen hyperparameters, bit for bit."""
    parameters = {"RandomForest": ("n_estimators", "3"), "LogisticRegression": ("C", "0.1")}[kind]
    listed = [{"name": parameters[0], "values": [parameters[1]]}]
    outcome = trained(
        small_table(classes=3),
        tmp_path,
        pipeline={"classifier": {"type": kind, "parameters": listed}},
        search={"strategy": strategy, "folds": 3},
    )
    training, kept = outcome.training, arrays(outcome)
    assert training is not None
    train = training.split.train

    expected = cross_val_predict(
        clone(training.pipeline),
        training.encoded[train][:, list(training.examples.kept)],
        training.examples.labels[train],
        cv=StratifiedKFold(3, shuffle=True, random_state=training.request.identity.seed),
        method="predict_proba",
    )

    assert np.array_equal(kept["probabilities"], expected)
    assert np.array_equal(kept["row"], train)
    assert np.array_equal(kept["target"], training.examples.target[train])
    assert set(kept["fold"].tolist()) == {0, 1, 2}


def test_the_number_of_processes_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes answer as one does."""
    one = trained(small_table(), tmp_path / "one", search=GRID)
    monkeypatch.setattr(out_of_fold, "WORTH_SECONDS", 0)
    monkeypatch.setattr(out_of_fold, "_processes", lambda *_: 2)
    two = trained(small_table(), tmp_path / "two", search=GRID)

    assert one.files[OUT_OF_FOLD_NAME] == two.files[OUT_OF_FOLD_NAME]


def test_the_log_has_one_line_about_them(tmp_path: Path, log: io.StringIO) -> None:
    """How many rows and folds there were, and how long it took."""
    outcome = trained(small_table(), tmp_path, search=GRID)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"] == "OutOfFold"]

    assert (line["level"], line["folds"], line["left_out"]) == ("info", 3, 0)
    assert line["rows"] == outcome.result.rows.train  # type: ignore[union-attr]
    assert line["seconds"] >= 0


def test_a_class_a_fold_has_no_row_of_has_probability_0_there(tmp_path: Path) -> None:
    """The classifier of that fold does not know it."""
    table = small_table(rows=200, classes=3)
    scarce = table["label"] == "unsure"
    outcome = trained(pd.concat([table[~scarce], table[scarce].head(2)]), tmp_path)
    kept = arrays(outcome)
    (only,) = np.flatnonzero(kept["target"] == 2)
    together = kept["fold"] == kept["fold"][only]

    assert (kept["probabilities"][together, 2] == 0).all()
    assert np.allclose(kept["probabilities"].sum(axis=1), 1)


def test_a_fold_that_cannot_be_fitted_leaves_its_rows_out(tmp_path: Path, log: io.StringIO) -> None:
    """A linear model needs two classes; the run itself is fine, and a warning says so."""
    outcome = trained(
        with_scarce_class(2), tmp_path, pipeline=LINEAR, search={"strategy": "None", "folds": 4}
    )
    kept = arrays(outcome)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"] == "OutOfFold"]

    assert len(set(kept["fold"].tolist())) == 3
    assert 0 < len(kept["row"]) < outcome.result.rows.train  # type: ignore[union-attr]
    assert (line["level"], line["folds"], line["rows"]) == ("warning", 4, len(kept["row"]))
    assert line["rows"] + line["left_out"] == outcome.result.rows.train  # type: ignore[union-attr]


def test_a_row_that_a_fold_s_classifier_cannot_take_is_left_out_alone(tmp_path: Path) -> None:
    """Scaled by the other rows alone and cubed, the furthest value is beyond float32."""
    table = small_table()
    table.loc[0, "length"] = 1e14
    outcome = trained(
        table,
        tmp_path,
        pipeline={
            "polynomialDegree": 3,
            "classifier": {"parameters": [{"name": "n_estimators", "values": ["3"]}]},
        },
    )
    training, kept = outcome.training, arrays(outcome)
    assert training is not None
    train = training.split.train.tolist()

    assert 0 in train
    assert kept["row"].tolist() == train[1:]


def test_two_rows_of_two_classes_have_no_folds(tmp_path: Path) -> None:
    """The file is there, and empty."""
    table = pd.DataFrame({"length": [0.0, 0.1, 1.0, 1.1], "label": ["a", "a", "b", "b"]})
    kept = arrays(trained(table, tmp_path))

    assert kept["row"].shape == (0,)
    assert kept["probabilities"].shape == (0, 2)


def check(folds: list[Fold]) -> NDArray[np.intp]:
    """Return every judged row; no row is judged twice, or by a classifier fitted on it."""
    judged = np.concatenate([one.judged for one in folds])
    assert len(np.unique(judged)) == len(judged)
    assert not any(np.isin(one.judged, one.fitted).any() for one in folds)
    return judged


TARGET = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [5000, 990, 10]))


def test_whole_folds_beyond_the_bound_answer_for_a_sample() -> None:
    """Each class keeps its share, so that even a rare one is there."""
    folds = folds_of(TARGET, folds=5, whole=True, most=600, seed=1)
    judged = check(folds)

    assert len(judged) == 600
    assert np.bincount(TARGET[judged]).tolist() == [500, 99, 1]
    assert {len(one.fitted) for one in folds} == {4800}


def test_a_rare_class_is_never_sampled_away() -> None:
    """One row of it is kept, however few are."""
    judged = check(folds_of(TARGET, folds=5, whole=True, most=20, seed=1))

    assert np.bincount(TARGET[judged], minlength=3).min() == 1


@pytest.mark.parametrize("most", [600, 2999, 5000])
def test_a_large_table_without_a_search_costs_one_fit_of_bounded_size(most: int) -> None:
    """Half of the chosen rows answer for the other half; each class is in both."""
    (fold,) = folds = folds_of(TARGET, folds=5, whole=False, most=most, seed=1)
    judged = check(folds)

    assert 0 <= len(fold.fitted) - len(judged) <= 3
    assert len(fold.fitted) + len(judged) == 2 * min(most, 3000)
    assert np.bincount(TARGET[judged], minlength=3).min() >= 1
    assert np.bincount(TARGET[fold.fitted], minlength=3).min() >= 1


@pytest.mark.parametrize(
    ("strategy", "trees", "folds"),
    [("None", "3", 1), ("Grid", "3", 1), ("Grid", "3 4 5 6", 3)],
    ids=["no search", "one combination", "four combinations"],
)
def test_whole_folds_of_a_large_table_are_a_part_of_a_real_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, trees: str, folds: int
) -> None:
    """Where nothing is searched they would take longer than all the rest."""
    monkeypatch.setattr(out_of_fold, "MOST_ROWS", 30)
    values = {"name": "n_estimators", "values": trees.split()}
    outcome = trained(
        small_table(),
        tmp_path,
        pipeline={"classifier": {"parameters": [values]}},
        search={"strategy": strategy, "folds": 3},
    )
    kept = arrays(outcome)

    assert len(set(kept["fold"].tolist())) == folds
    assert 29 <= len(kept["row"]) <= 30


def test_another_seed_gives_other_folds_and_the_same_seed_the_same() -> None:
    """Samples are drawn, not the first rows of the table."""
    first, again, other = (
        check(folds_of(TARGET, folds=5, whole=False, most=600, seed=seed)) for seed in (1, 1, 2)
    )

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)

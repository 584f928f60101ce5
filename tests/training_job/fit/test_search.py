"""Hyperparameters are chosen by seeded, stratified cross-validation, or the search fails."""

from contextlib import nullcontext
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from support.training import numeric_pipeline, small_identity, small_table

from taxon_contracts.resource import Identity, Search
from taxon_contracts.scores import SearchScoreName
from taxon_contracts.search import DEFAULT_COMBINATIONS
from taxon_training_job.classifiers.registry import FAMILIES
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit import search
from taxon_training_job.fit.pipeline import STEP, parameter_grid
from taxon_training_job.fit.search import Problem, Scorer, find_parameters
from taxon_training_job.progress import Standing, Tally

GRID: dict[str, list[Any]] = {"n_estimators": [3, 5], "max_depth": [1, 3, None]}


def problem(strategy: str = "Grid", **changes: Any) -> Problem:
    """Return a small search over small forests."""
    table = small_table(rows=90, classes=changes.pop("classes", 2))
    binary = table["label"].nunique() == 2
    metric: SearchScoreName = changes.pop("metric", "roc_auc")
    trials = changes.pop("trials", None)
    kind = changes.pop("kind", "RandomForest")
    identity = small_identity(pipeline={"classifier": {"type": kind}})
    given: dict[str, Any] = {
        "search": Search(strategy=strategy, folds=3, trials=trials),
        "pipeline": numeric_pipeline(identity.pipeline, features=2, seed=7),
        "grid": GRID,
        "rows": table[["length", "width"]].to_numpy(),
        "labels": table["label"].to_numpy(dtype=str),
        "scorer": Scorer(metric, 1 if binary else None, 0.5),
        "seed": 7,
    }
    return Problem(**given | changes)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "f1", "accuracy"])
def test_a_grid_is_grid_search_cv(metric: SearchScoreName) -> None:
    """Every combination, with the scores scikit-learn's own scorers give."""
    asked = problem(metric=metric)
    chosen, trials = find_parameters(asked)
    name = {"log_loss": "neg_log_loss"}.get(metric, metric)
    target = (asked.labels == "malignant").astype(int)
    reference = GridSearchCV(
        asked.pipeline,
        {f"{STEP}__{key}": values for key, values in GRID.items()},
        scoring=get_scorer(name),
        cv=StratifiedKFold(3, shuffle=True, random_state=7),
    ).fit(asked.rows, target)

    expected = reference.cv_results_["mean_test_score"]
    assert np.allclose([trial.mean for trial in trials], expected, atol=1e-12)
    assert {f"{STEP}__{key}": value for key, value in chosen.items()} == reference.best_params_


def test_random_tries_as_many_as_asked_and_none_twice() -> None:
    """At most as many as there are."""
    _, trials = find_parameters(problem("Random", trials=4))
    tried = [tuple(sorted(trial.parameters.items(), key=str)) for trial in trials]

    assert len(set(tried)) == len(tried) == 4
    assert problem("Random", trials=100).trials == 6


def test_bayesian_tries_as_many_as_asked_within_the_grid() -> None:
    """Each trial has one score per fold."""
    _, trials = find_parameters(problem("Bayesian", trials=5))

    assert len(trials) == 5
    for trial in trials:
        assert all(value in GRID[name] for name, value in trial.parameters.items())
        assert len(trial.scores) == 3


def test_none_tries_nothing() -> None:
    """One value per hyperparameter is the choice."""
    chosen, trials = find_parameters(problem("None", grid={"n_estimators": [4]}))

    assert (chosen, trials) == ({"n_estimators": 4}, ())
    assert problem("None").trials == 0


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_thirty_trials_are_the_default(strategy: str) -> None:
    """Where the grid has that many."""
    assert problem(strategy, grid={"max_depth": list(range(1, 60))}).trials == 30


@pytest.mark.parametrize("strategy", ["Grid", "Random", "Bayesian"])
def test_the_same_seed_gives_the_same_trials(strategy: str) -> None:
    """Again, score for score."""
    trials = None if strategy == "Grid" else 4

    assert find_parameters(problem(strategy, trials=trials)) == find_parameters(
        problem(strategy, trials=trials)
    )


@pytest.mark.parametrize("strategy", ["Grid", "Bayesian"])
def test_processes_give_the_scores_of_one(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many cores there are changes the time, nothing else; each score is tallied."""
    trials = None if strategy == "Grid" else 2
    alone = find_parameters(problem(strategy, trials=trials))
    monkeypatch.setattr(search, "WORTH_SECONDS", 0.0)

    assert find_parameters(problem(strategy, trials=trials, processes=2)) == alone


def test_the_first_of_equals_is_chosen() -> None:
    """A tie is no reason to take the larger model."""
    chosen, trials = find_parameters(problem(grid={"n_estimators": [5], "max_depth": [80, 90]}))

    assert trials[0].mean == trials[1].mean
    assert chosen["max_depth"] == 80


def test_the_default_grid_of_a_forest_is_the_documented_one() -> None:
    """108 combinations."""
    assert FAMILIES["RandomForest"].default_grid == {
        "n_estimators": [50, 100, 150],
        "max_depth": [5, 10, 15, None],
        "min_samples_split": [2, 5, 10],
        "min_samples_leaf": [1, 2, 4],
    }
    identity = Identity.model_validate({"dataset": {"uri": "s3://a-b/c.csv", "target": "y"}})
    assert problem(grid=parameter_grid(identity)).trials == 108


class NotANumber(Scorer):
    """A score that is undefined for one combination in one fold."""

    def __call__(self, pipeline: Any, rows: Any, labels: Any) -> float:
        """Return no number for shallow trees."""
        value = super().__call__(pipeline, rows, labels)
        return float("nan") if pipeline[-1].max_depth == 1 else value


@pytest.mark.parametrize("strategy", ["Grid", "Bayesian"])
def test_a_score_that_is_not_finite_fails_the_search(strategy: str) -> None:
    """And says which, where, and what to do."""
    trials = None if strategy == "Grid" else 6
    asked = problem(strategy, trials=trials, scorer=NotANumber("roc_auc", 1, 0.5))
    with (
        pytest.warns(UserWarning, match=r"finite") if strategy == "Grid" else nullcontext(),
        pytest.raises(RunFailed, match=r"of .*'max_depth': 1.* not finite in fold 1") as caught,
    ):
        find_parameters(asked)
    assert caught.value.reason == "SearchNotFinite"


def test_probabilities_that_are_no_numbers_have_no_score() -> None:
    """Sorting them would give an area all the same."""

    class Diverged:
        classes_ = np.array([0, 1])

        def predict_proba(self, rows: Any) -> Any:
            return np.full((len(rows), 2), np.nan)

    scorer = Scorer("roc_auc", 1, 0.5)
    assert np.isnan(scorer(Diverged(), np.zeros((4, 1)), np.array([0, 1, 0, 1])))


@pytest.mark.parametrize("strategy", ["Grid", "Random", "Bayesian"])
def test_a_fit_that_cannot_be_made_names_the_parameters(strategy: str) -> None:
    """Each value is right by itself, together they are not."""
    trials = None if strategy == "Grid" else 2
    asked = problem(
        strategy,
        kind="LogisticRegression",
        grid={"solver": ["lbfgs"], "dual": [True]},
        trials=trials,
    )
    with pytest.raises(RunFailed, match=r"correct pipeline\.classifier\.parameters") as caught:
        find_parameters(asked)
    assert caught.value.reason == "InvalidParameter"


def identity_with(kind: str, name: str, *values: str, strategy: str = "Grid") -> Identity:
    """Return an identity with one listed parameter."""
    return small_identity(
        pipeline={"classifier": {"type": kind, "parameters": [{"name": name, "values": values}]}},
        search={"strategy": strategy, "folds": 2},
    )


WRONG: dict[str, tuple[Identity, str]] = {
    "no such parameter": (
        identity_with("RandomForest", "depth", "3"),
        "RandomForest has no parameter 'depth': use bootstrap, ccp_alpha",
    ),
    "one that Taxon sets itself": (
        identity_with("RandomForest", "n_jobs", "4"),
        "RandomForest has no parameter 'n_jobs'",
    ),
    "a value out of range": (
        identity_with("RandomForest", "max_depth", "3", "-3"),
        "correct parameter 'max_depth'",
    ),
    "a value of another type": (
        identity_with("LogisticRegression", "C", "'strong'"),
        "correct parameter 'C'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_parameter_is_reported_before_any_fit(case: str) -> None:
    """With the parameter's name and what there is."""
    identity, sentence = WRONG[case]
    with pytest.raises(RunFailed) as caught:
        parameter_grid(identity)

    assert caught.value.reason == "InvalidParameter"
    assert sentence in caught.value.message


def test_values_are_python_literals() -> None:
    """A bare 1.0 stays a float, None is None, text is quoted."""
    identity = identity_with("RandomForest", "max_features", "1.0", "1", "None", "'sqrt'")

    assert parameter_grid(identity) == {"max_features": [1.0, 1, None, "sqrt"]}
    assert isinstance(parameter_grid(identity)["max_features"][0], float)


def test_too_many_products_are_refused_with_their_number() -> None:
    """Before memory runs out."""
    spec = small_identity(pipeline={"polynomialDegree": 3}).pipeline
    with pytest.raises(RunFailed, match="degree 3 makes 176850 columns of 100 features") as caught:
        numeric_pipeline(spec, features=100, seed=1)
    assert caught.value.reason == "TooManyFeatures"


BUILT: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["scaler", "classifier"]),
    ({"scaler": "None"}, ["classifier"]),
    ({"polynomialDegree": 2}, ["scaler", "products", "classifier"]),
    ({"scaler": "None", "polynomialDegree": 3}, ["products", "classifier"]),
]


@pytest.mark.parametrize(("spec", "steps"), BUILT)
def test_the_pipeline_has_the_steps_that_were_asked_for(
    spec: dict[str, Any], steps: list[str]
) -> None:
    """Scaler, products, classifier, in this order."""
    pipeline = numeric_pipeline(small_identity(pipeline=spec).pipeline, features=3, seed=5)

    assert [name for name, _ in pipeline.steps] == steps
    assert pipeline[-1].random_state == 5


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_every_fit_is_in_the_tally(tmp_path: Path, metric: SearchScoreName) -> None:
    """Which is how progress leaves worker processes; its best is the search's choice."""
    tally = Tally(tmp_path / "tally")
    asked = problem(metric=metric).with_tally(tally)
    chosen, trials = find_parameters(asked)
    standing = Standing(asked.size)
    standing.read(tally.file.read_bytes())
    best = max(trial.mean for trial in trials)

    assert standing.done == asked.size.fits == 6 * 3
    assert standing.best
    assert standing.best[0] == {name: repr(value) for name, value in sorted(chosen.items())}
    assert standing.best[1] == pytest.approx(-best if metric == "log_loss" else best)


def test_the_contracts_know_how_large_default_grids_are() -> None:
    """The controller reports the size of a search before the trainer starts."""
    sizes = {name: prod(map(len, one.default_grid.values())) for name, one in FAMILIES.items()}

    assert sizes == DEFAULT_COMBINATIONS

"""Choosing hyperparameters by stratified, seeded cross-validation on the training rows."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from taxon_contracts.resource import Search
from taxon_contracts.scores import LOWER_IS_BETTER, ScoreName
from taxon_contracts.search import DEFAULT_TRIALS
from taxon_training_job.classifiers.family import Grid
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.pipeline import STEP, fit_failed
from taxon_training_job.measure import Answers, measure
from taxon_training_job.progress import Size, Tally

WORTH_SECONDS = 5.0
"""Seconds of work below which starting processes takes longer than it saves."""
TRIED_ROWS = 5000
Parameters = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One combination and its score in each fold; higher is better."""

    parameters: Parameters
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean score over the folds."""
        return float(np.mean(self.scores))


@dataclass(frozen=True)
class Scorer:
    """A scikit-learn scorer that judges as the gate will; losses are negated.

    Each score is added to the tally, which is how progress leaves worker processes; ``searched``
    names the hyperparameters a combination is known by.
    """

    metric: ScoreName
    positive: int | None
    threshold: float
    tally: Tally | None = None
    searched: tuple[str, ...] = ()

    def __call__(
        self, pipeline: Pipeline, rows: NDArray[np.float64], labels: NDArray[Any]
    ) -> float:
        """Return the score of a fitted pipeline on these rows; NaN for NaN probabilities."""
        probabilities = pipeline.predict_proba(rows)
        target = np.searchsorted(pipeline.classes_, labels)
        answered = probabilities.argmax(axis=1)
        if self.positive is not None:
            above = probabilities[:, self.positive] > self.threshold
            answered = np.where(above, self.positive, 1 - self.positive)
        answers = Answers(target, answered, probabilities, self.positive)
        value = float(measure(self.metric, answers, np.ones((1, len(target))))[0])
        if not np.isfinite(probabilities).all():
            value = float("nan")
        if self.tally:
            chosen = pipeline.get_params()
            self.tally.add({name: chosen[f"{STEP}__{name}"] for name in self.searched}, value)
        return -value if self.metric in LOWER_IS_BETTER else value


@dataclass(frozen=True)
class Problem:
    """What is searched: ``rows`` is float64 [n, features], ``labels`` their classes [n].

    ``processes`` is how many fits there is room for at a time.
    """

    search: Search
    pipeline: Pipeline
    grid: Grid
    rows: NDArray[np.float64]
    labels: NDArray[Any]
    scorer: Scorer
    seed: int
    processes: int = 1

    def with_tally(self, tally: Tally) -> "Problem":
        """Return the same problem, each fit of which is added to ``tally``."""
        return replace(
            self, scorer=replace(self.scorer, tally=tally, searched=tuple(sorted(self.grid)))
        )

    @property
    def size(self) -> Size:
        """Return how many combinations will be tried in how many folds."""
        return Size(self.scorer.metric, self.trials, self.search.folds)

    @property
    def trials(self) -> int:
        """Return how many combinations will be tried."""
        if self.search.strategy == "None":
            return 0
        combinations = prod(len(values) for values in self.grid.values())
        if self.search.strategy == "Grid":
            return combinations
        asked = self.search.trials or DEFAULT_TRIALS
        return min(asked, combinations) if self.search.strategy == "Random" else asked

    @property
    def folds(self) -> StratifiedKFold:
        """Return the folds, the same for every combination."""
        return StratifiedKFold(self.search.folds, shuffle=True, random_state=self.seed)


def find_parameters(problem: Problem) -> tuple[Parameters, tuple[Trial, ...]]:
    """Return the best combination (the first of equals) and every trial in order.

    Raises:
        RunFailed: a fit failed, or a score is not finite.
    """
    if problem.search.strategy == "None":
        return {name: values[0] for name, values in problem.grid.items()}, ()
    strategy = _bayesian if problem.search.strategy == "Bayesian" else _exhaustive
    try:
        with one_thread_per_fit():
            trials = strategy(problem, _jobs(problem))
    except ValueError as error:
        raise fit_failed("a fit of the search", error) from error
    for trial in trials:
        if not np.isfinite(trial.scores).all():
            raise RunFailed(
                "SearchNotFinite",
                f"{problem.scorer.metric} of {trial.parameters} is not finite in fold"
                f" {int(np.argmin(np.isfinite(trial.scores))) + 1}: choose another metric or fewer"
                " folds",
            )
    return max(trials, key=lambda trial: trial.mean).parameters, trials


@contextmanager
def one_thread_per_fit() -> Iterator[None]:
    """Keep BLAS to one thread: its sums depend on the number, and processes fill the cores."""
    with (
        threadpool_limits(1),
        joblib.parallel_config("loky", inner_max_num_threads=1),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _jobs(problem: Problem) -> int:
    """Return how many processes to use, by the processor time of one fit; no score depends on it.

    The fit tried has the last value of each hyperparameter, by habit the one that takes longest. Of
    a large table it is fitted on some rows, and takes at least as much longer as there are more.
    """
    if problem.processes == 1:
        return 1
    candidate = clone(problem.pipeline)
    candidate.set_params(**{f"{STEP}__{name}": values[-1] for name, values in problem.grid.items()})
    rows = _tried(problem.labels, problem.seed)
    started = time.process_time()
    candidate.fit(problem.rows[rows], problem.labels[rows])
    longer = len(problem.labels) / len(rows)
    seconds = (time.process_time() - started) * longer * problem.trials * problem.search.folds
    return 1 if seconds < WORTH_SECONDS else problem.processes


def _tried(labels: NDArray[Any], seed: int) -> NDArray[np.intp]:
    """Return the rows of a first fit: at most about ``TRIED_ROWS``, every class among them."""
    if len(labels) <= TRIED_ROWS:
        return np.arange(len(labels))
    _, first = np.unique(labels, return_index=True)
    drawn = np.random.default_rng(seed).choice(len(labels), TRIED_ROWS, replace=False)
    return np.union1d(first, drawn)


def _exhaustive(problem: Problem, jobs: int) -> tuple[Trial, ...]:
    """Try every combination, or a sample without repetition."""
    named = {f"{STEP}__{name}": values for name, values in problem.grid.items()}
    common = {
        "scoring": problem.scorer,
        "cv": problem.folds,
        "refit": False,
        "n_jobs": jobs,
        "error_score": "raise",
    }
    if problem.search.strategy == "Grid":
        finished = GridSearchCV(problem.pipeline, named, **common)
    else:
        finished = RandomizedSearchCV(
            problem.pipeline, named, n_iter=problem.trials, random_state=problem.seed, **common
        )
    finished.fit(problem.rows, problem.labels)
    results = finished.cv_results_
    scores = np.column_stack(
        [results[f"split{fold}_test_score"] for fold in range(problem.search.folds)]
    )
    return tuple(
        Trial({name.removeprefix(f"{STEP}__"): value for name, value in combination.items()}, row)
        for combination, row in zip(results["params"], map(tuple, scores.tolist()), strict=True)
    )


def _bayesian(problem: Problem, jobs: int) -> tuple[Trial, ...]:
    """Let a tree-structured Parzen estimator choose each trial by the ones before it."""
    import optuna  # noqa: PLC0415 - costs half a second, which other strategies need not pay

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials: list[Trial] = []

    def objective(trial: optuna.Trial) -> float:
        chosen = {
            name: values[trial.suggest_categorical(name, range(len(values)))]
            for name, values in problem.grid.items()
        }
        candidate = clone(problem.pipeline)
        candidate.set_params(**{f"{STEP}__{name}": value for name, value in chosen.items()})
        scores = cross_val_score(
            candidate,
            problem.rows,
            problem.labels,
            scoring=problem.scorer,
            cv=problem.folds,
            n_jobs=jobs,
            error_score="raise",
        )
        trials.append(Trial(chosen, tuple(scores.tolist())))
        return trials[-1].mean

    sampler = optuna.samplers.TPESampler(seed=problem.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=problem.trials)
    return tuple(trials)

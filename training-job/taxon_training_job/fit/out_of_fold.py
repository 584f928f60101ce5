"""Out-of-fold predictions: what the chosen classifier answers on rows it was not fitted on.

A classifier is too sure of the rows it was fitted on. Its calibration is measured on these.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.memory import within_memory
from taxon_training_job.fit.pipeline import fit_in_threads, fits_float32, preprocessor
from taxon_training_job.fit.search import WORTH_SECONDS, Problem, Scorer, one_thread_per_fit
from taxon_training_job.fit.training import Training
from taxon_training_job.progress import Progress

MOST_ROWS = 20_000
MOST_PROBABILITIES = 4_000_000
"""Rows times classes that are kept: 32 MB."""
ENOUGH_TRIALS = 4
"""Combinations from which the folds of one more cost at most a quarter of the search."""

Positions = NDArray[np.intp]


@dataclass(frozen=True)
class OutOfFold:
    """Predictions on training rows, each by a classifier that was not fitted on the row.

    ``row`` is the row's position in the table, ascending; ``target`` the position of its class;
    ``fold`` the number of the fit that answered; all of shape [n]. ``probabilities`` is
    [n, classes], 0 for a class that the fit had no row of.
    """

    row: Positions
    target: Positions
    fold: Positions
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """Positions of the rows one classifier is fitted on, and of those it answers for."""

    fitted: Positions
    judged: Positions


def out_of_fold(training: Training, progress: Progress) -> OutOfFold:
    """Fit the chosen classifier on each fold's rows and keep its answers on the others.

    Rows are left out whose fold's fit fails or cannot take them, as they may be further out than
    all rows it was fitted on. The classifier itself is fitted already.
    """
    started = time.monotonic()
    search, classes = training.request.identity.search, len(training.examples.classes)
    train = training.split.train
    folds = folds_of(
        training.examples.target[train],
        folds=search.folds,
        whole=len(training.trials) >= ENOUGH_TRIALS,
        most=max(1, min(MOST_ROWS, MOST_PROBABILITIES // classes)),
        seed=training.request.identity.seed,
    )
    folds = [Fold(train[fold.fitted], train[fold.judged]) for fold in folds]
    predicted = _joined(training, folds, _predictions(training, folds))
    rows = len(predicted.row)
    left_out = sum(len(fold.judged) for fold in folds) - rows
    log = progress.warning if left_out else progress.event
    seconds = round(time.monotonic() - started, 3)
    log("OutOfFold", rows=rows, left_out=left_out, folds=len(folds), seconds=seconds)
    return predicted


def folds_of(target: Positions, *, folds: int, whole: bool, most: int, seed: int) -> list[Fold]:
    """Return the folds of some rows: those of the search, or a cheaper one.

    Beyond ``most`` rows whole folds are fitted that answer for a sample; or, where that would be a
    large part of the run, one classifier on at most ``most`` rows that answers for as many others.

    Args:
        target: the rows' classes, shape [n].
        folds: how many.
        whole: whether folds are fitted whole, however many rows there are.
        most: rows to answer for.
        seed: of the folds and the sample.
    """
    rank = _ranks(target, seed)
    by_share = np.argsort(rank / np.bincount(target)[target], kind="stable")
    if not whole and len(target) > most:
        pool = by_share[: 2 * min(most, len(target) // 2)]
        odd = rank[pool] % 2 == 1
        return [Fold(np.sort(pool[~odd]), np.sort(pool[odd]))]
    chosen = np.zeros(len(target), np.bool_)
    chosen[by_share[:most]] = True
    folds = min(folds, int(np.bincount(target).max()))
    if folds == 1:
        return []
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class has fewer rows than there are folds
        sides = list(splitter.split(target, target))
    return [Fold(fitted, judged[chosen[judged]]) for fitted, judged in sides]


def _ranks(target: Positions, seed: int) -> Positions:
    """Return each row's place in a random order of the rows of its class, from 0, shape [n]."""
    order = np.random.default_rng(seed).permutation(len(target))
    order = order[np.argsort(target[order], kind="stable")]
    ranks = np.empty(len(target), np.intp)
    ranks[order] = np.arange(len(target)) - np.searchsorted(target[order], target[order])
    return ranks


@dataclass(frozen=True)
class _Table:
    """What every fold is fitted on: ``rows`` [n, features] of which ``kept`` are used."""

    pipeline: Pipeline
    rows: NDArray[np.float64]
    kept: Positions
    labels: NDArray[np.generic]
    classes: NDArray[np.generic]


def _predictions(training: Training, folds: Sequence[Fold]) -> list[NDArray[np.float64]]:
    """Return each fold's answers, NaN where there is none, whatever the number of processes."""
    examples = training.examples
    labels = examples.labels
    table = _Table(
        training.pipeline,
        training.encoded,
        np.array(examples.kept),
        labels,
        np.array(examples.classes, dtype=labels.dtype),
    )

    def fits(some: Sequence[Fold], processes: int) -> list[NDArray[np.float64]]:
        fit = fit_in_threads if processes == 1 else Pipeline.fit
        return list(
            Parallel(n_jobs=processes)(delayed(_predict)(table, fold, fit) for fold in some)
        )

    with one_thread_per_fit():
        started = time.process_time()
        first = fits(folds[:1], 1)
        seconds = (time.process_time() - started) * (len(folds) - 1)
        return first + fits(folds[1:], 1 if seconds < WORTH_SECONDS else _processes(training))


def _processes(training: Training) -> int:
    """Return how many fits there is room for beside the fitted classifier."""
    identity, train = training.request.identity, training.split.train
    rows = training.encoded[np.ix_(train, np.array(training.examples.kept))]
    labels = training.examples.labels[train]
    scorer = Scorer(identity.metric, training.positive, training.threshold)
    problem = Problem(
        identity.search, clone(training.pipeline), {}, rows, labels, scorer, identity.seed
    )
    try:
        return within_memory(problem).processes
    except RunFailed:
        return 1


def _predict(table: _Table, fold: Fold, fit: Callable[..., object]) -> NDArray[np.float64]:
    """Return the answers of a fold, NaN for each class of a row without one."""
    fitted = clone(table.pipeline)
    judged = table.rows[np.ix_(fold.judged, table.kept)]
    answers = np.full((len(judged), len(table.classes)), np.nan)
    try:
        with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the fit on all rows has its own
            fit(fitted, table.rows[np.ix_(fold.fitted, table.kept)], table.labels[fold.fitted])
            taken = fits_float32(preprocessor(fitted), judged)
            known = fitted.predict_proba(judged[taken])
    except ValueError:
        return answers
    probabilities = np.zeros((len(known), len(table.classes)))
    probabilities[:, np.searchsorted(table.classes, fitted.classes_)] = known
    answers[taken] = probabilities
    return answers


def _joined(
    training: Training, folds: Sequence[Fold], answers: Sequence[NDArray[np.float64]]
) -> OutOfFold:
    """Return all folds' answers in the order of the table's rows."""
    none, classes = np.empty(0, np.intp), len(training.examples.classes)
    judged = np.concatenate([none, *(fold.judged for fold in folds)])
    numbers = np.repeat(np.arange(len(folds)), [len(fold.judged) for fold in folds])
    probabilities = np.concatenate([np.empty((0, classes)), *answers])
    order = np.argsort(judged)
    order = order[np.isfinite(probabilities[order]).all(axis=1)]
    row = judged[order]
    return OutOfFold(row, training.examples.target[row], numbers[order], probabilities[order])

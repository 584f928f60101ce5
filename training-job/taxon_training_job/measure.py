"""Metrics of answers with known classes and row weights.

Every metric takes many weightings at once: weights of one give the value, multinomial counts its
bootstrap distribution.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from taxon_contracts.scores import ScoreName

CALIBRATION_BINS = 10
BINARY = 2

Weights = NDArray[np.float64]
"""Row weights, shape [resamples, rows]."""
Values = NDArray[np.float64]
"""One value per resample; NaN where the metric is undefined."""


@dataclass(frozen=True)
class Answers:
    """A classifier's answers on rows whose class is known.

    ``target`` and ``labels`` hold positions among the classes, shape [n]; ``probabilities`` is
    [n, classes]; ``positive`` is the positive class's position for a binary model, else None.
    """

    target: NDArray[np.intp]
    labels: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    positive: int | None

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return the answers on some of the rows."""
        return replace(
            self,
            target=self.target[chosen],
            labels=self.labels[chosen],
            probabilities=self.probabilities[chosen],
        )


def measure(name: ScoreName, answers: Answers, weights: Weights) -> Values:
    """Return a metric under each weighting, as scikit-learn defines it.

    The expected calibration error (Naeini et al. 2015) compares confidence, the probability of the
    answered label, with accuracy in ten equal bins.
    """
    match name:
        case "roc_auc":
            return _roc_auc(answers, weights)
        case "log_loss" | "brier":
            losses = _log_losses(answers) if name == "log_loss" else _squared_errors(answers)
            mean: Values = weights @ losses / weights.sum(axis=1)
            return mean
        case "ece":
            return _calibration_error(answers, weights)
        case _:
            return _label_metric(name, answers, weights)


def _one_hot(positions: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    return np.eye(count)[positions]


def _label_metric(name: ScoreName, answers: Answers, weights: Weights) -> Values:
    classes = answers.probabilities.shape[1]
    actual = _one_hot(answers.target, classes)
    correct = (answers.target == answers.labels).astype(np.float64)
    hits = weights @ (actual * correct[:, None])
    truth, answered = weights @ actual, weights @ _one_hot(answers.labels, classes)
    if name == "accuracy":
        result: Values = weights @ correct / weights.sum(axis=1)
        return result
    with np.errstate(invalid="ignore", divide="ignore"):
        per_class = {
            "balanced_accuracy": hits / truth,
            "recall": np.where(truth > 0, hits / truth, 0.0),
            "precision": np.where(answered > 0, hits / answered, 0.0),
            "f1": np.where(truth + answered > 0, 2 * hits / (truth + answered), 0.0),
        }[name]
    if name == "balanced_accuracy":
        return _mean_where(per_class, truth > 0)
    if answers.positive is not None:
        positive: Values = per_class[:, answers.positive]
        return positive
    return _mean_where(per_class, truth + answered > 0)


def _mean_where(values: NDArray[np.float64], present: NDArray[np.bool_]) -> Values:
    """Return the mean over the classes that are present in each resample."""
    result: Values = np.where(present, values, 0.0).sum(axis=1) / present.sum(axis=1)
    return result


def _roc_auc(answers: Answers, weights: Weights) -> Values:
    classes = answers.probabilities.shape[1]
    if classes == BINARY:
        return _binary_auc(answers.probabilities[:, 1], answers.target == 1, weights)
    one_against_rest = [
        _binary_auc(answers.probabilities[:, index], answers.target == index, weights)
        for index in range(classes)
    ]
    macro: Values = np.mean(one_against_rest, axis=0)
    return macro


def _binary_auc(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], weights: Weights
) -> Values:
    """Return the weighted share of (positive, negative) pairs in order; ties count half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    ups = np.add.reduceat((weights * positive)[:, order], starts, axis=1)
    downs = np.add.reduceat((weights * ~positive)[:, order], starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    with np.errstate(invalid="ignore"):
        result: Values = (ups * (below + downs / 2)).sum(axis=1) / pairs
    return result


def _log_losses(answers: Answers) -> NDArray[np.float64]:
    given = answers.probabilities[np.arange(len(answers.target)), answers.target]
    smallest = np.finfo(np.float64).eps
    losses: NDArray[np.float64] = -np.log(np.clip(given, smallest, 1 - smallest))
    return losses


def _squared_errors(answers: Answers) -> NDArray[np.float64]:
    """Return each row's Brier loss: of one class for binary models, summed over classes beyond."""
    classes = answers.probabilities.shape[1]
    squares = (answers.probabilities - _one_hot(answers.target, classes)) ** 2
    losses: NDArray[np.float64] = squares[:, 1] if classes == BINARY else squares.sum(axis=1)
    return losses


def _calibration_error(answers: Answers, weights: Weights) -> Values:
    confidence = answers.probabilities[np.arange(len(answers.labels)), answers.labels]
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    correct = (answers.target == answers.labels).astype(np.float64)
    gaps = weights @ (_one_hot(bins, CALIBRATION_BINS) * (correct - confidence)[:, None])
    error: Values = np.abs(gaps).sum(axis=1) / weights.sum(axis=1)
    return error

"""How good a classifier is on rows it has not seen, and how sure that is."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from taxon_contracts.run import MetricValue
from taxon_contracts.scores import SCORE_NAMES, ScoreName
from taxon_training_job.judge.repeats import Repeats
from taxon_training_job.measure import Answers, Values, Weights, measure

RESAMPLES = 1000
CELLS = 20_000_000
"""Resamples times rows at most, so that large tables stay within seconds; never below 200."""
CHUNK = 500_000
INTERVAL = (2.5, 97.5)
FITS = 20
"""Resamples that share the labels of one imagined fit."""
CONTRARY = 16
"""Rows of each class with the answer to any row; in half of the resamples they weigh one row."""
OF_LABELS = frozenset[ScoreName]({"accuracy", "balanced_accuracy", "precision", "recall", "f1"})


def evaluate(
    answers: Answers, *, seed: int, repeats: Repeats | None = None
) -> tuple[MetricValue, ...]:
    """Return every metric with its 95 % bootstrap interval.

    Forty rows without an error do not show that there is none. So half of the resamples hold one
    more row of each class, on average, with the answer to any of the rows.

    Args:
        answers: the answers on the held-out rows.
        seed: of the resamples.
        repeats: the rows by content, where contents are on both sides of the split.
    """
    rows, classes = answers.probabilities.shape
    generator = np.random.default_rng([seed, rows])
    contrary = _contrary(answers, generator.integers(0, rows, CONTRARY * classes))
    samples: dict[ScoreName, list[Values]] = {name: [] for name in SCORE_NAMES}
    for weights in _batches(rows, seed, FITS if repeats else RESAMPLES):
        weighed = np.column_stack([weights, _contrary_weights(len(weights), classes, generator)])
        refitted = repeats.decided_again(answers, generator) if repeats else answers
        labelled, given = _joined(refitted, contrary), _joined(answers, contrary)
        for name in SCORE_NAMES:
            samples[name].append(measure(name, labelled if name in OF_LABELS else given, weighed))
    once = np.ones((1, rows))
    return tuple(
        _with_interval(name, float(measure(name, answers, once)[0]), np.concatenate(samples[name]))
        for name in SCORE_NAMES
    )


def _contrary(answers: Answers, chosen: NDArray[np.intp]) -> Answers:
    """Return rows of each class in turn with the answers to the chosen rows."""
    classes = answers.probabilities.shape[1]
    return replace(answers.only(chosen), target=np.tile(np.arange(classes), CONTRARY))


def _contrary_weights(count: int, classes: int, generator: np.random.Generator) -> Weights:
    """Return their weights, shape [count, CONTRARY * classes]: one a class, or none."""
    weights = generator.gamma(1 / CONTRARY, size=(count, CONTRARY * classes))
    weights[generator.random(count) < 0.5] = 0  # noqa: PLR2004 - a half
    return weights


def _joined(answers: Answers, more: Answers) -> Answers:
    return Answers(
        np.concatenate([answers.target, more.target]),
        np.concatenate([answers.labels, more.labels]),
        np.concatenate([answers.probabilities, more.probabilities]),
        answers.positive,
    )


def _batches(rows: int, seed: int, most: int) -> Iterator[Weights]:
    """Yield the resamples, at most so many at once."""
    for weights in resamples(rows, seed):
        yield from np.array_split(weights, -(-len(weights) // most))


def resamples(rows: int, seed: int) -> Iterator[Weights]:
    """Yield bootstrap weights in chunks that fit in memory; the same for the same arguments."""
    generator = np.random.default_rng(seed)
    total = max(200, min(RESAMPLES, CELLS // rows))
    size = max(1, CHUNK // rows)
    counts = [min(size, total - start) for start in range(0, total, size)]
    shares = np.full(rows, 1 / rows)
    for count in counts:
        yield generator.multinomial(rows, shares, size=count).astype(np.float64)


def interval(samples: Values) -> tuple[float, float]:
    """Return the 95 % percentile interval of the finite samples; NaN when there is none."""
    finite = samples[np.isfinite(samples)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.percentile(finite, INTERVAL)
    return float(low), float(high)


def confusion_matrix(answers: Answers) -> list[list[int]]:
    """Return counts [class][answered label]."""
    classes = answers.probabilities.shape[1]
    cells = np.bincount(answers.target * classes + answers.labels, minlength=classes**2)
    counts: list[list[int]] = cells.reshape(classes, classes).tolist()
    return counts


def _with_interval(name: ScoreName, value: float, samples: Values) -> MetricValue:
    low, high = interval(samples)
    if not np.isfinite(low):
        low = high = value
    return MetricValue(name=name, value=value, low=min(low, value), high=max(high, value))

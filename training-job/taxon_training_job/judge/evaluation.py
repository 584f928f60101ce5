"""How good a classifier is on rows it has not seen, and how sure that is."""

import numpy as np

from taxon_contracts.run import MetricValue
from taxon_contracts.scores import SCORE_NAMES, ScoreName
from taxon_training_job.measure import Answers, Values, Weights, measure

RESAMPLES = 1000
CELLS = 20_000_000
"""Resamples times rows at most, so that large tables stay within seconds; never below 200."""
CHUNK = 2_000_000
INTERVAL = (2.5, 97.5)


def evaluate(answers: Answers, *, seed: int) -> tuple[MetricValue, ...]:
    """Return every metric with its 95 % bootstrap interval."""
    rows = len(answers.target)
    once = np.ones((1, rows))
    samples: dict[ScoreName, list[Values]] = {name: [] for name in SCORE_NAMES}
    for weights in resamples(rows, seed):
        for name in SCORE_NAMES:
            samples[name].append(measure(name, answers, weights))
    return tuple(
        _with_interval(name, float(measure(name, answers, once)[0]), np.concatenate(samples[name]))
        for name in SCORE_NAMES
    )


def resamples(rows: int, seed: int) -> list[Weights]:
    """Return bootstrap weights in chunks that fit in memory; the same for the same arguments."""
    generator = np.random.default_rng(seed)
    total = max(200, min(RESAMPLES, CELLS // rows))
    size = max(1, CHUNK // rows)
    counts = [min(size, total - start) for start in range(0, total, size)]
    shares = np.full(rows, 1 / rows)
    return [generator.multinomial(rows, shares, size=count).astype(np.float64) for count in counts]


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
    return MetricValue(name=name, value=value, low=low, high=high)

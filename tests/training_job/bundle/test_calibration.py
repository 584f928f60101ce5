"""Confidence is held against what was right, and a shift shows how far that can be trusted."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from taxon_training_job.bundle.calibration import Calibration
from taxon_training_job.measure import Answers


def answers(confidence: NDArray[np.float64], right: NDArray[Any]) -> Answers:
    """Return answers of class 1 with these confidences; those that are not right are class 0."""
    return Answers(
        right.astype(np.intp),
        np.ones(len(right), np.intp),
        np.column_stack([1 - confidence, confidence]),
        1,
    )


def uniform(rows: int, seed: int = 0) -> NDArray[np.float64]:
    """Return confidences between a half and 1."""
    return np.random.default_rng(seed).uniform(0.5, 1, rows)


@pytest.mark.parametrize(
    ("rows", "bins"), [(1, 1), (10, 3), (149, 3), (200, 4), (999, 19), (5000, 20)]
)
def test_bins_hold_equal_numbers_of_rows(rows: int, bins: int) -> None:
    """One for 50 rows, from 3 to 20; all of them are counted."""
    found = Calibration.of(answers(uniform(rows), np.arange(rows) % 3 > 0)).bins

    assert len(found.rows) == bins
    assert sum(found.rows) == rows
    assert max(found.rows) - min(found.rows) <= 2
    assert sum(found.right) == rows - len(range(0, rows, 3))


def test_the_same_confidence_everywhere_is_one_bin() -> None:
    """There is nothing to tell apart."""
    found = Calibration.of(answers(np.full(500, 0.75), np.arange(500) < 400)).bins

    assert (found.edges, found.rows, found.right) == ((), (500,), (400,))


def test_confidence_is_the_answered_label_s_probability() -> None:
    """A threshold may answer the less probable class."""
    below = Answers(
        np.array([0, 0, 1]), np.array([0, 0, 0]), np.array([[0.2, 0.8]] * 3), positive=1
    )
    found = Calibration.of(below)

    assert found.confidence.tolist() == [0.2, 0.2, 0.2]
    assert found.bins.right == (2,)


def test_a_relation_that_holds_everywhere_has_no_shift_error() -> None:
    """Beyond what chance explains."""
    generator = np.random.default_rng(0)
    confidence = uniform(20_000)
    right = generator.random(20_000) < confidence
    shift = Calibration.of(answers(confidence, right)).shift_error(
        generator.normal(size=(20_000, 5))
    )

    assert shift < 0.005


def test_a_relation_that_one_feature_decides_has_one() -> None:
    """Where the classifier is wrong on one side of a feature only, moving rows there shows it."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(4000, 1))
    right = generator.random(4000) < np.where(rows[:, 0] > 0, 1.0, 0.5)
    shift = Calibration.of(answers(uniform(4000), right)).shift_error(rows)

    assert 0.1 < shift < 0.25


def test_gaps_and_constant_features_tell_nothing() -> None:
    """A missing value is taken for the mean, a feature without spread for no shift at all."""
    right = np.arange(300) % 4 > 0
    known = Calibration.of(answers(uniform(300), right))
    rows = np.random.default_rng(0).normal(size=(300, 1))
    nothing = np.column_stack([np.full(300, np.nan), np.full(300, 3.0)])

    assert known.shift_error(nothing) == 0
    assert known.shift_error(np.hstack([rows, nothing])) == known.shift_error(rows)

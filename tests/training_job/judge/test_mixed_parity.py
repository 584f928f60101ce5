"""Gaps and categories: the serving graph answers as scikit-learn does, whatever the table."""

from typing import Any

import numpy as np
import pytest
from support.mixed import (
    Mixed,
    categories,
    column,
    fit_mixed,
    flags,
    numbers,
    random_rows,
)

from taxon_training_job.data.columns import Column
from taxon_training_job.judge.parity import check_parity

NAN = float("nan")
FOREST: dict[str, Any] = {"classifier": {"parameters": [{"name": "n_estimators", "values": ["8"]}]}}
LINEAR: dict[str, Any] = {"classifier": {"type": "LogisticRegression"}}
IMPUTERS: list[dict[str, Any] | None] = [
    None,
    {"strategy": "Median"},
    {"strategy": "Median", "indicator": True},
    {"strategy": "MostFrequent"},
    {"strategy": "MostFrequent", "indicator": True},
    {"strategy": "Constant", "value": -3.5, "indicator": True},
]


def table(rows: int = 160, *, gaps: float = 0.2) -> list[Column]:
    """Return a table of every kind, with a constant column and one feature without gaps."""
    return [
        numbers("length", rows, gaps=gaps, seed=1),
        categories("port", rows, gaps=gaps, seed=2),
        flags("member", rows, gaps=gaps, seed=3),
        column("batch", "Numeric", [7.0] * rows),
        numbers("width", rows, seed=4),
        categories("deck", rows, count=12, seed=5),
    ]


def worst(mixed: Mixed, seed: int = 0) -> float:
    """Return the largest difference from scikit-learn on many rows, proof included."""
    rows = random_rows(mixed, 300, seed)
    together = mixed.classifier.probabilities(rows)
    single = np.concatenate([mixed.classifier.probabilities(row[None]) for row in rows[:25]])
    expected = mixed.expected(rows)
    proof = check_parity(
        mixed.pipeline, mixed.classifier, rows[:40], fitted=mixed.fitted, kept=mixed.kept
    )
    differences = np.concatenate([together - expected, single - expected[:25]])
    return max(proof, float(np.abs(differences).max()))


@pytest.mark.parametrize("imputer", IMPUTERS, ids=str)
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("scaler", ["Standard", "None"])
def test_a_forest_over_gaps_and_categories_is_equal(
    imputer: dict[str, Any] | None, degree: int, scaler: str
) -> None:
    """Bit for bit: whatever fills gaps, scaled or not, with products or without."""
    spec = {"imputer": imputer, "polynomialDegree": degree, "scaler": scaler, **FOREST}

    assert worst(fit_mixed(table(), spec)) == 0.0


@pytest.mark.parametrize("imputer", IMPUTERS, ids=str)
@pytest.mark.parametrize("classes", [2, 12])
def test_a_linear_model_over_gaps_and_categories_is_within_its_tolerance(
    imputer: dict[str, Any] | None, classes: int
) -> None:
    """1e-12, binary and of many classes."""
    assert worst(fit_mixed(table(), {"imputer": imputer, **LINEAR}, classes=classes)) <= 1e-12


@pytest.mark.parametrize("classes", [3, 12])
def test_a_forest_of_several_classes_over_gaps_and_categories_is_equal(classes: int) -> None:
    """Few classes are walked each, many share a walk."""
    assert worst(fit_mixed(table(), FOREST, classes=classes)) == 0.0

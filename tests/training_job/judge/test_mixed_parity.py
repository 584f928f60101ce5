"""Gaps and categories: the serving graph answers as scikit-learn does, whatever the table."""

from typing import Any

import numpy as np
import pytest
from support.mixed import categories, column, fit_mixed, flags, largest_difference, numbers

from taxon_training_job.data.columns import Column

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


@pytest.mark.parametrize("imputer", IMPUTERS, ids=str)
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("scaler", ["Standard", "None"])
def test_a_forest_over_gaps_and_categories_is_equal(
    imputer: dict[str, Any] | None, degree: int, scaler: str
) -> None:
    """Bit for bit: whatever fills gaps, scaled or not, with products or without."""
    spec = {"imputer": imputer, "polynomialDegree": degree, "scaler": scaler, **FOREST}

    assert largest_difference(fit_mixed(table(), spec)) == 0.0


@pytest.mark.parametrize("imputer", IMPUTERS, ids=str)
@pytest.mark.parametrize("classes", [2, 12])
def test_a_linear_model_over_gaps_and_categories_is_within_its_tolerance(
    imputer: dict[str, Any] | None, classes: int
) -> None:
    """1e-12, binary and of many classes."""
    assert (
        largest_difference(fit_mixed(table(), {"imputer": imputer, **LINEAR}, classes=classes))
        <= 1e-12
    )


@pytest.mark.parametrize("classes", [3, 12])
def test_a_forest_of_several_classes_over_gaps_and_categories_is_equal(classes: int) -> None:
    """Few classes are walked each, many share a walk."""
    assert largest_difference(fit_mixed(table(), FOREST, classes=classes)) == 0.0


ODD: dict[str, list[Column]] = {
    "all missing in training": [
        column("late", "Numeric", [None] * 100 + [1.5, 2.5] * 30),
        column("flag", "Boolean", [None] * 100 + [True, False] * 30),
        numbers("width", 160),
    ],
    "no category in training": [
        column("late", "Categorical", [None] * 100 + ["a", "b"] * 30),
        numbers("width", 160),
    ],
    "a category in held-out rows only": [
        column("port", "Categorical", ["a", "b"] * 50 + ["c", "d"] * 30),
        numbers("width", 160),
    ],
    "categories and nothing else": [
        categories("port", 160, gaps=0.1, seed=1),
        categories("deck", 160, count=30, seed=2),
    ],
    "one category, sometimes missing": [
        column("port", "Categorical", ["a", "a", None, "a"] * 40),
        flags("flag", 160),
    ],
    "booleans and nothing else": [flags("one", 160, gaps=0.3), flags("two", 160, seed=2)],
    "constant in training": [
        column("late", "Numeric", [4.0, None] * 50 + [1.0, 2.0] * 30),
        numbers("width", 160),
    ],
    "every category as frequent": [
        column("port", "Categorical", [*"dcab"] * 40),
        column("flag", "Boolean", [True, False] * 80),
    ],
}


@pytest.mark.parametrize("imputer", IMPUTERS, ids=str)
@pytest.mark.parametrize("case", ODD)
def test_odd_tables_are_equal(case: str, imputer: dict[str, Any] | None) -> None:
    """Columns that hold nothing, or all the same, where the pipeline is fitted."""
    spec = {"imputer": imputer, "polynomialDegree": 2, **FOREST}

    assert largest_difference(fit_mixed(ODD[case], spec, train=100)) == 0.0


def random_case(seed: int) -> tuple[list[Column], dict[str, Any], int]:
    """Return a random table, pipeline and number of classes."""
    generator = np.random.default_rng(seed)
    makers = (numbers, flags, categories)
    columns = [
        makers[generator.integers(0, 3)](
            f"f{place}", 150, gaps=float(generator.choice([0.0, 0.2])), seed=seed * 10 + place
        )
        for place in range(generator.integers(1, 6))
    ]
    gaps = any(one.has_gaps for one in columns)
    imputers = IMPUTERS if gaps else [*IMPUTERS, {"strategy": "None"}]
    spec = {
        "imputer": imputers[generator.integers(0, len(imputers))],
        "encoder": {
            "minFrequency": int(generator.integers(1, 12)),
            "maxCategories": int(generator.integers(1, 7)),
        },
        "scaler": str(generator.choice(["Standard", "None"])),
        "polynomialDegree": int(generator.integers(1, 4)),
        **(FOREST if generator.random() < 0.7 else LINEAR),
    }
    return columns, spec, int(generator.choice([2, 3, 12]))


@pytest.mark.parametrize("seed", range(24))
def test_any_table_and_pipeline_are_equal(seed: int) -> None:
    """Rare categories, unseen ones and gaps; and the same fit gives the same bytes."""
    columns, spec, classes = random_case(seed)
    mixed = fit_mixed(columns, spec, classes=classes)
    tolerance = 1e-12 if "type" in spec["classifier"] else 0.0

    assert largest_difference(mixed, seed=seed) <= tolerance
    assert fit_mixed(columns, spec, classes=classes).graph == mixed.graph

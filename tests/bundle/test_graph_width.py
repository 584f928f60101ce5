"""A graph that makes many columns of a row is given few rows at a time."""

import resource
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.mixed import Mixed, categories, fit_mixed, numbers

from taxon_bundle.classifier import VALUES_AT_ONCE
from taxon_bundle.graph_width import widest_step

TREES = {"parameters": [{"name": "n_estimators", "values": ["3"]}]}
CASES: dict[str, tuple[int, dict[str, Any], int]] = {
    "numbers": (0, {}, 4),
    "categories": (2, {}, 60),
    "products": (0, {"polynomialDegree": 3}, 20),
    "products of categories": (1, {"polynomialDegree": 2, "classifier": TREES}, 100),
}


def mixed(case: str, rows: int = 400) -> Mixed:
    """Return what is fitted on four numbers and some features of thirty categories."""
    wide, spec, _ = CASES[case]
    columns = [numbers(f"n{place}", rows, seed=place) for place in range(4)]
    columns += [categories(f"c{place}", rows, count=30, like=1.0) for place in range(wide)]
    return fit_mixed(columns, {"classifier": TREES} | spec)


@pytest.mark.parametrize("case", CASES)
def test_the_widest_step_is_read_from_the_file(case: str) -> None:
    """Columns that are picked, repeated or multiplied count; leaves of trees do not."""
    made = mixed(case)
    columns = made.pipeline[-1].n_features_in_

    assert CASES[case][2] <= widest_step(made.graph) <= columns
    assert made.classifier.rows_at_once <= 2 * VALUES_AT_ONCE // columns


def test_a_graph_without_constants_has_no_width() -> None:
    """Nor has one whose constants are no lists of places."""
    rows = helper.make_tensor_value_info("rows", TensorProto.DOUBLE, ["n", 2])
    same = helper.make_tensor_value_info("same", TensorProto.DOUBLE, ["n", 2])
    node = helper.make_node("Add", ["rows", "c"], ["same"])
    constant = numpy_helper.from_array(np.zeros((1, 2)), "c")
    graph = helper.make_graph([node], "g", [rows], [same], [constant])

    assert widest_step(helper.make_model(graph).SerializeToString()) == 0


def test_products_of_a_large_request_take_little_memory() -> None:
    """Twelve thousand columns for each of thousands of rows were gigabytes."""
    columns = [numbers(f"n{place}", 100, seed=place) for place in range(40)]
    made = fit_mixed(columns, {"polynomialDegree": 3, "classifier": TREES})
    rows = np.repeat(made.rows, 30, axis=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers = made.classifier.probabilities(rows)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert len(answers) == 3000
    assert (after - before) / 1024 < 100

"""Logistic regression: one matrix product, then a sigmoid or a softmax."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from taxon_training_job.classifiers.family import Family, Footprint, GraphInput, Grid, Splits
from taxon_training_job.classifiers.graph import Graph

TOLERANCE = 1e-12
"""The last bits change with the batch size in scikit-learn itself: its matrix product adds in
another order."""
SOLVER_STEPS = 20
"""Vectors as long as the coefficients that L-BFGS keeps."""


def _make(seed: int) -> LogisticRegression:
    return LogisticRegression(random_state=seed, max_iter=1000)


def _add_nodes(
    graph: Graph, value: GraphInput, classifier: LogisticRegression, output: str
) -> None:
    product = graph.add("MatMul", value.exact, graph.constant(classifier.coef_.T))
    decision = graph.add("Add", product, graph.constant(classifier.intercept_))
    if len(classifier.classes_) > 2:  # noqa: PLR2004 - two is what binary means
        graph.add("Softmax", decision, output=output, axis=1)
        return
    positive = graph.add("Sigmoid", decision)
    negative = graph.add("Sub", graph.constant(np.array([1.0])), positive)
    graph.add("Concat", negative, positive, output=output, axis=1)


def _splits(_: Any, __: NDArray[np.float64]) -> Splits:
    """Return none: a linear model's answer never jumps."""
    return Splits(np.empty((0, 3)), visits=1)


def _largest(grid: Grid) -> dict[str, Any]:
    return {name: values[0] for name, values in grid.items()}


def _footprint(_: Any, values: NDArray[np.float64], labels: NDArray[Any]) -> Footprint:
    """Return the coefficients and what the solver remembers of its last steps."""
    classes = len(np.unique(labels))
    coefficients = 8 * classes * (values.shape[1] + 1)
    return Footprint(
        what=f"logistic regression of {classes} classes by {values.shape[1]} columns",
        remedy="lower pipeline.polynomialDegree",
        fitted=SOLVER_STEPS * coefficients,
        graph=coefficients,
    )


FAMILY = Family(
    name="LogisticRegression",
    estimator=LogisticRegression,
    make=_make,
    default_grid={"C": [0.01, 0.1, 1.0, 10.0, 100.0]},
    add_nodes=_add_nodes,
    tolerance=TOLERANCE,
    threaded=False,
    splits=_splits,
    largest=_largest,
    bound=_footprint,
    footprint=_footprint,
)

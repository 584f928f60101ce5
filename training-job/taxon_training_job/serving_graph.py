"""The serving file: a fitted pipeline as an ONNX graph that answers bit for bit the same.

Trees become ``TreeEnsemble`` of ai.onnx.ml opset 5 with double splits and weights. scikit-learn
compares float32 values with float64 thresholds; rounding a threshold down to float32 leaves every
such comparison as it was.
"""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from taxon_bundle.classifier import GRAPH_INPUT, GRAPH_OUTPUTS, GRAPH_SCALED

OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
BRANCH_LEQ = 0
SUM = 1
LEAF = -1


class Graph:
    """Nodes and constants in the order they are added; names are numbered."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: NDArray[Any]) -> str:
        """Add a constant tensor; return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its one output."""
        name = output or f"n{len(self.nodes)}"
        domain = "ai.onnx.ml" if operator == "TreeEnsemble" else ""
        self.nodes.append(
            helper.make_node(operator, list(inputs), [name], domain=domain, **attributes)
        )
        return name


def serving_graph(pipeline: Pipeline, *, features: int, kept: Sequence[int]) -> bytes:
    """Return the ONNX graph of a fitted pipeline.

    Input ``rows`` double [n, features]; outputs ``probabilities`` double [n, classes], ``peak``
    float [n] and ``scaled`` double [n, kept].

    Args:
        pipeline: StandardScaler and PolynomialFeatures (each optional), then the classifier.
        features: how many features the signature has, dropped ones included.
        kept: positions of the features the pipeline was fitted on, in its order.

    Raises:
        TypeError: a step is none that can be served.
    """
    graph = Graph()
    value = graph.add("Gather", GRAPH_INPUT, graph.constant(np.array(kept, np.int64)), axis=1)
    steps = [step for _, step in pipeline.steps[:-1]]
    if steps and isinstance(steps[0], StandardScaler):
        scaler = steps.pop(0)
        centred = graph.add("Sub", value, graph.constant(scaler.mean_))
        value = graph.add("Div", centred, graph.constant(scaler.scale_))
    graph.add("Identity", value, output=GRAPH_SCALED)
    for step in steps:
        value = _product_columns(graph, value, step)
    single = graph.add("Cast", value, to=TensorProto.FLOAT)
    absolute = graph.add("Abs", single)
    axes = graph.constant(np.array([1], np.int64))
    graph.add("ReduceMax", absolute, axes, output=GRAPH_OUTPUTS[1], keepdims=0)
    classifier = pipeline.steps[-1][1]
    match classifier:
        case RandomForestClassifier():
            _forest(graph, single, classifier)
        case LogisticRegression():
            _logistic(graph, value, classifier)
        case _:
            raise TypeError(f"{type(classifier).__name__} cannot be served")
    return _serialised(graph, features, len(kept), len(classifier.classes_))


def _product_columns(graph: Graph, value: str, step: object) -> str:
    if not isinstance(step, PolynomialFeatures):
        raise TypeError(f"{type(step).__name__} cannot be served")
    return _products(graph, value, step.n_features_in_, step.degree)


def _products(graph: Graph, value: str, features: int, degree: int) -> str:
    """Add products up to ``degree``, associated as PolynomialFeatures does: x_i * (x_j * x_k)."""
    blocks = [value]
    previous: dict[tuple[int, ...], int] = {(index,): index for index in range(features)}
    for size in range(2, degree + 1):
        combinations = list(combinations_with_replacement(range(features), size))
        rest = [previous[combination[1:]] for combination in combinations]
        first = [combination[0] for combination in combinations]
        left = graph.add("Gather", blocks[-1], graph.constant(np.array(rest, np.int64)), axis=1)
        right = graph.add("Gather", value, graph.constant(np.array(first, np.int64)), axis=1)
        blocks.append(graph.add("Mul", left, right))
        previous = {combination: index for index, combination in enumerate(combinations)}
    return graph.add("Concat", *blocks, axis=1)


def _forest(graph: Graph, single: str, forest: RandomForestClassifier) -> None:
    """Add one ensemble per class (a leaf has one target), and the mean over the trees."""
    value = graph.add("Cast", single, to=TensorProto.DOUBLE)
    splits = _splits(forest)
    sums = []
    for index in range(len(forest.classes_)):
        weights = np.concatenate(
            [t.tree_.value[t.tree_.children_left == LEAF, 0, index] for t in forest.estimators_]
        )
        tensor = numpy_helper.from_array(weights, "leaf_weights")
        sums.append(graph.add("TreeEnsemble", value, leaf_weights=tensor, **splits))
    total = graph.add("Concat", *sums, axis=1) if len(sums) > 1 else sums[0]
    count = graph.constant(np.array(len(forest.estimators_), np.float64))
    graph.add("Div", total, count, output=GRAPH_OUTPUTS[0])


def _splits(forest: RandomForestClassifier) -> dict[str, Any]:
    """Return the attributes every class's ensemble shares: where each node sends a row."""
    roots: list[int] = []
    columns: dict[str, list[NDArray[Any]]] = {
        key: [] for key in ("features", "splits", "true", "false", "true_leaf", "false_leaf")
    }
    nodes = leaves = 0
    for tree in (estimator.tree_ for estimator in forest.estimators_):
        roots.append(nodes)
        inner = tree.children_left != LEAF
        place = np.where(inner, np.cumsum(inner) - 1 + nodes, np.cumsum(~inner) - 1 + leaves)
        branching = np.flatnonzero(inner)
        left, right = tree.children_left[branching], tree.children_right[branching]
        if not branching.size:
            branching = left = right = np.array([0])
        columns["features"].append(np.maximum(tree.feature[branching], 0))
        columns["splits"].append(_rounded_down(tree.threshold[branching]))
        columns["true"].append(place[left])
        columns["false"].append(place[right])
        columns["true_leaf"].append(~inner[left])
        columns["false_leaf"].append(~inner[right])
        nodes += branching.size
        leaves += int((~inner).sum())
    joined = {key: np.concatenate(parts) for key, parts in columns.items()}
    return {
        "tree_roots": roots,
        "n_targets": 1,
        "aggregate_function": SUM,
        "post_transform": 0,
        "nodes_featureids": joined["features"].tolist(),
        "nodes_splits": numpy_helper.from_array(joined["splits"], "nodes_splits"),
        "nodes_modes": numpy_helper.from_array(np.full(nodes, BRANCH_LEQ, np.uint8), "nodes_modes"),
        "nodes_truenodeids": joined["true"].tolist(),
        "nodes_falsenodeids": joined["false"].tolist(),
        "nodes_trueleafs": joined["true_leaf"].astype(int).tolist(),
        "nodes_falseleafs": joined["false_leaf"].astype(int).tolist(),
        "leaf_targetids": [0] * leaves,
    }


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest float32 not above each threshold, as float64."""
    single = thresholds.astype(np.float32)
    above = single.astype(np.float64) > thresholds
    single[above] = np.nextafter(single[above], np.float32(-np.inf))
    return single.astype(np.float64)


def _logistic(graph: Graph, value: str, classifier: LogisticRegression) -> None:
    product = graph.add("MatMul", value, graph.constant(classifier.coef_.T))
    decision = graph.add("Add", product, graph.constant(classifier.intercept_))
    if len(classifier.classes_) > 2:  # noqa: PLR2004 - two is what binary means
        graph.add("Softmax", decision, output=GRAPH_OUTPUTS[0], axis=1)
        return
    positive = graph.add("Sigmoid", decision)
    negative = graph.add("Sub", graph.constant(np.array([1.0])), positive)
    graph.add("Concat", negative, positive, output=GRAPH_OUTPUTS[0], axis=1)


def _serialised(graph: Graph, features: int, kept: int, classes: int) -> bytes:
    def tensor(name: str, kind: int, *shape: str | int) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    proto = helper.make_graph(
        graph.nodes,
        "classifier",
        [tensor(GRAPH_INPUT, TensorProto.DOUBLE, "n", features)],
        [
            tensor(GRAPH_OUTPUTS[0], TensorProto.DOUBLE, "n", classes),
            tensor(GRAPH_OUTPUTS[1], TensorProto.FLOAT, "n"),
            tensor(GRAPH_SCALED, TensorProto.DOUBLE, "n", kept),
        ],
        graph.constants,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model: ModelProto = helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION)
    content: bytes = model.SerializeToString(deterministic=True)
    return content

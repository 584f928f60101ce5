"""The serving file: a fitted pipeline as an ONNX graph with scikit-learn's answers.

Filling in, scaling, encoding and products happen in float64, exactly as the pipeline does them; the
classifier's own nodes come from its family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper
from sklearn.pipeline import Pipeline

from taxon_bundle.classifier import (
    GRAPH_INPUT,
    GRAPH_OUTPUTS,
    GRAPH_ROWS_AT_ONCE,
    GRAPH_SCALED,
    Classifier,
)
from taxon_training_job.bundle.manifest import manifest
from taxon_training_job.classifiers.family import GraphInput
from taxon_training_job.classifiers.graph import Graph
from taxon_training_job.classifiers.registry import family_of
from taxon_training_job.fit.encoding import Encoding, encoding_of
from taxon_training_job.fit.pipeline import preprocessor
from taxon_training_job.fit.training import Training

OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
GAP = -2.0
"""What takes the place of a missing value that is a category of its own: no category's code."""


@dataclass(frozen=True)
class Serving:
    """The serving file of a training, and the classifier that a server loads from it."""

    graph: bytes
    classifier: Classifier


def serving(training: Training) -> Serving:
    """Build a training's serving file and load it as a server would."""
    examples = training.examples
    graph = serving_graph(training.pipeline, features=len(examples.features), kept=examples.kept)
    return Serving(graph, Classifier.from_graph(graph, manifest(training, {})))


def serving_graph(pipeline: Pipeline, *, features: int, kept: Sequence[int]) -> bytes:
    """Return the ONNX graph of a fitted pipeline.

    Input ``rows`` double [n, features]; outputs ``probabilities`` double [n, classes], ``peak``
    float [n] and ``scaled`` double [n, kept numbers and booleans].

    Args:
        pipeline: as ``make_pipeline`` builds it.
        features: how many features the signature has, dropped ones included.
        kept: positions of the features the pipeline was fitted on, in its order.

    Raises:
        TypeError: a step cannot be served.
    """
    graph = Graph()
    encoding = encoding_of(preprocessor(pipeline), len(kept))
    value = _columns(graph, encoding, features, np.array(kept, np.int64))
    if encoding.products is not None:
        value = _products(graph, value, encoding.width, encoding.products.degree)
    single = graph.add("Cast", value, to=TensorProto.FLOAT)
    absolute = graph.add("Abs", single)
    axes = graph.constant(np.array([1], np.int64))
    graph.add("ReduceMax", absolute, axes, output=GRAPH_OUTPUTS[1], keepdims=0)
    classifier = pipeline.steps[-1][1]
    family_of(classifier).add_nodes(
        graph, GraphInput(exact=value, single=single), classifier, GRAPH_OUTPUTS[0]
    )
    return _serialised(graph, features, len(encoding.numbers), len(classifier.classes_))


def _columns(graph: Graph, encoding: Encoding, features: int, kept: NDArray[np.int64]) -> str:
    """Fill in, scale and encode; the numbers are an output of their own."""
    rows, missing = GRAPH_INPUT, ""
    if encoding.takes_gaps:
        missing = graph.add("IsNaN", rows)
        rows = graph.add("Where", missing, graph.constant(_fills(encoding, features, kept)), rows)
    blocks = [_numbers(graph, rows, encoding, kept)] if len(encoding.numbers) else []
    if not blocks:
        nothing = graph.constant(np.empty(0, np.int64))
        graph.add("Gather", rows, nothing, output=GRAPH_SCALED, axis=1)
    if encoding.categories:
        blocks.append(_one_hot(graph, rows, encoding, kept))
    if encoding.indicators:
        chosen = graph.constant(kept[list(encoding.indicators)])
        flags = graph.add("Gather", missing, chosen, axis=1)
        blocks.append(graph.add("Cast", flags, to=TensorProto.DOUBLE))
    return graph.add("Concat", *blocks, axis=1) if len(blocks) > 1 else blocks[0]


def _fills(encoding: Encoding, features: int, kept: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what takes the place of a missing value, shape [features]."""
    fills = np.full(features, GAP)
    fills[kept[list(encoding.fills)]] = list(encoding.fills.values())
    return fills


def _numbers(graph: Graph, rows: str, encoding: Encoding, kept: NDArray[np.int64]) -> str:
    value = graph.add("Gather", rows, graph.constant(kept[encoding.numbers]), axis=1)
    if encoding.mean is not None and encoding.scale is not None:
        centred = graph.add("Sub", value, graph.constant(encoding.mean))
        value = graph.add("Div", centred, graph.constant(encoding.scale))
    graph.add("Identity", value, output=GRAPH_SCALED)
    return value


def _one_hot(graph: Graph, rows: str, encoding: Encoding, kept: NDArray[np.int64]) -> str:
    """Compare each category's code with the feature's, once per column."""
    first = len(encoding.numbers)
    sources = kept[encoding.sources[first : first + len(encoding.codes)]]
    codes = np.where(np.isnan(encoding.codes), GAP, encoding.codes)
    value = graph.add("Gather", rows, graph.constant(sources), axis=1)
    equal = graph.add("Equal", value, graph.constant(codes))
    return graph.add("Cast", equal, to=TensorProto.DOUBLE)


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


def _serialised(graph: Graph, features: int, numbers: int, classes: int) -> bytes:
    def tensor(name: str, kind: int, *shape: str | int) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    proto = helper.make_graph(
        graph.nodes,
        "classifier",
        [tensor(GRAPH_INPUT, TensorProto.DOUBLE, "n", features)],
        [
            tensor(GRAPH_OUTPUTS[0], TensorProto.DOUBLE, "n", classes),
            tensor(GRAPH_OUTPUTS[1], TensorProto.FLOAT, "n"),
            tensor(GRAPH_SCALED, TensorProto.DOUBLE, "n", numbers),
        ],
        graph.constants,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model: ModelProto = helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION)
    if graph.rows_at_once is not None:
        helper.set_model_props(model, {GRAPH_ROWS_AT_ONCE: str(graph.rows_at_once)})
    content: bytes = model.SerializeToString(deterministic=True)
    return content

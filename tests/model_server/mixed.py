"""A bundle of a small model over numbers, a boolean and categories, some with gaps."""

import json
from pathlib import Path

import numpy as np
import onnx

from taxon_bundle.bundle import Bundle, files_of, seal
from taxon_bundle.classifier import Classifier
from taxon_bundle.codec import Codec, Value
from taxon_contracts.manifest import (
    GOLDEN_NAME,
    METRICS_NAME,
    SERVING_NAME,
    Manifest,
    SignatureFeature,
)

PORTS = ("Southampton", "Cherbourg", "Åbo")
FEATURES = (
    SignatureFeature(name="age", gaps=True),
    SignatureFeature(name="fare"),
    SignatureFeature(name="member", type="Boolean"),
    SignatureFeature(name="port", type="Categorical", gaps=True, categories=PORTS),
    SignatureFeature(name="deck", type="Categorical", dropped=True, categories=("A",)),
)
CODEC = Codec(FEATURES)
ROW: dict[str, Value] = {
    "age": 31.5,
    "fare": 7.25,
    "member": True,
    "port": "Cherbourg",
    "deck": "A",
}
GOLDEN: list[list[Value]] = [
    [None, 7.0, False, None, "A"],
    [20, 7.0, False, "Narvik", "A"],
    [*ROW.values()],
]
GRAPH = """
<ir_version: 8, opset_import: ["": 18]>
mixed (double[N, 5] rows) => (double[N, 2] probabilities, float[N] peak, double[N, 3] scaled)
<double[5, 1] weights = {0.02, 0.1, 1.5, -0.75, 0.0}, double zero = {0.0}, double one = {1.0},
 int64[1] columns = {1}, int64[3] numbers = {0, 1, 2}>
{
    missing = IsNaN(rows)
    filled = Where(missing, zero, rows)
    sum = MatMul(filled, weights)
    yes = Sigmoid(sum)
    no = Sub(one, yes)
    probabilities = Concat <axis = 1> (no, yes)
    scaled = Gather <axis = 1> (filled, numbers)
    size = Abs(scaled)
    largest = ReduceMax <keepdims = 0> (size, columns)
    peak = Cast <to = 1> (largest)
}
"""


def mixed_bundle(folder: Path) -> Bundle:
    """Write the bundle below a folder."""
    graph = onnx.parser.parse_model(GRAPH).SerializeToString()
    golden = _golden(graph)
    figures = {"metrics": [], "importances": {"fare": 0.25}}
    contents = {
        SERVING_NAME: graph,
        GOLDEN_NAME: json.dumps(golden).encode(),
        METRICS_NAME: json.dumps(figures).encode(),
    }
    return seal(f"{folder}/mixed/", _manifest(contents), contents, run_record=b"{}")


def _manifest(contents: dict[str, bytes]) -> Manifest:
    return Manifest(
        format_version=2,
        namespace="default",
        model="mixed",
        version="v0123456789",
        files=files_of(contents),
        features=FEATURES,
        classes=("no", "yes"),
        positive_class="yes",
        threshold=0.5,
        classifier="LogisticRegression",
        dataset_digest="sha256:" + "0" * 64,
        libraries={},
    )


def _golden(graph: bytes) -> dict[str, object]:
    classifier = Classifier.from_graph(graph, _manifest({}))
    probabilities = classifier.probabilities(CODEC.encode_rows(GOLDEN).rows)
    labels = [classifier.classes[index] for index in classifier.labels(probabilities)]
    return {
        "rows": GOLDEN,
        "probabilities": np.asarray(probabilities).tolist(),
        "labels": labels,
        "tolerance": 0.0,
    }

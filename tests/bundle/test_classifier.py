"""The classifier answers without scikit-learn, refuses what it cannot take, and runs no code."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.training import run_request, small_identity, small_table, train

from taxon_bundle.bundle import BundleError
from taxon_bundle.classifier import GRAPH_ROWS_AT_ONCE, Classifier
from taxon_bundle.codec import BadRow
from taxon_contracts.manifest import SERVING_NAME


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """Return a binary classifier of length, width and the constant batch."""
    request = run_request(small_table(), tmp_path_factory.mktemp("binary"))
    return Classifier.load(train(request))


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the serving file of such a classifier."""
    return train(run_request(small_table(), tmp_path_factory.mktemp("graph"))).read(SERVING_NAME)


def row(*values: float) -> np.ndarray:
    """Return one row."""
    return np.array([values], dtype=np.float64)


def test_it_answers_one_probability_per_class_and_row(classifier: Classifier) -> None:
    """Each row's probabilities sum to one."""
    probabilities = classifier.probabilities(np.array([[0.0, 0.0, 7.0], [1.0, 2.0, 7.0]]))

    assert probabilities.shape == (2, 2)
    assert np.allclose(probabilities.sum(axis=1), 1.0)


def test_no_rows_have_no_answers(classifier: Classifier) -> None:
    """An empty batch is not an error."""
    assert classifier.probabilities(np.empty((0, 3))).shape == (0, 2)


def test_a_constant_column_is_accepted_and_ignored(classifier: Classifier) -> None:
    """It stays part of the signature; its value changes nothing, however large."""
    assert classifier.features == ("length", "width", "batch")
    assert np.array_equal(
        classifier.probabilities(row(0.3, 0.2, 7.0)), classifier.probabilities(row(0.3, 0.2, 1e300))
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.nan, "is missing, and the model takes no missing value there"),
        (np.inf, "is not a finite number"),
        (-np.inf, "is not a finite number"),
    ],
)
def test_a_value_that_is_no_finite_number_is_refused_by_name(
    classifier: Classifier, value: float, reason: str
) -> None:
    """Even in a column that is ignored."""
    rows = np.array([[0.0, 0.0, 7.0], [0.0, 0.0, value]])
    with pytest.raises(BadRow, match=f"row 1: batch {reason}") as caught:
        classifier.probabilities(rows)
    assert (caught.value.row, caught.value.feature) == (1, "batch")


def test_a_value_beyond_float32_is_refused_by_name(classifier: Classifier) -> None:
    """The largest value of a dropped column is not the culprit."""
    with pytest.raises(BadRow, match=r"row 0: width is too large for the classifier \(-1e\+60\)"):
        classifier.probabilities(row(5.0, -1e60, 1e70))


def test_an_overflowing_product_is_blamed_on_its_largest_scaled_factor(tmp_path: Path) -> None:
    """A large value of a large-valued column is ordinary; a small one may be far out."""
    table = small_table()
    table["width"] = table["width"] * 1e15
    identity = small_identity(
        pipeline={
            "polynomialDegree": 3,
            "classifier": {"parameters": [{"name": "n_estimators", "values": ["3"]}]},
        }
    )
    trained = Classifier.load(train(run_request(table, tmp_path, identity=identity)))

    with pytest.raises(BadRow, match="length is too large") as caught:
        trained.probabilities(row(1e14, 2e15, 7.0))
    assert caught.value.feature == "length"


def test_a_binary_label_is_positive_exactly_above_the_threshold(classifier: Classifier) -> None:
    """A tie is negative; the default positive class is the last in sorted order."""
    probabilities = np.array([[0.5, 0.5], [0.49, 0.51], [0.51, 0.49]])

    assert classifier.manifest.positive_class == "malignant"
    assert classifier.labels(probabilities).tolist() == [0, 1, 0]


def test_the_threshold_is_for_the_named_class(tmp_path: Path) -> None:
    """With the first class named, its own probability decides."""
    identity = small_identity(
        dataset={"uri": "s3://a-b/c.csv", "target": "label", "positiveClass": "benign"},
        pipeline={
            "threshold": 0.3,
            "classifier": {"parameters": [{"name": "n_estimators", "values": ["3"]}]},
        },
    )
    trained = Classifier.load(train(run_request(small_table(), tmp_path, identity=identity)))

    assert trained.labels(np.array([[0.3, 0.7], [0.31, 0.69]])).tolist() == [1, 0]


def test_beyond_two_classes_the_first_of_equals_wins(tmp_path: Path) -> None:
    """As scikit-learn's argmax does."""
    trained = Classifier.load(train(run_request(small_table(classes=3), tmp_path)))

    assert trained.labels(np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])).tolist() == [0, 1]


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x80\x04\x95" + b"\0" * 64])
def test_bytes_that_are_no_graph_are_refused(classifier: Classifier, content: bytes) -> None:
    """The error names the file."""
    with pytest.raises(BundleError, match=SERVING_NAME):
        Classifier.from_graph(content, classifier.manifest)


class Payload:
    """An object whose unpickling would create a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Tell pickle to run a command."""
        return os.system, (f"touch {self.file}",)


def test_a_pickle_in_place_of_the_graph_is_not_run(classifier: Classifier, tmp_path: Path) -> None:
    """The serving file is data; nothing of it is executed."""
    file = tmp_path / "executed"
    with pytest.raises(BundleError):
        Classifier.from_graph(pickle.dumps(Payload(file)), classifier.manifest)

    assert not file.exists()


def test_a_graph_that_asks_for_code_of_its_own_is_refused(
    classifier: Classifier, graph: bytes
) -> None:
    """No operator but the standard ones is known, and none can be brought along."""
    model = onnx.load_from_string(graph)
    model.graph.node[0].domain = "custom.code"
    model.opset_import.append(helper.make_opsetid("custom.code", 1))

    with pytest.raises(BundleError, match="cannot be run"):
        Classifier.from_graph(model.SerializeToString(), classifier.manifest)


def test_a_graph_that_reads_other_files_is_refused(classifier: Classifier, graph: bytes) -> None:
    """An ONNX tensor may name a file; a serving graph never does."""
    model = onnx.load_from_string(graph)
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")

    with pytest.raises(BundleError, match="data outside itself"):
        Classifier.from_graph(model.SerializeToString(), classifier.manifest)


def test_a_graph_for_other_features_is_refused(classifier: Classifier, graph: bytes) -> None:
    """A graph and a manifest that do not belong together never meet a request."""
    features = classifier.manifest.features[:2]
    manifest = classifier.manifest.model_copy(update={"features": features})

    with pytest.raises(BundleError, match="differ from the manifest"):
        Classifier.from_graph(graph, manifest)


def test_a_feature_may_be_called_like_anything(tmp_path: Path) -> None:
    """Names never reach the graph, so none can look like a reference to a file."""
    table = small_table().rename(columns={"length": "location", "width": "rows"})
    trained = Classifier.load(train(run_request(table, tmp_path)))

    assert trained.features == ("location", "rows", "batch")


def test_serving_needs_neither_scikit_learn_nor_an_s3_client(tmp_path: Path) -> None:
    """A bundle in a folder is verified and answers with numpy and onnxruntime alone."""
    bundle = train(run_request(small_table(), tmp_path))
    program = (
        "import sys, numpy\n"
        "from taxon_bundle.bundle import open_bundle, verify\n"
        "from taxon_bundle.classifier import Classifier, check_golden\n"
        f"bundle = open_bundle({bundle.uri!r}, {bundle.digest!r})\n"
        "verify(bundle)\n"
        "check_golden(Classifier.load(bundle), bundle.read('golden.json'))\n"
        "print(sorted({'boto3', 'botocore', 'joblib', 'onnx', 'pandas', 'pickle5', 'sklearn'}"
        " & set(sys.modules)))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("asked", ["0", "-1", "many", ""])
def test_a_graph_that_asks_for_a_senseless_number_of_rows_is_refused(
    classifier: Classifier, graph: bytes, asked: str
) -> None:
    """Its metadata is checked like its shapes."""
    model = onnx.load_from_string(graph)
    helper.set_model_props(model, {GRAPH_ROWS_AT_ONCE: asked})

    with pytest.raises(BundleError, match="rows at a time"):
        Classifier.from_graph(model.SerializeToString(), classifier.manifest)

"""An independent client of the protocol against a real server."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from model_server.serving import serving
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from taxon_bundle.bundle import Bundle
from taxon_bundle.classifier import Classifier

VERSION = "v0123456789"
ROWS = np.array([[0.1, 0.2, 7.0], [1.1, 2.2, 7.0]])


@pytest.fixture(scope="module")
def triton(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield a client of a running server."""
    with serving(bundle, tmp_path_factory.mktemp("server")) as server:
        client = InferenceServerClient(server.address)
        yield client
        client.close()


def sent(values: Any, name: str = "input", datatype: str = "FP64", *, binary: bool = True) -> Any:
    """Return an input tensor of the client."""
    tensor = InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def test_it_lists(triton: Any) -> None:
    """The client lists the one model as ready."""
    assert triton.get_model_repository_index() == [
        {"name": "small", "version": VERSION, "state": "READY", "reason": ""}
    ]


def test_it_checks(triton: Any) -> None:
    """The client finds server and model alive and ready, with and without the version."""
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("small")
    assert triton.is_model_ready("small", VERSION)
    assert not triton.is_model_ready("other")
    assert not triton.is_model_ready("small", "v9999999999")


def test_it_reads_metadata(triton: Any) -> None:
    """The client reads what server and model say of themselves."""
    assert triton.get_server_metadata()["name"] == "taxon"
    described = triton.get_model_metadata("small", VERSION)

    assert described["versions"] == [VERSION]
    assert [tensor["name"] for tensor in described["outputs"]] == ["label", "probabilities"]


@pytest.mark.parametrize("outputs_binary", [True, False])
@pytest.mark.parametrize("input_binary", [True, False])
def test_it_infers(
    triton: Any, bundle: Bundle, *, input_binary: bool, outputs_binary: bool
) -> None:
    """JSON and binary tensors, both ways, give the classifier's answers bit for bit."""
    answer = triton.infer(
        "small",
        [sent(ROWS, binary=input_binary)],
        model_version=VERSION,
        request_id="q1",
        outputs=[
            InferRequestedOutput(name, binary_data=outputs_binary)
            for name in ("label", "probabilities")
        ],
    )
    expected = Classifier.load(bundle).probabilities(ROWS)

    assert np.array_equal(answer.as_numpy("probabilities"), expected)
    assert [str(label, "utf-8") if isinstance(label, bytes) else label
            for label in answer.as_numpy("label")] == ["benign", "malignant"]  # fmt: skip
    assert answer.get_response()["id"] == "q1"


def test_it_infers_by_feature(triton: Any, bundle: Bundle) -> None:
    """One tensor per feature, of different datatypes, is one row set; outputs come binary."""
    answer = triton.infer(
        "small",
        [
            sent(np.array([7, 7], np.int64), "batch", "INT64"),
            sent(ROWS[:, 1].copy(), "width"),
            sent(np.array([0.5, 1.5], np.float32), "length", "FP32"),
        ],
    )
    rows = np.column_stack([[0.5, 1.5], ROWS[:, 1], [7.0, 7.0]])

    assert np.array_equal(
        answer.as_numpy("probabilities"), Classifier.load(bundle).probabilities(rows)
    )


def test_a_compressed_answer_may_be_asked_for(triton: Any) -> None:
    """A client that would take a compressed answer gets a plain one it can read."""
    answer = triton.infer("small", [sent(ROWS)], response_compression_algorithm="gzip")

    assert answer.as_numpy("probabilities").shape == (2, 2)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_it_may_compress_its_requests(triton: Any, algorithm: str) -> None:
    """A compressed request is answered as the plain one is."""
    plain = triton.infer("small", [sent(ROWS)])
    answer = triton.infer("small", [sent(ROWS)], request_compression_algorithm=algorithm)

    assert np.array_equal(answer.as_numpy("probabilities"), plain.as_numpy("probabilities"))


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (ROWS[:, :2].copy(), "shape [2, 2] is not [rows, 3]"),
        (ROWS * np.nan, "row 0: length is missing, and the model takes no missing value there"),
    ],
)
def test_it_reports_what_is_wrong(triton: Any, tensor: Any, said: str) -> None:
    """The client raises the server's own sentence."""
    with pytest.raises(InferenceServerException) as caught:
        triton.infer("small", [sent(tensor)])

    assert said in caught.value.message()

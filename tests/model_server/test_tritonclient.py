"""An independent client of the protocol against a real server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_server.serving import serving
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from taxon_bundle.bundle import Bundle
from taxon_bundle.classifier import Classifier

VERSION = "v0123456789"
PAGE = Path(__file__).parents[2] / "docs" / "server-api.md"
ROWS = np.array([[0.1, 0.2, 7.0], [1.1, 2.2, 7.0]])


@pytest.fixture(scope="module")
def triton(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield a client of a running server."""
    with serving(bundle, tmp_path_factory.mktemp("server")) as server:
        client = InferenceServerClient(server.address)
        yield client
        client.close()


@pytest.fixture(scope="module")
def mixed_address(mixed: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a running server of the mixed model."""
    with serving(mixed, tmp_path_factory.mktemp("mixed")) as server:
        yield server.address


@pytest.fixture(scope="module")
def mixed_triton(mixed_address: str) -> Iterator[Any]:
    """Yield a client of a running server of the mixed model."""
    client = InferenceServerClient(mixed_address)
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


@pytest.mark.parametrize("binary", [True, False])
def test_it_infers_mixed_rows(mixed_triton: Any, mixed: Bundle, *, binary: bool) -> None:
    """Arrays of text, bytes and booleans, an empty text and NaN as missing values."""
    columns = {
        "age": ("FP64", np.array([20.5, np.nan, 3.0])),
        "fare": ("INT16", np.array([7, 8, 9], np.int16)),
        "member": ("BOOL", np.array([True, False, True])),
        "port": ("BYTES", np.array(["Åbo", "", "Narvik"], np.object_)),
        "deck": ("BYTES", np.array([b"A", b"A", b"B"], np.object_)),
    }
    if not binary:  # the client writes NaN as no JSON allows
        columns["age"] = ("FP64", np.array([20.5, 4.0, 3.0]))
    answer = mixed_triton.infer(
        "small",
        [sent(array, name, kind, binary=binary) for name, (kind, array) in columns.items()],
    )
    ages = columns["age"][1]
    rows = np.array([[2.0], [np.nan], [-1.0]])
    rows = np.column_stack([ages, [7.0, 8, 9], [1.0, 0, 1], rows, [0.0, 0, -1]])

    assert np.array_equal(
        answer.as_numpy("probabilities"), Classifier.load(mixed).probabilities(rows)
    )
    assert "row 2: port 'Narvik'" in answer.get_response()["parameters"]["warnings"]


def test_the_pages_example_is_answered(mixed_address: str) -> None:
    """The program the page about the API shows runs as it stands."""
    [program] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(program.replace("localhost:8000", mixed_address), names)  # noqa: S102 - our own page

    assert names["answer"].as_numpy("label").tolist() == [b"yes", b"yes"]


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

import json
import struct
from typing import Any

import numpy as np
import pytest

from taxon_bundle.codec import Codec
from taxon_contracts.manifest import SignatureFeature
from taxon_model_server.errors import InvalidInput, TooLarge
from taxon_model_server.protocol.datatypes import NUMPY_TYPES
from taxon_model_server.protocol.request import Inference, read_request
from taxon_model_server.protocol.response import write_response

CODEC = Codec((SignatureFeature(name="length"), SignatureFeature(name="width")))
ROWS = [[1.5, -2.0], [3.0, 4.25]]


def tensor(name: str = "input", **changes: Any) -> dict[str, Any]:
    """Return a tensor of two rows."""
    return {"name": name, "shape": [2, 2], "datatype": "FP64", "data": ROWS} | changes


def read(*tensors: dict[str, Any], binary: bytes = b"", **changes: Any) -> Inference:
    """Return these tensors as the server reads them."""
    head = json.dumps({"inputs": tensors} | changes).encode()
    return read_request(head + binary, len(head) if binary else None, CODEC, max_rows=10)


def integers(kind: str) -> dict[str, Any]:
    """Return a tensor of small integers of a datatype."""
    return tensor(datatype=kind, data=[1, 2, 3, 4])


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        pytest.param([tensor()], ROWS, id="nested rows"),
        pytest.param([tensor(data=[1.5, -2.0, 3.0, 4.25])], ROWS, id="flat, row by row"),
        pytest.param([tensor(data=[[1, 2], [3, 4]])], [[1, 2], [3, 4]], id="integers as FP64"),
        pytest.param([tensor(datatype="FP32")], ROWS, id="FP32"),
        pytest.param(
            [tensor(datatype="FP32", data=[0.1] * 4)],
            [[float(np.float32(0.1))] * 2] * 2,
            id="FP32 is rounded before it is widened",
        ),
        pytest.param(
            [tensor(data=[2**53, -(2**53), 0, 1])], [[2**53, -(2**53)], [0, 1]], id="2^53"
        ),
        pytest.param(
            [
                tensor("width", shape=[2], data=[-2.0, 4.25]),
                tensor("length", shape=[2], data=[1.5, 3.0]),
            ],
            ROWS,
            id="one tensor per feature, in any order",
        ),
        pytest.param(
            [
                tensor("length", shape=[2, 1], data=[[1.5], [3.0]]),
                tensor("width", shape=[2], datatype="INT8", data=[-2, 4]),
            ],
            [[1.5, -2], [3.0, 4]],
            id="columns as [rows, 1], datatypes mixed",
        ),
        *[
            pytest.param([integers(kind)], [[1, 2], [3, 4]], id=kind)
            for kind in NUMPY_TYPES
            if "INT" in kind
        ],
    ],
)
def test_rows_are_read(tensors: list[dict[str, Any]], expected: list[list[float]]) -> None:
    """Every way of sending rows gives the same float64 rows in the features' order."""
    rows = read(*tensors).encoded.rows

    assert rows.dtype == np.float64
    assert rows.flags.c_contiguous
    assert rows.tolist() == expected


@pytest.mark.parametrize("kind", NUMPY_TYPES)
def test_binary_tensors_are_read(kind: str) -> None:
    """Little-endian bytes of every datatype are read as the numbers they are."""
    content = np.array([1, 2, 3, 4], NUMPY_TYPES[kind]).tobytes()
    asked = tensor(datatype=kind, data=None, parameters={"binary_data_size": len(content)})

    assert read(asked, binary=content).encoded.rows.tolist() == [[1, 2], [3, 4]]


def test_binary_and_json_tensors_mix() -> None:
    """Binary tensors follow each other in the order of the inputs, beside those in JSON."""
    first = tensor("length", shape=[2], data=None, parameters={"binary_data_size": 8})
    first["datatype"] = "INT32"
    second = tensor("width", shape=[2], data=[0.5, 1.5])

    assert read(first, second, binary=struct.pack("<ii", 7, 8)).encoded.rows.tolist() == [
        [7, 0.5],
        [8, 1.5],
    ]


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ([tensor(), tensor()], "input 'input' appears twice"),
        ([tensor(datatype="BYTES")], "input 'input' is BYTES: send FP64, FP32"),
        ([tensor(datatype="BOOL")], "input 'input' is BOOL"),
        ([tensor(datatype="FLOAT")], "inputs.0.datatype"),
        ([tensor(data=None)], "input 'input' has no data"),
        ([tensor(data=[[1, 2], 3])], "has nested data that does not fit its shape"),
        ([tensor(data=[[1], [2, 3, 4]])], "has nested data that does not fit its shape"),
        ([tensor(shape=[4], data=[[1, 2], [3, 4]])], "has nested data that does not fit"),
        ([tensor(data=[[[1], [2]], [[3], [4]]])], "value 0: [1] is not a number of type FP64"),
        ([tensor(data=[1, 2, 3, "4"])], "value 3: '4' is not a number of type FP64"),
        ([tensor(data=[1, True, 3, 4])], "value 1: True is not a number of type FP64"),
        (
            [tensor(datatype="INT8", data=[1, 2, 3, 4.0])],
            "value 3: 4.0 is not a number of type INT8",
        ),
        ([tensor(datatype="INT8", data=[1, 2, 3, 300])], "contains a number beyond INT8"),
        ([tensor(datatype="UINT8", data=[1, 2, 3, -1])], "contains a number beyond UINT8"),
        ([tensor(data=[1, 2, 3, 10**400])], "contains a number beyond FP64"),
        (
            [tensor(datatype="INT64", data=[1, 2, 3, 2**53 + 1])],
            "an integer beyond 2^53: send FP64",
        ),
        ([tensor(datatype="INT64", data=[1, 2, 3, -(2**63)])], "an integer beyond 2^53: send FP64"),
        ([tensor(datatype="UINT64", data=[1, 2, 3, 2**64 - 1])], "an integer beyond 2^53"),
        ([tensor(shape=[2, 3])], "has nested data that does not fit its shape"),
        ([tensor(shape=[2, 3], data=[1, 2])], "shape [2, 3] does not hold 2 values"),
        ([tensor(shape=[-2, -1], data=[1, 2])], "shape [-2, -1] does not hold 2 values"),
        ([tensor(shape=[], data=[1])], "shape [] does not hold 1 values"),
        ([tensor(shape=[1, 2, 1], data=[1, 2])], "shape [1, 2, 1] does not hold 2 values"),
        ([tensor(shape=[10**9] * 10**4, data=[1])], "does not hold 1 values"),
        ([tensor(shape=[4], data=[1, 2, 3, 4])], "input 'input': shape [4] is not [rows, 2]"),
        ([tensor(shape=[1, 3], data=[1, 2, 3])], "shape [1, 3] is not [rows, 2]"),
        ([tensor(shape=[0, 2], data=[])], "input 'input' has no values"),
        (
            [tensor("height", shape=[4], data=[1, 2, 3, 4])],
            "input 'height': shape [4] is not [rows, 2]",
        ),
        (
            [tensor("length", shape=[1], data=[1]), tensor("height", shape=[1], data=[1])],
            "input 'height' is not a feature of the model: send one tensor [rows, 2], or",
        ),
        ([tensor(shape=[0, 10**30], data=[])], "input 'input' has no values"),
        ([tensor(shape=[10**30, 0], data=[])], "input 'input' has no values"),
        ([tensor("width", shape=[1], data=[1])], "input 'length' is missing"),
        (
            [tensor("length", shape=[1], data=[1]), tensor("width", shape=[2], data=[1, 2])],
            "input 'width': shape [2] is not [rows] with as many rows",
        ),
        ([tensor("length"), tensor("width")], "input 'length': shape [2, 2] is not [rows]"),
        ([], "inputs: Tuple should have at least 1 item"),
    ],
)
def test_tensors_that_are_not_rows_are_refused(tensors: list[dict[str, Any]], said: str) -> None:
    """Tensors that are not rows of the features are refused with the tensor and the reason."""
    with pytest.raises(InvalidInput) as caught:
        read(*tensors)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": {"binary_data_size": 31}}, "does not hold 31 binary bytes of whole FP64"),
        ({"parameters": {"binary_data_size": 40}}, "does not hold 40 binary bytes"),
        ({"parameters": {"binary_data_size": 24}}, "shape [2, 2] does not hold 3 values"),
        ({"parameters": {"binary_data_size": -8}}, "binary_data_size is not a number of bytes"),
        ({"parameters": {"binary_data_size": "32"}}, "binary_data_size is not a number of bytes"),
        ({"parameters": {"binary_data_size": True}}, "binary_data_size is not a number of bytes"),
        (
            {"parameters": {"binary_data_size": 32}, "data": ROWS},
            "has data and binary_data_size: send one",
        ),
        ({"data": ROWS}, "the inputs claim 0 binary bytes, the body has 32"),
    ],
)
def test_binary_sizes_must_be_right(changes: dict[str, Any], said: str) -> None:
    """Bytes that do not fit what the JSON part says of them are refused."""
    with pytest.raises(InvalidInput) as caught:
        read(tensor(data=None) | changes, binary=np.ravel(ROWS).tobytes())

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outputs": [{"name": "scores"}]}, "output 'scores': request label or probabilities"),
        ({"outputs": [{"name": "label"}] * 2}, "output 'label' is requested twice"),
        ({"parameters": {"deep": {}}}, "parameters.deep: send a string, a finite number"),
        ({"parameters": {"odd": float("nan")}}, "parameters.odd: send a string, a finite number"),
        ({"id": 7}, "id: Input should be a valid string"),
    ],
)
def test_outputs_and_parameters_are_checked(changes: dict[str, Any], said: str) -> None:
    """Unknown or repeated outputs, and parameters an answer could not repeat, are refused."""
    with pytest.raises(InvalidInput) as caught:
        read(tensor(), **changes)

    assert said in str(caught.value)


def test_too_many_rows_are_too_large() -> None:
    """More rows than the limit are refused with both numbers."""
    with pytest.raises(TooLarge, match="has 11 rows: send at most 10"):
        read(tensor(shape=[11, 2], data=[1] * 22))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"label": False, "probabilities": False}),
        ({"outputs": []}, {"label": False, "probabilities": False}),
        (
            {"parameters": {"binary_data_output": True}},
            {"label": True, "probabilities": True},
        ),
        (
            {"outputs": [{"name": "probabilities"}], "parameters": {"binary_data_output": True}},
            {"probabilities": True},
        ),
        (
            {
                "outputs": [{"name": "label", "parameters": {"binary_data": False}}],
                "parameters": {"binary_data_output": True},
            },
            {"label": False},
        ),
    ],
)
def test_each_output_says_how_it_travels(
    changes: dict[str, Any], expected: dict[str, bool]
) -> None:
    """binary_data_output is for all outputs, binary_data for one, which wins."""
    assert read(tensor(), **changes).outputs == expected


def test_a_model_of_one_feature_takes_a_flat_tensor() -> None:
    """With one feature called like the tensor, [rows] and [rows, 1] are the same."""
    single = Codec((SignatureFeature(name="input"),))
    answers = []
    for shape in ([2], [2, 1]):
        asked = {"inputs": [tensor(shape=shape, data=[1.0, 2.0])]}
        body = json.dumps(asked).encode()
        answers.append(read_request(body, None, single, max_rows=10).encoded.rows.tolist())

    assert answers == [[[1.0], [2.0]]] * 2


def test_text_labels_are_prefixed_by_their_bytes() -> None:
    """In the binary extension a label's length counts its bytes, not its characters."""
    head = {"model_name": "small"}
    pieces, length = write_response(head, ["häufig"], np.array([[0.25, 0.75]]), {"label": True})

    assert length is not None
    assert b"".join(pieces)[length:] == struct.pack("<I", 7) + "häufig".encode()

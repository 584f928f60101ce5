"""Tensors of the V2 protocol over numbers, booleans, categories and missing values."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from model_server.client import Client
from model_server.mixed import CODEC, PORTS

from taxon_bundle.bundle import Bundle
from taxon_bundle.classifier import Classifier
from taxon_bundle.codec import Codec, Encoded
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.v2 import ModelMetadata
from taxon_model_server.errors import InvalidInput, TooLarge
from taxon_model_server.protocol import json_arrays, request
from taxon_model_server.protocol.request import read_request

MODEL = "/v2/models/small"
NAN = float("nan")
FLAGS = Codec((SignatureFeature(name="a"), SignatureFeature(name="b", type="Boolean", gaps=True)))


def column(name: str, datatype: str, data: Any, **changes: Any) -> dict[str, Any]:
    """Return a tensor of one feature."""
    return {"name": name, "shape": [2], "datatype": datatype, "data": data} | changes


def binary(name: str, datatype: str, content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return a binary tensor of two rows, and its bytes."""
    parameters = {"binary_data_size": len(content)}
    head = {"name": name, "shape": [2], "datatype": datatype, "parameters": parameters}
    return head, content


def texts(*values: str) -> bytes:
    """Return texts as the binary extension has them."""
    encoded = [value.encode() for value in values]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def everything(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a tensor for each feature, some of them changed."""
    usual = {
        "age": column("age", "FP64", [20.5, None]),
        "fare": column("fare", "INT32", [7, 8]),
        "member": column("member", "BOOL", [True, False]),
        "port": column("port", "BYTES", ["Cherbourg", None]),
        "deck": column("deck", "BYTES", ["A", "A"]),
    }
    return [*(usual | changes).values()]


def read(
    tensors: list[dict[str, Any]], content: bytes = b"", codec: Codec = CODEC, max_rows: int = 10
) -> Encoded:
    """Return tensors as the server reads them, small and, to the same end, large."""
    head = json.dumps({"inputs": tensors}).encode()
    length = len(head) if content else None
    small = read_request(head + content, length, codec, max_rows=max_rows).encoded
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "SMALL_BYTES", 0)
        patch.setattr(json_arrays, "PIECE_BYTES", 4)
        large = read_request(head + content, length, codec, max_rows=max_rows).encoded
    np.testing.assert_array_equal(large.rows, small.rows)
    assert large.unseen == small.unseen
    return small


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (column("age", "FP64", [20.5, None]), [20.5, NAN]),
        (column("age", "INT64", [None, 3]), [NAN, 3]),
        (column("age", "FP32", [None, None]), [NAN, NAN]),
        (column("age", "FP64", [[1], [None]], shape=[2, 1]), [1, NAN]),
        (column("member", "BOOL", [True, False]), [1, 0]),
        (column("member", "BOOL", [1, 0]), [1, 0]),
        (column("member", "BOOL", [[True], [False]], shape=[2, 1]), [1, 0]),
        (column("member", "UINT8", [1, 0]), [1, 0]),
        (column("member", "FP64", [1.0, 0.0]), [1, 0]),
        (column("port", "BYTES", ["Åbo", " Cherbourg "]), [2, 1]),
        (column("port", "BYTES", [["Åbo"], [None]], shape=[2, 1]), [2, NAN]),
        (column("port", "BYTES", ["A\u030abo", "n/a"]), [2, NAN]),
        (column("port", "BYTES", ["", 'Nar,vik"]}\\']), [NAN, -1]),
        (column("port", "INT64", [7, None]), [-1, NAN]),
        (column("port", "FP64", [7.5, 7.5]), [-1, -1]),
    ],
    ids=str,
)
def test_a_feature_is_read(changed: dict[str, Any], expected: list[float]) -> None:
    """Each datatype a feature takes, null among it, flat and nested."""
    encoded = read(everything(**{changed["name"]: changed}))

    np.testing.assert_array_equal(encoded.rows[:, CODEC.places[changed["name"]]], expected)


@pytest.mark.parametrize(
    ("name", "datatype", "content", "expected"),
    [
        ("age", "FP64", struct.pack("<dd", 20.5, NAN), [20.5, NAN]),
        ("age", "FP32", struct.pack("<ff", 20.5, NAN), [20.5, NAN]),
        ("member", "BOOL", b"\1\0", [1, 0]),
        ("member", "INT8", b"\1\0", [1, 0]),
        ("port", "BYTES", texts("Åbo", ""), [2, NAN]),
        ("port", "BYTES", texts("null", "Narvik"), [NAN, -1]),
        ("port", "FP64", struct.pack("<dd", 7, NAN), [-1, NAN]),
    ],
)
def test_a_binary_feature_is_read(
    name: str, datatype: str, content: bytes, expected: list[float]
) -> None:
    """NaN and an empty text are missing values."""
    head, content = binary(name, datatype, content)
    encoded = read(everything(**{name: head}), content)

    np.testing.assert_array_equal(encoded.rows[:, CODEC.places[name]], expected)


def test_unseen_categories_keep_their_texts() -> None:
    """By feature and row, for the log and the warnings."""
    ports = column("port", "BYTES", ["Narvik ", "Cherbourg"])
    decks = column("deck", "INT64", [12, 13])

    assert read(everything(port=ports, deck=decks)).unseen == {
        3: {0: "Narvik"},
        4: {0: "12", 1: "13"},
    }


def test_numbers_are_the_categories_of_the_same_value() -> None:
    """In every numeric datatype."""
    codec = Codec((SignatureFeature(name="c", type="Categorical", categories=("3", "1", "0.5")),))
    sent = column("c", "FP32", [1.0, 3, 0.5, 2], shape=[4])

    assert read([sent], codec=codec).rows.tolist() == [[1], [0], [2], [-1]]


@pytest.mark.parametrize(
    ("changes", "content", "said"),
    [
        ([column("age", "BYTES", ["1", "2"])], b"", "input 'age' is BYTES: send FP64, FP32, INT64"),
        ([column("age", "BOOL", [True, False])], b"", "input 'age' is BOOL: send FP64"),
        ([column("member", "BYTES", ["true", "x"])], b"", "input 'member' is BYTES: send BOOL, FP"),
        ([column("port", "BOOL", [True, False])], b"", "input 'port' is BOOL: send BYTES, FP64"),
        ([column("age", "FP64", [1, "2"])], b"", "value 1: '2' is not a number of type FP64"),
        ([column("fare", "INT8", [1, True])], b"", "value 1: True is not a number of type INT8"),
        ([column("fare", "INT8", [None, 300])], b"", "contains a number beyond INT8"),
        ([column("member", "BOOL", [True, "x"])], b"", "row 1: member is neither true nor false"),
        ([column("member", "FP64", [1, 0.5])], b"", "row 1: member is neither true nor false"),
        ([column("port", "BYTES", ["x", True])], b"", "row 1: port is not text: send a category"),
        ([column("port", "BYTES", ["x", ["y"]])], b"", "port"),
        ([column("port", "BYTES", ["x", "a\0b"])], b"", "row 1: port has a NUL character in it"),
        ([column("port", "BYTES", ["x"])], b"", "input 'port': shape [2] does not hold 1 values"),
        ([column("port", "BYTES", [])], b"", "input 'port': shape [2] does not hold 0 values"),
        (
            [column("port", "BYTES", ["x", "y"], shape=[1, 2])],
            b"",
            "input 'port': shape [1, 2] is not [rows, 5]",
        ),
        (
            [column("port", "FP64", [0] * 10, shape=[2, 5])],
            b"",
            "input 'port': shape [2, 5] is not [rows] with as many rows",
        ),
        (
            [binary("port", "BYTES", texts("x") + b"\3\0")[0]],
            texts("x") + b"\3\0",
            "within value 1",
        ),
        (
            [binary("port", "BYTES", b"\xff\xff\xff\xffx")[0]],
            b"\xff\xff\xff\xffx",
            "input 'port' ends within value 0: send each text as its length in four bytes",
        ),
        (
            [binary("port", "BYTES", b"\1\0\0\0\xff")[0]],
            b"\1\0\0\0\xff",
            "input 'port' has a wrong value 0: it is not UTF-8",
        ),
        (
            [binary("port", "BYTES", texts("x", "a\0"))[0]],
            texts("x", "a\0"),
            "row 1: port has a NUL character in it",
        ),
        (
            [binary("member", "BOOL", b"\1\2")[0]],
            b"\1\2",
            "input 'member' has a wrong value 1: a boolean is one byte, 0 or 1, not 2",
        ),
        ([binary("member", "BOOL", b"\1")[0]], b"\1", "shape [2] does not hold 1 values"),
        (
            [binary("fare", "FP64", b"\1" * 9)[0]],
            b"\1" * 9,
            "input 'fare': the body does not hold 9 binary bytes of whole FP64 values",
        ),
        (
            [column("Port", "FP64", [1, 2])],
            b"",
            "input 'Port' is not a feature of the model: it may be 'port'",
        ),
        (
            [column("zip", "FP64", [1, 2])],
            b"",
            "not a feature of the model: send one tensor [rows] per feature: age FP64, fare FP64",
        ),
        ([column("zip", "BYTES", ["1", "2"])], b"", "input 'zip' is BYTES: send FP64"),
    ],
    ids=str,
)
def test_a_wrong_tensor_is_refused_in_a_sentence(
    changes: list[dict[str, Any]], content: bytes, said: str
) -> None:
    """By the input, and by the row where there is one."""
    tensors = everything(**{tensor["name"]: tensor for tensor in changes})
    with pytest.raises(InvalidInput) as caught:
        read(tensors, content)

    assert said in str(caught.value)


def test_one_matrix_is_refused_where_there_are_categories() -> None:
    """The sentence names what to send."""
    matrix = {"name": "input", "shape": [1, 5], "datatype": "FP64", "data": [0] * 5}
    with pytest.raises(InvalidInput, match=r"send one tensor \[rows\] per feature: age FP64, fare"):
        read([matrix])


def test_one_matrix_may_hold_booleans_and_gaps() -> None:
    """As 0, 1, null and NaN, where there are no categories."""
    matrix = {"name": "input", "shape": [2, 2], "datatype": "FP64", "data": [1.5, 1, None, None]}
    content = struct.pack("<dddd", 1.5, 0, 2, NAN)
    head = {**matrix, "parameters": {"binary_data_size": len(content)}}
    del head["data"]

    np.testing.assert_array_equal(read([matrix], codec=FLAGS).rows, [[1.5, 1], [NAN, NAN]])
    np.testing.assert_array_equal(read([head], content, FLAGS).rows, [[1.5, 0], [2, NAN]])
    with pytest.raises(InvalidInput, match="row 0: b is neither true nor false"):
        read([matrix | {"data": [1, 2, 3, 1]}], codec=FLAGS)


def test_too_many_texts_are_refused_before_they_are_kept() -> None:
    """In JSON and binary, whatever the shape says."""
    ports = ["x"] * 11
    head, content = binary("port", "BYTES", texts(*ports))
    for tensor, body in ((column("port", "BYTES", ports), b""), (head, content)):
        with pytest.raises(TooLarge, match="11 rows: send at most 10"):
            read(everything(port=tensor), body)


def test_more_json_than_data_is_refused() -> None:
    """What is not data stays small."""
    long = column("port", "BYTES", ["x", {"y": "z" * 2**20}])
    with pytest.raises(InvalidInput, match="send at most 1048576, and as data only numbers, texts"):
        read(everything(port=long))


def test_inference_answers_mixed_rows(mixed_client: Client, mixed: Bundle) -> None:
    """Probabilities are the classifier's; warnings name their rows."""
    ports = column("port", "BYTES", ["Narvik", None])
    answer = mixed_client.post(f"{MODEL}/infer", json={"inputs": everything(port=ports)}).json()
    rows = np.array([[20.5, 7, 1, -1, 0], [NAN, 8, 0, NAN, 0]])

    assert answer["outputs"][1]["data"] == (
        Classifier.load(mixed).probabilities(rows).ravel().tolist()
    )
    [warning] = json.loads(answer["parameters"]["warnings"])
    assert warning.startswith("row 0: port 'Narvik' was not in the training rows: it counts as no")


def test_a_gap_where_none_is_allowed_is_named(mixed_client: Client) -> None:
    """By row and feature."""
    fares = column("fare", "INT32", [7, None])
    answer = mixed_client.post(f"{MODEL}/infer", json={"inputs": everything(fare=fares)})

    assert (answer.status_code, answer.json()) == (
        400,
        {"error": "row 1: fare is missing, and the model takes no missing value there"},
    )


def test_metadata_lists_one_tensor_per_feature(mixed_client: Client) -> None:
    """With its datatype, and which accept a missing value."""
    answer = ModelMetadata.model_validate(mixed_client.get(MODEL).json())

    assert [(one.name, one.datatype, one.shape) for one in answer.inputs] == [
        ("age", "FP64", (-1,)),
        ("fare", "FP64", (-1,)),
        ("member", "BOOL", (-1,)),
        ("port", "BYTES", (-1,)),
        ("deck", "BYTES", (-1,)),
    ]
    assert answer.parameters is not None
    assert json.loads(answer.parameters["features"]) == [*CODEC.names]
    assert json.loads(answer.parameters["gaps"]) == ["age", "port"]


def test_a_large_request_means_what_a_small_one_does(mixed_client: Client) -> None:
    """Tensors that are read in pieces hold the same rows."""
    count = 20_000
    ports = [PORTS[place % 3] if place % 5 else f'new ],"{place}' for place in range(count)]
    tensors = [
        column("age", "FP64", [None, 2.5] * (count // 2)),
        column("fare", "FP64", [1.5] * count),
        column("member", "BOOL", [True, False] * (count // 2)),
        column("port", "BYTES", ports),
        column("deck", "BYTES", [["A"]] * count, shape=[count, 1]),
    ]
    whole = [tensor | {"shape": [count, *tensor["shape"][1:]]} for tensor in tensors]
    part = [
        tensor | {"shape": [5, *tensor["shape"][1:]], "data": tensor["data"][-5:]}
        for tensor in tensors
    ]
    large, small = (
        mixed_client.post(f"{MODEL}/infer", json={"inputs": inputs}).json()
        for inputs in (whole, part)
    )

    assert large["outputs"][1]["data"][-10:] == small["outputs"][1]["data"]
    assert len(json.loads(large["parameters"]["warnings"])) == 20

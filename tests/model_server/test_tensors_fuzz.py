"""Whatever bytes come, the tensor reader gives rows or a refusal, and loses no bit of a number."""

import contextlib
import json
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from taxon_bundle.codec import Codec
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.v2 import Datatype
from taxon_model_server.errors import RequestError
from taxon_model_server.protocol import json_arrays, request
from taxon_model_server.protocol.datatypes import NUMPY_TYPES, OF_FEATURES
from taxon_model_server.protocol.request import read_request

FEATURES = ("length", "width")
NUMBERS = Codec(tuple(SignatureFeature(name=name) for name in FEATURES))
MIXED = Codec(
    (
        SignatureFeature(name="length", type="Categorical", gaps=True, categories=("a", "1", ",")),
        SignatureFeature(name="width", type="Boolean"),
    )
)
MAX_ROWS = 50
EXAMPLES = settings(max_examples=150, deadline=None)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([2**53, 2**63, 2**64, -(2**63), 10**400, 1e308])
)  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=6), max_leaves=20)
always: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["input", *FEATURES]) | st.text(max_size=5),
    "shape": st.lists(
        st.integers(-1, 4) | st.integers() | st.sampled_from([0, 2**31, 2**62, 2**63, 10**30]),
        max_size=4,
    ),
    "datatype": st.sampled_from(get_args(Datatype)),
}
tensors = st.fixed_dictionaries(
    always,
    optional={
        "data": st.just([]) | st.lists(values, max_size=8) | values,
        "parameters": st.fixed_dictionaries(
            {}, optional={"binary_data_size": st.integers(-1, 40) | values}
        ),
    },
)
requests = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, max_size=3)},
    optional={
        "id": values,
        "parameters": st.dictionaries(st.text(max_size=5), values, max_size=2),
        "outputs": st.lists(st.fixed_dictionaries({"name": st.text(max_size=5)}), max_size=2),
    },
)
finite = st.floats(allow_nan=False, allow_infinity=False)
tables = arrays(
    np.float64,
    array_shapes(min_dims=1, max_dims=1, max_side=8).map(lambda shape: (*shape, len(FEATURES))),
    elements=finite,
)


def read(
    body: bytes, header_length: int | None, codec: Codec = NUMBERS
) -> tuple[bytes, object] | None:
    """Return the rows of a body, None when it is refused; anything else is a failure."""
    with contextlib.suppress(RequestError):
        encoded = read_request(body, header_length, codec, max_rows=MAX_ROWS).encoded
        rows = encoded.rows
        assert rows.dtype == np.float64
        assert rows.shape[1] == len(FEATURES)
        assert 0 < len(rows) <= MAX_ROWS
        return rows.tobytes(), {place: dict(texts) for place, texts in encoded.unseen.items()}
    return None


def check(body: bytes, header_length: int | None, codec: Codec = NUMBERS) -> None:
    """Read a body as one of its size is read, and as a large one is: to the same end."""
    rows = read(body, header_length, codec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "SMALL_BYTES", 0)
        patch.setattr(json_arrays, "PIECE_BYTES", 4)

        assert read(body, header_length, codec) == rows


@EXAMPLES
@given(st.binary(max_size=200), st.none() | st.integers(-5, 250))
def test_any_bytes_are_rows_or_refused(body: bytes, header_length: int | None) -> None:
    """Bytes without any structure never break the reader."""
    check(body, header_length)


@EXAMPLES
@given(requests, st.binary(max_size=64))
def test_any_question_is_rows_or_refused(question: dict[str, Any], binary: bytes) -> None:
    """Questions of the right outline with anything inside never break the reader."""
    head = json.dumps(question).encode()
    check(head + binary, len(head))
    check(head + binary, len(head), MIXED)


@EXAMPLES
@given(
    st.lists(st.none() | st.integers(0, 2) | st.text(max_size=6), min_size=1, max_size=9),
    st.sampled_from([(",", ":"), (", ", ": ")]),
    st.sampled_from(["flat", "nested"]),
)
def test_texts_are_rows_or_refused(values: list[Any], separators: Any, form: str) -> None:
    """Brackets, quotes and escapes in texts, flat and nested, small and large."""
    size = len(values)
    data = [[value] for value in values] if form == "nested" else values
    inputs = [
        {"name": "length", "shape": [size, 1], "datatype": "BYTES", "data": data},
        {"name": "width", "shape": [size], "datatype": "BOOL", "data": [True] * size},
    ]
    check(json.dumps({"inputs": inputs}, separators=separators).encode(), None, MIXED)


@EXAMPLES
@given(scalars, scalars, st.sampled_from([NUMBERS, MIXED]))
def test_one_row_is_read_as_many_are(length: Any, width: Any, codec: Codec) -> None:
    """A row of one tensor per feature in the usual form, which is read in a way of its own."""
    inputs = [
        {
            "name": feature.name,
            "shape": [1],
            "datatype": OF_FEATURES[feature.type],
            "data": [value],
        }
        for feature, value in zip(codec.features, (length, width), strict=True)
    ]
    check(json.dumps({"inputs": inputs}).encode(), None, codec)


@EXAMPLES
@given(st.binary(max_size=40), st.binary(max_size=5))
def test_binary_texts_are_rows_or_refused(texts: bytes, booleans: bytes) -> None:
    """Any bytes for texts and booleans."""
    inputs = [
        {
            "name": name,
            "shape": [len(booleans)],
            "datatype": datatype,
            "parameters": {"binary_data_size": len(content)},
        }
        for name, datatype, content in (("length", "BYTES", texts), ("width", "BOOL", booleans))
    ]
    head = json.dumps({"inputs": inputs}).encode()
    check(head + texts + booleans, len(head), MIXED)


@EXAMPLES
@given(tables)
def test_json_loses_no_bit(table: NDArray[np.float64]) -> None:
    """Float64 rows come through JSON bit for bit, minus zero and subnormals included."""
    sent = {"name": "input", "shape": table.shape, "datatype": "FP64", "data": table.tolist()}
    body = json.dumps({"inputs": [sent]}).encode()
    check(body, None)

    assert read(body, None) == (table.tobytes(), {})


@EXAMPLES
@given(tables, st.sampled_from(["FP64", "FP32"]))
def test_bytes_lose_no_bit(table: NDArray[np.float64], datatype: str) -> None:
    """Rows come through the binary extension bit for bit."""
    with np.errstate(over="ignore"):
        content = table.astype(NUMPY_TYPES[datatype])
    sent = {
        "name": "input",
        "shape": table.shape,
        "datatype": datatype,
        "parameters": {"binary_data_size": content.nbytes},
    }
    head = json.dumps({"inputs": [sent]}).encode()
    rows = read_request(
        head + content.tobytes(), len(head), NUMBERS, max_rows=MAX_ROWS
    ).encoded.rows

    assert rows.astype(content.dtype).tobytes() == content.tobytes()

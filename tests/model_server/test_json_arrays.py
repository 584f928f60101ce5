"""Arrays are read a piece at a time and mean what they mean in one piece."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from taxon_model_server.protocol import json_arrays
from taxon_model_server.protocol.datatypes import InvalidArray
from taxon_model_server.protocol.json_arrays import MARK, Span, cut_data, read_numbers

EXAMPLES = settings(max_examples=300, deadline=None)
KEYS = st.sampled_from(["data", 'a"data', "data\\", '"data":[1,2]', "name", "}"]) | st.text(
    max_size=4
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | KEYS
    | st.lists(st.none() | st.integers() | st.floats(allow_nan=False) | KEYS, max_size=5)
)  # fmt: skip
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)
NUMBERS = st.lists(
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53), max_size=60
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", " :\r\n")])


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces of a few values each."""
    monkeypatch.setattr(json_arrays, "PIECE_BYTES", 16)


def read(content: bytes, row_length: int | None) -> NDArray[np.float64]:
    """Return the numbers of an array that is all of a text."""
    span = Span(content, 0, len(content))
    return read_numbers(span, span.count(), "FP64", row_length)


def restored(document: Any, arrays: dict[str, Span]) -> Any:
    """Return a document with the arrays its marks stand for."""
    if isinstance(document, list) and len(document) == 1 and isinstance(document[0], str):
        span = arrays.get(document[0])
        if span:
            return json.loads(span.content[span.start : span.stop])
    if isinstance(document, list):
        return [restored(item, arrays) for item in document]
    if isinstance(document, dict):
        return {key: restored(value, arrays) for key, value in document.items()}
    return document


@EXAMPLES
@given(DOCUMENTS, SEPARATORS)
def test_what_is_cut_out_is_all_that_is_missing(document: Any, separators: Any) -> None:
    """The shortened JSON and the arrays together are the document, wherever the key appears."""
    head, arrays = cut_data(json.dumps(document, separators=separators).encode())

    assert restored(json.loads(head), arrays) == document


def test_arrays_of_numbers_leave_the_json() -> None:
    """Flat and nested arrays are cut out, with texts in them too; one with an object stays."""
    head, arrays = cut_data(
        b'[{"data": [1, 2]}, {"data":[[1],[2]]}, {"data":[1,"a]"]}, {"data": [["}\\""], [null]]},'
        b' {"data": ["a", {}]}]'
    )

    assert json.loads(head) == [
        {"data": [f"{MARK}0"]},
        {"data": [f"{MARK}1"]},
        {"data": [f"{MARK}2"]},
        {"data": [f"{MARK}3"]},
        {"data": ["a", {}]},
    ]
    assert [span.count() for span in arrays.values() if not span.has_texts] == [2, 2]


@EXAMPLES
@given(NUMBERS, SEPARATORS, st.integers(1, 4), st.sampled_from(["flat", "nested"]))
def test_numbers_are_the_ones_json_reads(
    numbers: list[float], separators: Any, width: int, form: str
) -> None:
    """Bit for bit, in pieces of any size, flat and nested, the numbers are Python's own."""
    numbers = numbers[: len(numbers) // width * width]
    rows = [numbers[at : at + width] for at in range(0, len(numbers), width)]
    content = json.dumps(rows if form == "nested" else numbers, separators=separators).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_arrays, "PIECE_BYTES", 16)
        values = read(content, width)

    assert values.tobytes() == np.array(json.loads(json.dumps(numbers)), np.float64).tobytes()


@pytest.mark.parametrize(
    "content",
    [
        b"[1,,2]",
        b"[1,2,]",
        b"[,1]",
        b"[1 2]",
        b"[01]",
        b"[1,2]]",
        b"[[1,2],[3,4],]",
        b"[[1,2] [3,4]]",
        b"[[1,2],[3,4]",
        b"[[[1,2]],[[3,4]]]",
        b"[1111111111111111, 2222222222222222,]",
        b"[1111111111111111, 2222222222222222,,3]",
        b"[[1111111111,2],[3333333333,4],,[1,2]]",
        b"[[1111111111,2],[3333333333,4]x,[1,2]]",
        b"[[1111111111,2],3333333333,[1,2]]",
        b"[" + b"[" * 5000 + b"]" * 5000 + b"]",
        b"[" + b"9" * 5000 + b"]",
        b"[1111111111111111, 1" + b"0" * 5000 + b"]",
    ],
)
@pytest.mark.usefixtures("small_pieces")
def test_what_is_not_an_array_of_numbers_is_refused(content: bytes) -> None:
    """Text that JSON does not allow is refused at every seam between two pieces as well."""
    with pytest.raises(InvalidArray):
        read(content, 2)


@pytest.mark.parametrize("content", [b"[" + b"9" * 2**21 + b"]", b"[[" + b"1," * 2**20 + b"1]]"])
def test_a_text_without_a_place_to_cut_is_refused(content: bytes) -> None:
    """One number or one row of megabytes is refused before it becomes objects."""
    with pytest.raises(InvalidArray, match=r"that is not numbers|does not fit"):
        read(content, 2)


@pytest.mark.usefixtures("small_pieces")
def test_a_wrong_value_is_named_by_its_place() -> None:
    """The place of a wrong value counts from the first piece on."""
    content = json.dumps([1.5] * 20 + [True]).encode()
    with pytest.raises(InvalidArray, match="value 20: True is not a number of type FP64"):
        read(content, None)

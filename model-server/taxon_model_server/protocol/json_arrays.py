"""Arrays out of JSON a piece at a time, so that a large one never becomes a list of objects.

Text is cut only where JSON allows it, and each piece is read by the parser that reads whole
requests: a value means exactly the same in both.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taxon_model_server.protocol.datatypes import InvalidArray, convert
from taxon_model_server.protocol.json_text import Content, outside_text, parse_json

PIECE_BYTES = 64 * 1024
LONGEST_PIECE = 2**20
"""Bytes within which a large array must have a place to cut it."""
DATA_KEY = b'"data"'
BEFORE_ARRAY = re.compile(rb'"data"[ \t\r\n]*:[ \t\r\n]*\[')
COMMA = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
NESTED = re.compile(rb"\[[ \t\r\n]*\[")
EMPTY = re.compile(rb"\[[ \t\r\n]*\]")
ITEM = rb'[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"'
ROW = rb"\[(?:" + ITEM + rb")*+\]"
ARRAY_OF_TEXTS = re.compile(rb"\[(?:" + ITEM + rb"|" + ROW + rb")*+\]", re.DOTALL)
"""An array of texts and numbers, or of rows of them."""
WORDS = (b"true", b"false", b"null")
"""What is not a number in an array without texts and objects, and numpy would take for one."""
MARK = "\ue000array "
"""Begins the text that stands for an array that was cut out."""


@dataclass(frozen=True)
class Span:
    """An array in a larger text, from its first bracket to behind its last."""

    content: Content
    start: int
    stop: int
    has_texts: bool = False

    def count(self) -> int:
        """Return how many values the array holds, if it is one of numbers."""
        if EMPTY.fullmatch(self.content, self.start, self.stop):
            return 0
        return self.content.count(b",", self.start, self.stop) + 1


def cut_data(content: Content) -> tuple[Content, dict[str, Span]]:
    """Return JSON with a mark for every array under the key ``data``, and the arrays by mark.

    Only arrays without any object in them are cut out; those with texts only if they are flat, or a
    list of rows. They are not checked further.
    """
    kept: list[bytes | memoryview] = []
    arrays: dict[str, Span] = {}
    view = memoryview(content)
    behind, key = 0, content.find(DATA_KEY)
    while key >= 0:
        span = _array(content, key)
        if span:
            mark = f"{MARK}{len(arrays)}"
            arrays[mark] = span
            kept += [view[behind : span.start], f'["{mark}"]'.encode()]
            behind = span.stop
        key = content.find(DATA_KEY, span.stop if span else key + 1)
    if not arrays:
        return content, arrays
    return b"".join([*kept, view[behind:]]), arrays


def _array(content: Content, key: int) -> Span | None:
    """Return the array behind a key, None for another value; a quoted quote begins no key."""
    found = BEFORE_ARRAY.match(content, key)
    if found is None or content[key - 1 : key] == b"\\":
        return None
    start, limit = found.end() - 1, len(content)
    for end in (b'"', b"}"):
        place = content.find(end, start, limit)
        limit = place if place >= 0 else limit
    stop = content.rfind(b"]", start, limit) + 1
    if stop and _is_closed(content, start, stop):
        return Span(content, start, stop)
    texts = ARRAY_OF_TEXTS.match(content, start)
    return Span(content, start, texts.end(), has_texts=True) if texts else None


def _is_closed(content: Content, start: int, stop: int) -> bool:
    if content.find(b"[", start + 1, stop) < 0 and content.find(b"]", start, stop) == stop - 1:
        return True
    return content.count(b"[", start, stop) == content.count(b"]", start, stop)


def read_numbers(
    span: Span, count: int, datatype: str, row_length: int | None
) -> NDArray[np.float64]:
    """Return an array's values as float64, row by row if it is nested.

    Args:
        span: the array.
        count: the values it holds.
        datatype: what each value must be a number of, if it is not null.
        row_length: values of one row, if the array may be nested.

    Raises:
        InvalidArray: it is not JSON, or a value is not such a number.
    """
    values = np.empty(count)
    done = 0
    for text, items in _pieces(span):
        flat = flattened(items, row_length)
        known = not any(word in text for word in WORDS)
        values[done : done + len(flat)] = convert(flat, datatype, first=done, known=known)
        done += len(flat)
    return values[:done]


def read_values(span: Span, row_length: int | None) -> Iterator[list[Any]]:
    """Return an array's values, whatever they are, some at a time.

    Raises:
        InvalidArray: it is not JSON.
    """
    for _, items in _pieces(span):
        yield flattened(items, row_length)


def _pieces(span: Span) -> Iterator[tuple[bytes | bytearray, list[Any]]]:
    """Return an array's text and its items, some at a time.

    Raises:
        InvalidArray: it is not JSON, or cannot be cut.
    """
    content, at, stop = span.content, span.start + 1, span.stop - 1
    nested = NESTED.match(content, span.start) is not None
    done = 0
    while at < stop or not done:
        end = _piece_end(span, at, nested=nested)
        text = b"[" + content[at:end] + b"]"
        try:
            items: list[Any] = parse_json(text)
        except ValueError as error:
            raise InvalidArray(f"has data that is not JSON behind item {done}: {error}") from error
        if nested and items and not isinstance(items[0], list):
            raise InvalidArray("has nested data that does not fit its shape")
        yield text, items
        done += max(len(items), 1)
        at = end
        if at < stop:
            comma = COMMA.match(content, at, stop)
            if comma is None or comma.end() == stop:
                raise InvalidArray(f"has data that is not JSON behind item {done}")
            at = comma.end()


def _piece_end(span: Span, at: int, *, nested: bool) -> int:
    """Return where a piece that begins at a place ends."""
    mark = b"]" if nested else b","
    stop = span.stop - 1
    limit = min(stop, at + PIECE_BYTES + LONGEST_PIECE)
    if span.has_texts:
        end = outside_text(span.content, mark, at, at + PIECE_BYTES, limit)
    else:
        found = span.content.find(mark, at + PIECE_BYTES, limit)
        end = None if found < 0 else found
    if end is not None:
        return end + nested
    if limit < stop:
        raise InvalidArray("has data that is not numbers, or a text of more than a mebibyte")
    return stop


def flattened(items: list[Any], row_length: int | None) -> list[Any]:
    """Return items in one list, once nested ones are rows of this length.

    Raises:
        InvalidArray: some are not.
    """
    if not items or not isinstance(items[0], list):
        return items
    if not all(isinstance(row, list) and len(row) == row_length for row in items):
        raise InvalidArray("has nested data that does not fit its shape")
    return list(itertools.chain.from_iterable(items))

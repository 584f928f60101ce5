"""Lists of rows out of JSON some at a time, so that a large one never becomes a list of objects."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from taxon_model_server.protocol.json_text import Content, outside_text, parse_json

PIECE_BYTES = 64 * 1024
LONGEST_ROW = 2**20
"""Bytes of the largest row that is read."""
ROWS = "rows"
MARK = "\ue000rows"
"""Stands for the list of rows in what surrounds it."""
LIST = re.compile(rb"[ \t\r\n]*\[")
MEMBER = re.compile(rb'"rows"[ \t\r\n]*:[ \t\r\n]*\[')
COMMA = re.compile(rb"[ \t\r\n]*,")
END = re.compile(rb"[ \t\r\n]*\]")


class NoRows(Exception):  # noqa: N818 - the caller says what to send instead
    """JSON that is neither a list nor an object with a list as ``rows``."""

    def __init__(self, *, in_object: bool) -> None:
        super().__init__()
        self.in_object = in_object


@dataclass(frozen=True)
class RowList:
    """A list of rows: whether it is the member ``rows`` of an object, and its items in pieces."""

    in_object: bool
    pieces: Iterator[list[Any]]


def read_rows(body: Content) -> RowList:
    """Return the rows of a body.

    Raises:
        NoRows: it holds no list of rows; also raised by the pieces.
        ValueError: it is not JSON; also raised by the pieces.
    """
    if len(body) <= PIECE_BYTES:
        document = parse_json(body)
        in_object = isinstance(document, dict)
        rows = document.get(ROWS) if in_object else document
        if not isinstance(rows, list):
            raise NoRows(in_object=in_object)
        return RowList(in_object, iter([rows]))
    opening = LIST.match(body)
    if opening:
        return RowList(in_object=False, pieces=_pieces(body, opening.end()))
    member = MEMBER.search(body, 0, LONGEST_ROW)
    if member is None:
        raise NoRows(in_object=True)
    return RowList(in_object=True, pieces=_pieces(body, member.end()))


def _pieces(body: Content, start: int) -> Iterator[list[Any]]:
    """Return the items of the list behind ``start``, and check what surrounds it."""
    at, stop = start, None
    while stop is None:
        end = _outside_text(body, b"}", at, at + PIECE_BYTES)
        end = len(body) if end is None else end + 1
        try:
            items = parse_json(b"[" + body[at:end] + b"]")
        except ValueError:
            stop = _outside_text(body, b"]", at, at)
            if stop is None:
                raise
            items = parse_json(b"[" + body[at:stop] + b"]")
            if not items and at > start:
                raise ValueError("a value is missing behind a comma") from None
        yield items
        if stop is None:
            at, stop = _behind_piece(body, end)
    _check_frame(body, start - 1, stop + 1)


def _behind_piece(body: Content, end: int) -> tuple[int, int | None]:
    """Return where the next piece begins, or where the list ends."""
    comma = COMMA.match(body, end)
    if comma:
        return comma.end(), None
    closing = END.match(body, end)
    if closing is None:
        raise ValueError("the list of rows does not end")
    return end, closing.end() - 1


def _outside_text(body: Content, mark: bytes, origin: int, at: int) -> int | None:
    """Return the first place of a mark that is not inside a text; see ``outside_text``."""
    limit = at + LONGEST_ROW
    place = outside_text(body, mark, origin, at, limit)
    if place is None and limit < len(body):
        raise ValueError(f"a row has more than {LONGEST_ROW} bytes")
    return place


def _check_frame(body: Content, start: int, stop: int) -> None:
    """Check that a list is all there is, or the member ``rows`` of the one object."""
    if start + len(body) - stop > LONGEST_ROW:
        raise NoRows(in_object=True)
    frame = parse_json(b"%s%s%s" % (body[:start], f'"{MARK}"'.encode(), body[stop:]))
    if frame != MARK and not (isinstance(frame, dict) and frame.get(ROWS) == MARK):
        raise NoRows(in_object=isinstance(frame, dict))

"""JSON as every transport reads it: fast, and with NaN and Infinity as Python writes them."""

from typing import Any

import orjson
from pydantic_core import from_json

Content = bytes | bytearray


def parse_json(content: Content) -> Any:
    """Return what JSON holds.

    Integers beyond 64 bits come as the nearest float, beyond the floats as integers.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return from_json(content)


def outside_text(content: Content, mark: bytes, origin: int, at: int, limit: int) -> int | None:
    """Return the first place of a mark in some JSON that is not inside a text.

    Args:
        content: the JSON.
        mark: one byte.
        origin: a place outside of any text.
        at: where the search begins.
        limit: where it ends.
    """
    counted, inside = origin, False
    place = content.find(mark, at, limit)
    while place >= 0:
        inside ^= _quotes(content[counted:place]) % 2 == 1
        if not inside:
            return place
        counted = place
        quote = content.find(b'"', place, limit)
        place = content.find(mark, quote, limit) if quote >= 0 else -1
    return None


def _quotes(text: Content) -> int:
    """Return how many quotes begin or end a text."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return text.count(b'"')

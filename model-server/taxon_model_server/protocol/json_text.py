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

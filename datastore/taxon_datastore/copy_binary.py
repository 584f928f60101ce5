"""PostgreSQL's binary COPY format: rows as bytes, built from arrays and taken apart again.

https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". Imports no SQL library: the
server writes this format while it answers.
"""

import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
LENGTH = struct.Struct(">i")
NULL = LENGTH.pack(-1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""From here PostgreSQL counts the microseconds of a timestamp."""
EPOCH_MICROSECONDS = round(EPOCH.timestamp() * 1_000_000)


def field(content: bytes) -> bytes:
    """Return one field: its length and its bytes."""
    return LENGTH.pack(len(content)) + content


def text(value: str | None) -> bytes:
    """Return a text field as PostgreSQL can store it."""
    return NULL if value is None else field(storable(value).encode())


def json_text(value: str | int) -> bytes:
    """Return a jsonb field; in its binary form a version number comes before the text."""
    kept = storable(value) if isinstance(value, str) else value
    return field(b"\x01" + json.dumps(kept).encode())


def boolean(value: bool) -> bytes:  # noqa: FBT001 - it is the field
    """Return a boolean field."""
    return field(b"\x01" if value else b"\x00")


def timestamp(moment: float) -> int:
    """Return what a timestamptz field contains for seconds since 1970."""
    return round(moment * 1_000_000) - EPOCH_MICROSECONDS


def storable(value: str) -> str:
    """Return text PostgreSQL can store: no NUL, no half of a surrogate pair."""
    if value.isascii() and "\0" not in value:
        return value
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def rows_of(payload: bytes) -> Iterator[bytes]:
    """Yield the bytes of each row of some rows, without header and trailer.

    Raises:
        ValueError: they end within a row.
    """
    place = 0
    while place < len(payload):
        start = place
        try:
            (fields,) = struct.unpack_from(">h", payload, place)
            place += 2
            for _ in range(fields):
                (length,) = LENGTH.unpack_from(payload, place)
                place += LENGTH.size + max(length, 0)
        except struct.error as error:
            raise ValueError("the rows are cut off") from error
        if place > len(payload):
            raise ValueError("the rows are cut off")
        yield payload[start:place]

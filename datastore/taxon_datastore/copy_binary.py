"""PostgreSQL's binary COPY format: rows as bytes, built from arrays and taken apart again.

https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". Imports no SQL library: the
server writes this format while it answers.
"""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""From here PostgreSQL counts the microseconds of a timestamp."""


def field(content: bytes) -> bytes:
    """Return one field: its length and its bytes."""
    return struct.pack(">i", len(content)) + content


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
                (length,) = struct.unpack_from(">i", payload, place)
                place += 4 + max(length, 0)
        except struct.error as error:
            raise ValueError("the rows are cut off") from error
        if place > len(payload):
            raise ValueError("the rows are cut off")
        yield payload[start:place]

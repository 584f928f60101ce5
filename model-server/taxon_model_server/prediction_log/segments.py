"""Segments of the spool: rows as a file, and what another release or a damaged disk left there.

A segment is one line of JSON and then the rows, in the bytes the database copies.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from taxon_datastore.rows import Rows, Signature, SignatureColumn

FORMAT = 1
ROWS = ".rows"
EVENTS = ".jsonl"
"""Ending of the segments of releases that wrote one JSON line per prediction."""
DIGITS = 12
ANY_SEGMENT = tuple(f"{'[0-9]' * DIGITS}{ending}" for ending in (ROWS, EVENTS))
LONGEST_HEADER = 2**20


class Unreadable(Exception):  # noqa: N818 - a state of a segment, which the message completes
    """A segment cannot be used, now or later; ``reason`` is why it is dropped."""

    def __init__(self, message: str, reason: str = "unreadable") -> None:
        super().__init__(message)
        self.reason = reason


def write_segment(rows: Rows) -> bytes:
    """Return rows as a segment."""
    header = {
        "format": FORMAT,
        "table": rows.table,
        "columns": rows.columns,
        "rows": rows.count,
        "bytes": len(rows.payload),
        "crc32": zlib.crc32(rows.payload),
        "signatures": [asdict(one) for one in rows.signatures],
    }
    return json.dumps(header).encode() + b"\n" + rows.payload


def read_segment(path: Path) -> Rows:
    """Return the rows of a segment.

    Raises:
        Unreadable: it is damaged, or of a newer release.
        OSError: the disk does not return it.
    """
    with path.open("rb") as file:
        header = _header(file)
        payload = file.read()
    if len(payload) != header["bytes"]:
        raise Unreadable(f"it has {len(payload)} bytes of rows instead of {header['bytes']}")
    if zlib.crc32(payload) != header["crc32"]:
        raise Unreadable("its checksum is wrong")
    try:
        return Rows(
            header["table"],
            tuple(header["columns"]),
            header["rows"],
            payload,
            tuple(map(_signature, header["signatures"])),
        )
    except (KeyError, TypeError) as error:
        raise Unreadable(f"its header is not one: {error!r}") from error


def count_rows(path: Path) -> int:
    """Return how many rows a segment has; 1 if that cannot be read.

    Raises:
        OSError: the disk does not return it.
    """
    with path.open("rb") as file:
        if path.suffix == EVENTS:
            return sum(1 for _ in file)
        try:
            count = _header(file)["rows"]
        except (Unreadable, KeyError):
            return 1
    return count if isinstance(count, int) else 1


def _header(file: BinaryIO) -> dict[str, Any]:
    try:
        header = json.loads(file.readline(LONGEST_HEADER))
        newer = header["format"] > FORMAT
        numbers = (header["bytes"], header["crc32"], header["rows"]) if not newer else ()
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable("it has no header") from error
    if newer:
        raise Unreadable(f"its format is {header['format']}, of a newer release", "newer_format")
    if not all(isinstance(number, int) for number in numbers):
        raise Unreadable("it has no header")
    return dict(header)


def _signature(document: Mapping[str, Any]) -> Signature:
    features: Iterable[Mapping[str, str]] = document["features"]
    return Signature(
        document["namespace"],
        document["model"],
        document["version"],
        tuple(SignatureColumn(one["name"], one["type"]) for one in features),
        document.get("retention_days"),
    )

"""A CSV file as a source of rows."""

import hashlib
import io
from collections.abc import Iterator
from typing import BinaryIO, cast

from taxon_datastore.datasets.columns import NULL
from taxon_datastore.datasets.csv_lines import BadTable, csv_records
from taxon_datastore.datasets.rows import Rows, Source

CELL_CHARACTERS = 1024 * 1024
LINE_CHARACTERS = 16 * 1024 * 1024
PART_CELLS = 50_000
PART_BYTES = 1024 * 1024
BLOCK_BYTES = 256 * 1024


def csv_source(file: BinaryIO) -> Source:
    """Return a file's header at once and its rows on demand; the digest grows as they are read.

    Raises:
        BadTable: it is not a table of at least two columns; the message names the line.
    """
    content = _Hashed(file)
    records = csv_records(
        cast("BinaryIO", content), cell_characters=CELL_CHARACTERS, line_characters=LINE_CHARACTERS
    )
    _, names = next(records)
    if len(names) == 1:
        raise BadTable("it has one column: a target and at least one feature are two")
    if content.has_nul:
        _refuse_nul(1, names, names)
    return Source(names, _parts(records, names, content), content.digest, lambda: content.count)


def _parts(
    records: Iterator[tuple[int, list[str]]], names: list[str], content: "_Hashed"
) -> Iterator[Rows]:
    rows: list[list[str]] = []
    most, until = max(1, PART_CELLS // len(names)), content.count + PART_BYTES
    for line, fields in records:
        if content.has_nul:
            _refuse_nul(line, fields, names)
        rows.append([cell or NULL for cell in fields] if "" in fields else fields)
        if len(rows) >= most or content.count >= until:
            yield rows
            rows, until = [], content.count + PART_BYTES
    if rows:
        yield rows


def _refuse_nul(line: int, fields: list[str], names: list[str]) -> None:
    """Raise for a NUL character, which PostgreSQL cannot store."""
    for field, name in zip(fields, names, strict=True):
        if NULL in field:
            raise BadTable(
                f"line {line}, column {name[:100]!r} contains a NUL character: remove it"
            )


class _Hashed(io.RawIOBase):
    """A file whose bytes are counted and hashed while they are read for the first time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.count = 0
        self.has_nul = False

    def readable(self) -> bool:
        return True

    def read1(self, _size: int = -1) -> bytes:
        """Return the next block: what a TextIOWrapper asks for."""
        block = self._file.read(BLOCK_BYTES)
        self._hash.update(block)
        self.count += len(block)
        self.has_nul = self.has_nul or b"\0" in block
        return block

    def read(self, size: int = -1) -> bytes:
        """Return bytes that were read before, when a line is looked for again."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def digest(self) -> str:
        """Return the digest of what was read: the file's, at its end."""
        return f"sha256:{self._hash.hexdigest()}"

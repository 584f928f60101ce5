"""Labels in a CSV or Parquet file, read in chunks."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxon_cli.resource_file import BadFile

NAMES = ("prediction_id", "request_id")
COLUMNS = (*NAMES, "label", "observed_at", "submitter")
CHUNK = 2_000


@dataclass(frozen=True)
class FileLabel:
    """One label as it is sent; ``place`` is its line, or its row in a Parquet file, from 1.

    ``wrong`` says why it cannot be sent.
    """

    place: int
    item: dict[str, Any]
    wrong: str | None = None


@dataclass(frozen=True)
class Chunk:
    """Some labels, and which share of the file has been read with them."""

    labels: list[FileLabel]
    done: float


def read_chunks(file: Path) -> Iterator[Chunk]:
    """Yield the labels of a file in their order.

    Raises:
        BadFile: it cannot be read, or lacks a column.
    """
    reader = {".csv": _read_csv, ".parquet": _read_parquet}.get(file.suffix.lower())
    if reader is None:
        raise BadFile(f"{file}: the name must end with .csv or .parquet, after its format")
    try:
        yield from reader(file)
    except OSError as error:
        raise BadFile(f"{file}: {error.strerror or error}: check the path") from error


def _read_csv(file: Path) -> Iterator[Chunk]:
    size = max(file.stat().st_size, 1)
    with file.open("rb") as content:
        lines = _Lines(file, content)
        rows = csv.reader(lines, strict=True)
        try:
            header = next(rows, [])
            _check_columns(file, header)
            for labels in _chunked(_csv_labels(rows, header)):
                yield Chunk(labels, min(lines.read / size, 1))
        except csv.Error as error:
            raise BadFile(f"{file}: line {rows.line_num}: {error}") from error


class _Lines:
    """The lines of a file as text, and how many bytes of it were read."""

    def __init__(self, file: Path, content: Iterable[bytes]) -> None:
        self.read = 0
        self._file = file
        self._content = content

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._content, 1):
            self.read += len(line)
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise BadFile(f"{self._file}: line {number} is not UTF-8: convert it") from error


def _csv_labels(rows: Any, header: Sequence[str]) -> Iterator[FileLabel]:
    """Yield the labels of rows; an empty cell is an absent value, an empty line nothing."""
    place = rows.line_num + 1
    for row in rows:
        if row and len(row) != len(header):
            wrong = f"it has {len(row)} cells, the header {len(header)}"
            yield FileLabel(place, {}, wrong)
        elif row:
            cells = zip(header, row, strict=True)
            yield FileLabel(place, {name: cell for name, cell in cells if cell and name in COLUMNS})
        place = rows.line_num + 1


def _read_parquet(file: Path) -> Iterator[Chunk]:
    try:
        with pq.ParquetFile(file) as table:
            _check_columns(file, table.schema_arrow.names)
            names = [name for name in table.schema_arrow.names if name in COLUMNS]
            total, place = max(table.metadata.num_rows, 1), 1
            for batch in table.iter_batches(CHUNK, columns=names):
                labels = [
                    FileLabel(
                        row, {name: _value(cell) for name, cell in item.items() if cell is not None}
                    )
                    for row, item in enumerate(batch.to_pylist(), place)
                ]
                place += len(labels)
                yield Chunk(labels, (place - 1) / total)
    except pa.ArrowException as error:
        raise BadFile(f"{file}: it cannot be read as Parquet: {error}") from error


def _value(cell: Any) -> Any:
    """Return a cell as JSON has it: times as text, whole numbers that have gaps as integers."""
    if isinstance(cell, (datetime, date)):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return cell if isinstance(cell, (str, int, float)) else str(cell)


def _check_columns(file: Path, names: Sequence[str]) -> None:
    """Check that the columns are there, once each.

    Raises:
        BadFile: they are not.
    """
    for name in COLUMNS:
        if names.count(name) > 1:
            raise BadFile(f"{file}: it has several columns {name}: keep one")
    if "label" not in names or not set(NAMES) & set(names):
        raise BadFile(
            f"{file}: it needs the columns label and prediction_id or request_id, it has"
            f" {', '.join(names[:10]) or 'none'}"
        )


def _chunked(labels: Iterator[FileLabel]) -> Iterator[list[FileLabel]]:
    while chunk := list(islice(labels, CHUNK)):
        yield chunk

"""A version of a data set as the file it was loaded from would read."""

import io
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection, Engine, text

from taxon_datastore.database import transaction
from taxon_datastore.datasets.arrays import cells_of
from taxon_datastore.datasets.versions import DatasetMissing, Description, Format, described_one

if TYPE_CHECKING:
    from taxon_datastore.datasets.parquet_content import ParquetContent

__all__ = ["DatasetMissing", "Format", "StoredTable", "fetch_table"]

BYTE_ORDER_MARK = "\ufeff"
QUOTED = re.compile('[",\r\n]')
FETCH_SECONDS = 3600.0
PART_CELLS = 50_000


@dataclass(frozen=True)
class StoredTable:
    """A table of the database: a file's content that reads like the one loaded.

    ``digest`` is of the file that was loaded, so a run of the data set and a run of the file agree.
    """

    content: bytes
    format: Format
    digest: str


def fetch_table(
    engine: Engine, *, namespace: str, name: str, version: int, form: Format | None = None
) -> StoredTable:
    """Return a version of a data set; beside the content, a part of it is in memory at a time.

    Args:
        engine: of the database.
        namespace: of the data set.
        name: its name.
        version: its version.
        form: format of the content; None for that of the file that was loaded.

    Raises:
        DatasetMissing: it does not exist.
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine.execution_options(statement_seconds=FETCH_SECONDS)) as connection:
        found = described_one(connection, namespace=namespace, name=name, version=version)
        form = form or found.format
        rows: _Sink = (
            _CsvRows([one["name"] for one in found.columns])
            if form == "csv"
            else _parquet_rows(connection, found)
        )
        with closing(connection.connection.cursor()) as cursor:
            cursor.copy_expert(
                "COPY (SELECT cells FROM training_data"  # noqa: S608 - a number
                f" WHERE dataset = {found.id:d} ORDER BY row) TO STDOUT (ENCODING 'UTF8')",
                rows,
            )
        return StoredTable(rows.content(), form, found.digest)


class _Sink(Protocol):
    """Takes the rows that COPY sends."""

    def write(self, line: bytes) -> None:
        """Take one row."""

    def content(self) -> bytes:
        """Return the file."""


class _CsvRows:
    """A CSV file that grows by the rows COPY sends."""

    def __init__(self, names: Sequence[str]) -> None:
        self._file = io.BytesIO()
        self._text = io.TextIOWrapper(
            self._file, "utf-8-sig" if names[0].startswith(BYTE_ORDER_MARK) else "utf-8", newline=""
        )
        self._text.write(_csv_line(names))

    def write(self, line: bytes) -> None:
        """Take one row; an array without quotes, backslashes and gaps is CSV between its braces."""
        row = line.decode().rstrip("\n")
        if '"' in row or "\\" in row or "NULL" in row:
            self._text.write(_csv_line(cells_of(row)))
        else:
            self._text.write(f"{row[1:-1]}\n")

    def content(self) -> bytes:
        """Return the file."""
        self._text.flush()
        return self._file.getvalue()


def _csv_line(cells: Sequence[str | None]) -> str:
    """Return a record; the csv module of Python 3.11 leaves a lone carriage return bare."""
    return (
        ",".join(
            '"' + cell.replace('"', '""') + '"' if QUOTED.search(cell) else cell
            for cell in (one or "" for one in cells)
        )
        + "\n"
    )


class _ParquetRows:
    """A Parquet file that grows by the rows COPY sends, a part at a time."""

    def __init__(self, file: "ParquetContent", part: int) -> None:
        self._file = file
        self._part = part
        self._rows: list[Sequence[str | None]] = []

    def write(self, line: bytes) -> None:
        """Take one row."""
        self._rows.append(cells_of(line.decode().rstrip("\n")))
        if len(self._rows) == self._part:
            self._flush()

    def content(self) -> bytes:
        """Return the file."""
        self._flush()
        return self._file.content()

    def _flush(self) -> None:
        if self._rows:
            self._file.add(self._rows)
            self._rows = []


def _parquet_rows(connection: Connection, version: Description) -> _ParquetRows:
    from taxon_datastore.datasets.parquet_content import ParquetContent, schema_of  # noqa: PLC0415 - Arrow is needed for its own format only

    part = PART_CELLS // len(version.columns) + 1
    schema = connection.execute(
        text("SELECT arrow_schema FROM datasets WHERE id = :id"), {"id": version.id}
    ).scalar_one()
    content = ParquetContent(schema_of(version.columns) if schema is None else bytes(schema))
    return _ParquetRows(content, part)

"""Loading a file as a version of a data set: all of it in one transaction, or nothing."""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from taxon_contracts.datasets import DATASET_NAME_PATTERN
from taxon_datastore.database import transaction
from taxon_datastore.datasets.csv_lines import BadTable
from taxon_datastore.datasets.csv_source import csv_source
from taxon_datastore.datasets.rows import Source, copy_lines
from taxon_datastore.datasets.views import locked, show_rows

LOAD_SECONDS = 6 * 3600.0
"""Longest time a load may take."""

COPY_BYTES = 256 * 1024

NEXT_NUMBER = text("""
    INSERT INTO dataset_numbers (namespace, name, version)
    SELECT :namespace, :name, coalesce(max(version), 0) + 1 FROM dataset_numbers
    WHERE namespace = :namespace AND name = :name RETURNING version
""")
"""A number is given once: a run knows its version by it, also when that was deleted."""

Progress = Callable[[int, int], object]
"""Is given the rows and the bytes that are loaded so far."""


@dataclass(frozen=True)
class Loaded:
    """What became of a file: ``new`` is false where a version has this content already."""

    version: int
    new: bool
    rows: int
    digest: str
    view: str | None = None
    """Name of the view that shows the newest version's rows."""
    why_no_view: str | None = None


def load(
    engine: Engine,
    file: Path,
    *,
    namespace: str,
    name: str,
    progress: Progress = lambda _rows, _bytes: None,
) -> Loaded:
    """Load a CSV or Parquet file; its content becomes a version unless it is one already.

    A few thousand rows are in memory at a time.

    Raises:
        BadTable: the file is not a table; the message names the line. Nothing is stored.
        OSError: it cannot be read.
        DatabaseUnavailable: worth trying again.
        DatabaseRefused: PostgreSQL will not take it.
    """
    if not re.fullmatch(DATASET_NAME_PATTERN, name):
        raise BadTable(
            f"{name!r} cannot name a data set: use up to 63 of a-z, 0-9 and -, a letter first"
        )
    kind = file.suffix.lower().removeprefix(".")
    if kind not in ("csv", "parquet"):
        raise BadTable("the name must end with .csv or .parquet, after its format")
    with file.open("rb") as content:
        if kind == "csv":
            source = csv_source(content)
        else:
            from taxon_datastore.datasets.parquet_source import parquet_source  # noqa: PLC0415 - Arrow is needed for its own format only

            source = parquet_source(content)
        with transaction(engine.execution_options(statement_seconds=LOAD_SECONDS)) as connection:
            rows = _stage(connection, source, progress)
            place = {"namespace": namespace, "name": name, "format": kind}
            return _settle(connection, source, rows, place)


def _stage(connection: Connection, source: Source, progress: Progress) -> int:
    """Copy every row to a table of this transaction's; return how many there are.

    Tables with row-level security take no COPY, and the digest that decides whether the rows are
    needed is known after the last one.
    """
    connection.execute(
        text("CREATE TEMPORARY TABLE loading (row bigint, cells text[]) ON COMMIT DROP")
    )
    staged = _Staged(source, progress)
    with closing(connection.connection.cursor()) as cursor:
        cursor.copy_expert("COPY loading FROM STDIN (ENCODING 'UTF8')", staged, COPY_BYTES)
    if staged.error:
        raise staged.error
    if not staged.rows:
        raise BadTable("it has a header and no rows: add rows")
    return staged.rows


class _Staged:
    """What COPY reads: PostgreSQL stores a part while the next one is prepared."""

    def __init__(self, source: Source, progress: Progress) -> None:
        self.rows = 0
        self._blocks = self._prepared(source, progress)
        self._rest = io.BytesIO()
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Return the next bytes; none at the end, or where the file is broken."""
        block = self._rest.read(size)
        if block:
            return block
        try:
            self._rest = io.BytesIO(next(self._blocks, b""))
        except BaseException as error:  # noqa: BLE001 - psycopg2 would raise an error of its own instead
            self.error = error
            return b""
        return self._rest.read(size)

    def _prepared(self, source: Source, progress: Progress) -> Iterator[bytes]:
        for part in source.parts:
            for column, cells in zip(source.columns, zip(*part, strict=True), strict=True):
                column.take(cells)
            yield copy_lines(part, self.rows + 1)
            self.rows += len(part)
            progress(self.rows, source.bytes_read())


def _settle(connection: Connection, source: Source, rows: int, place: dict[str, str]) -> Loaded:
    """Make the staged rows a version, unless one has their content."""
    locked(connection, namespace=place["namespace"], name=place["name"])
    digest = source.digest()
    existing = connection.execute(
        text(
            "SELECT version FROM datasets"
            " WHERE namespace = :namespace AND name = :name AND digest = :digest"
        ),
        place | {"digest": digest},
    ).scalar()
    if existing is not None:
        return Loaded(existing, new=False, rows=rows, digest=digest)
    columns = [
        {"name": column.name, "type": column.type}
        | ({"stored": source.stored[index]} if source.stored else {})
        for index, column in enumerate(source.columns)
    ]
    version = connection.execute(NEXT_NUMBER, place).scalar_one()
    identifier = connection.execute(
        text(
            "INSERT INTO datasets"
            " (namespace, name, version, digest, format, rows, columns, arrow_schema)"
            " VALUES (:namespace, :name, :version, :digest, :format, :rows,"
            " CAST(:columns AS jsonb), :arrow_schema) RETURNING id"
        ),
        place
        | {
            "version": version,
            "digest": digest,
            "rows": rows,
            "columns": json.dumps(columns),
            "arrow_schema": source.arrow_schema,
        },
    ).scalar_one()
    connection.execute(
        text(
            "INSERT INTO training_data (dataset, namespace, row, cells)"
            " SELECT :dataset, :namespace, row, cells FROM loading"
        ),
        {"dataset": identifier, "namespace": place["namespace"]},
    )
    view, why_not = show_rows(connection, namespace=place["namespace"], name=place["name"])
    return Loaded(version, new=True, rows=rows, digest=digest, view=view, why_no_view=why_not)

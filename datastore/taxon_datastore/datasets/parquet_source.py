"""A Parquet file as a source of rows."""

import hashlib
from collections.abc import Iterator
from io import BufferedReader

import pyarrow as pa
from pyarrow import parquet

from taxon_datastore.datasets.columns import NULL
from taxon_datastore.datasets.csv_lines import BadTable, unique
from taxon_datastore.datasets.parquet_cells import cells
from taxon_datastore.datasets.rows import Rows, Source

PART_CELLS = 50_000
CELL_CHARACTERS = 1024 * 1024


def parquet_source(file: BufferedReader) -> Source:
    """Return a file's columns at once and its rows on demand.

    Raises:
        BadTable: it is broken, or has a value PostgreSQL cannot store.
    """
    digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    size = file.tell()
    try:
        opened = parquet.ParquetFile(file)
        schema = opened.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise BadTable(_sentence(error)) from error
    names = unique(schema.names)
    if any(NULL in name for name in names):
        raise BadTable("the name of a column contains a NUL character: rename it")
    return Source(
        names,
        _parts(opened, names),
        lambda: digest,
        lambda: size,
        arrow_schema=schema.serialize().to_pybytes(),
        stored=[str(one.type) for one in schema],
    )


def _parts(file: parquet.ParquetFile, names: list[str]) -> Iterator[Rows]:
    done = 0
    try:
        for batch in file.iter_batches(batch_size=max(1, PART_CELLS // max(1, len(names)))):
            batch.validate(full=True)
            columns = [
                _storable(cells(column), name, done)
                for name, column in zip(names, batch.columns, strict=True)
            ]
            done += batch.num_rows
            yield [*zip(*columns, strict=True)]
    except (pa.ArrowException, OSError) as error:
        raise BadTable(_sentence(error)) from error


def _storable(column: pa.Array, name: str, done: int) -> list[str]:
    """Return a column's cells.

    Raises:
        BadTable: one is too long, or has a NUL character, which PostgreSQL cannot store.
    """
    texts: list[str | None] = column.to_pylist()
    for row, text in enumerate(texts, done + 1):
        if text is not None and (NULL in text or len(text) > CELL_CHARACTERS):
            what = (
                "contains a NUL character: remove it"
                if NULL in text
                else f"is longer than {CELL_CHARACTERS:,} characters: shorten it"
            )
            raise BadTable(f"row {row}, column {name[:100]!r} {what}")
    return [NULL if text is None else text for text in texts]


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")

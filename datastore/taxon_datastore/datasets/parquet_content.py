"""Rows of cells as a Parquet file again."""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from taxon_datastore.datasets.parquet_cells import values

TYPES = {"double precision": pa.float64(), "boolean": pa.bool_(), "text": pa.large_string()}


def schema_of(columns: Sequence[dict[str, Any]]) -> bytes:
    """Return Arrow's schema, serialized, for columns with SQL types."""
    fields = [pa.field(one["name"], TYPES[one["type"]]) for one in columns]
    serialized: bytes = pa.schema(fields).serialize().to_pybytes()
    return serialized


class ParquetContent:
    """A Parquet file in memory that grows part by part."""

    def __init__(self, schema: bytes) -> None:
        """Begin a file.

        Args:
            schema: Arrow's schema of the file that was loaded, serialized, with its metadata.
        """
        stored = pa.ipc.read_schema(pa.py_buffer(schema))
        self._schema = pa.schema(
            [one.with_nullable(nullable=True) for one in stored], stored.metadata
        )
        self._buffer = io.BytesIO()
        self._writer = parquet.ParquetWriter(self._buffer, self._schema)

    def add(self, rows: Sequence[Sequence[str | None]]) -> None:
        """Append rows of cells."""
        columns = zip(*rows, strict=True)
        arrays = [values(texts, one.type) for texts, one in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.table(arrays, schema=self._schema))

    def content(self) -> bytes:
        """Return the file."""
        self._writer.close()
        return self._buffer.getvalue()

"""Parquet: typed columns to columns of numbers and of text; any other kind is named."""

import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from taxon_training_job.data.csv_table import INT64, unique

UNNAMED_INDEX = "__index_level_"


def parquet_columns(content: bytes, target: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a file's columns of numbers and text, and what each of the others holds.

    Raises:
        ValueError, OSError, pa.ArrowException: the file is broken.
    """
    file = parquet.ParquetFile(io.BytesIO(content))
    unique(file.schema_arrow.names)
    table = file.read()
    table.validate(full=True)
    index = _index(table.schema)
    columns: dict[str, pd.Series] = {}
    other: dict[str, str] = {}
    for name, values in zip(table.column_names, table.columns, strict=True):
        if name in index:
            if not name.startswith(UNNAMED_INDEX):
                other[name] = "the index of a pandas frame"
            continue
        column = _numbers_or_text(values)
        if column is None and name == target and pa.types.is_temporal(values.type):
            column = _times_as_text(values)
        if name == target and pa.types.is_decimal(values.type):
            column = _decimal_labels(values)
        if column is None:
            other[name] = _kind(values.type)
        else:
            columns[name] = column
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows)), other


def _index(schema: pa.Schema) -> set[str]:
    """Return the columns that pandas wrote as a frame's index."""
    recorded = (schema.pandas_metadata or {}).get("index_columns", [])
    return {name for name in recorded if isinstance(name, str)}


def _numbers_or_text(values: pa.ChunkedArray) -> pd.Series | None:
    """Return a column of numbers or of text; None for any other kind."""
    kind = values.type
    column: pd.Series | None = None
    if pa.types.is_dictionary(kind):
        column = _numbers_or_text(values.cast(kind.value_type))
    elif pa.types.is_decimal(kind):
        column = pd.Series(_floats(values.to_pylist()), dtype="float64")
    elif pa.types.is_boolean(kind) and values.null_count:
        column = values.cast(pa.uint8()).to_pandas().astype("float64")
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        column = values.to_pandas()
    elif pa.types.is_null(kind) or _is_text(kind):
        column = values.cast(pa.large_string()).to_pandas().astype("str")
    return column


def _is_text(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def _floats(values: list[Decimal | None]) -> list[float]:
    """Return each decimal's nearest double; Arrow's own cast may miss it by a bit."""
    return [np.nan if value is None else float(value) for value in values]


def _decimal_labels(values: pa.ChunkedArray) -> pd.Series:
    """Return whole decimals as integers, or as text beyond 64 bits; fractions as floats."""
    decimals = values.to_pylist()
    if any(value is None or value != int(value) for value in decimals):
        return pd.Series(_floats(decimals), dtype="float64")
    integers = [int(value) for value in decimals]
    if all(INT64.min <= value <= INT64.max for value in integers):
        return pd.Series(integers, dtype="int64")
    return pd.Series([str(value) for value in integers], dtype="str")


def _times_as_text(values: pa.ChunkedArray) -> pd.Series | None:
    """Return dates and times as ISO text; None where this system does not know their zone."""
    try:
        column: pd.Series = values.to_pandas()
        text: pd.Series = column.astype("str").where(column.notna()).astype("str")
    except (KeyError, ValueError, OSError, OverflowError, pa.ArrowException):
        return None
    return text


def _kind(kind: pa.DataType) -> str:
    """Return what a column of this type holds, in a reader's words."""
    if pa.types.is_temporal(kind):
        return "dates or times"
    if pa.types.is_nested(kind):
        return "nested values"
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if "binary" in str(kind):
        return "binary data"
    return f"values of type {kind}"

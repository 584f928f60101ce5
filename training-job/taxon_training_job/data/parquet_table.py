"""Parquet: typed columns to numbers, booleans, text and categoricals; any other kind is named."""

import io
from collections.abc import Collection

import pandas as pd
import pyarrow as pa
from pandas.api.types import is_bool_dtype
from pyarrow import parquet

from taxon_datastore.datasets.csv_lines import unique
from taxon_training_job.data.csv_table import INT64

UNNAMED_INDEX = "__index_level_"


def parquet_columns(
    content: bytes, target: str, text: Collection[str] = ()
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a file's usable columns, and what each of the others holds.

    Args:
        content: the file.
        target: the column of labels.
        text: columns whose integers stay as they are written, however long.

    Raises:
        ValueError, OSError, pa.ArrowException: the file is broken.
    """
    file = parquet.ParquetFile(io.BytesIO(content))
    unique(file.schema_arrow.names)
    table = file.read()
    table.validate(full=True)
    index = _index(file.schema_arrow)
    categorical = _categorical(file.schema_arrow) - {target}
    columns: dict[str, pd.Series] = {}
    other: dict[str, str] = {}
    rows, names, left = table.num_rows, table.column_names, table.columns[::-1]
    del table
    for name in names:
        values = left.pop()  # a column that has been read does not stay twice in memory
        if name in index:
            if not name.startswith(UNNAMED_INDEX):
                other[name] = "the index of a pandas frame"
            continue
        column = _usable(values, as_text=name in text or name in categorical)
        if column is not None and name in categorical and not is_bool_dtype(column):
            column = column.astype("category")
        if column is None and name == target and pa.types.is_temporal(values.type):
            column = _times_as_text(values)
        if name == target and pa.types.is_decimal(values.type):
            column = _decimal_labels(values)
        if column is None:
            other[name] = _kind(values.type)
        else:
            columns[name] = column
    return pd.DataFrame(columns, index=pd.RangeIndex(rows)), other


def _index(schema: pa.Schema) -> set[str]:
    """Return the columns that pandas wrote as a frame's index."""
    recorded = (schema.pandas_metadata or {}).get("index_columns", [])
    return {name for name in recorded if isinstance(name, str)}


def _categorical(schema: pa.Schema) -> set[str]:
    """Return the columns that are dictionaries, or were categoricals in pandas.

    Parquet keeps the dictionary of a text column only.
    """
    recorded = (schema.pandas_metadata or {}).get("columns", [])
    pandas = {one.get("name") for one in recorded if one.get("pandas_type") == "categorical"}
    return {one.name for one in schema if pa.types.is_dictionary(one.type) or one.name in pandas}


def _usable(values: pa.ChunkedArray, *, as_text: bool = False) -> pd.Series | None:
    """Return a column of numbers, booleans, text or categories; None for any other kind."""
    kind = values.type
    column: pd.Series | None = None
    if pa.types.is_dictionary(kind):
        column = _usable(values.cast(kind.value_type), as_text=as_text)
    elif pa.types.is_decimal(kind):
        column = _floats(values)
    elif pa.types.is_boolean(kind):
        column = values.to_pandas(types_mapper={kind: pd.BooleanDtype()}.get)
    elif pa.types.is_floating(kind) or (pa.types.is_integer(kind) and not as_text):
        column = values.to_pandas()
    elif pa.types.is_integer(kind) or pa.types.is_null(kind) or _is_text(kind):
        column = values.cast(pa.large_string()).to_pandas().astype("str")
    return column


def _is_text(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def _floats(values: pa.ChunkedArray) -> pd.Series:
    """Return each decimal's nearest double; Arrow's direct cast may miss it by a bit."""
    column: pd.Series = values.cast(pa.large_string()).cast(pa.float64()).to_pandas()
    return column


def _decimal_labels(values: pa.ChunkedArray) -> pd.Series:
    """Return whole decimals as integers, or as text beyond 64 bits; fractions as floats."""
    decimals = values.to_pylist()
    if any(value is None or value != int(value) for value in decimals):
        return _floats(values)
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

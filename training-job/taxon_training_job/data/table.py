"""Reading a table: bytes from storage to a frame, with errors that name the line."""

import csv
import io
from collections import Counter
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from taxon_bundle.location import read_object
from taxon_bundle.storage import ObjectMissing
from taxon_contracts.canonical import sha256_digest
from taxon_training_job.failure import RunFailed


@dataclass(frozen=True)
class Table:
    """A table as it was read; ``digest`` is of its bytes."""

    frame: pd.DataFrame
    digest: str


def read_table(source: str) -> Table:
    """Read a CSV (UTF-8, header line, comma) or Parquet table from a URI or path.

    Raises:
        RunFailed: there is none, or it is not such a table; the message names the line.
        StorageError: storage did not answer.
    """
    readers = {".csv": _csv, ".parquet": _parquet}
    suffix = source[source.rfind(".") :].lower()
    if suffix not in readers:
        raise RunFailed("DatasetUnreadable", f"{source}: name it .csv or .parquet as its format is")
    try:
        content = read_object(source)
    except ObjectMissing as error:
        raise RunFailed("DatasetNotFound", str(error)) from error
    try:
        frame = readers[suffix](content)
    except (ValueError, OSError, pa.ArrowException) as error:
        sentence = " ".join(str(error).split()).rstrip(".")
        raise RunFailed("DatasetUnreadable", f"{source}: {sentence}: mend the table") from error
    return Table(frame, sha256_digest(content))


def _csv(content: bytes) -> pd.DataFrame:
    """Parse numbers exactly and take nothing but an empty field for missing."""
    text = _decoded(content)
    header = _header_of_even_lines(text)
    frame = pd.read_csv(
        io.StringIO(text),
        index_col=False,
        keep_default_na=False,
        low_memory=False,
        na_values=[""],
    )
    frame.columns = _named(header)
    return frame


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8") from error


def _header_of_even_lines(text: str) -> list[str]:
    """Return the header once every line is seen to have as many fields (blank ones aside).

    pandas fills short lines up and may cut long ones; either would train on another table.

    Raises:
        ValueError: a line is broken; the message has its number.
    """
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    line = 1
    try:
        for fields in lines:
            header = header or fields
            if fields and len(fields) != len(header):
                raise ValueError(f"line {line} has {len(fields)} fields, the header {len(header)}")
            line = lines.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {line} is broken ({error})") from error
    if not header:
        raise ValueError("it is empty")
    return header


def _parquet(content: bytes) -> pd.DataFrame:
    """Read a table; decimals, which pandas would hold as objects, become floats."""
    table = parquet.read_table(io.BytesIO(content))
    fields = [
        pa.field(field.name, pa.float64()) if pa.types.is_decimal(field.type) else field
        for field in table.schema
    ]
    frame: pd.DataFrame = table.cast(pa.schema(fields, table.schema.metadata)).to_pandas()
    frame.columns = _named([str(name) for name in frame.columns])
    return frame


def _named(names: list[str]) -> pd.Index:
    """Return the columns' names once each has one of its own."""
    if "" in names:
        raise ValueError(f"column {names.index('') + 1} has no name")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"column {repeated[0]!r} stands twice")
    return pd.Index(names)

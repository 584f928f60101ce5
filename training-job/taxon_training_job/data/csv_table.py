"""CSV: text to columns of numbers and of text."""

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from taxon_training_job.data.words import missing, numbers

INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
INT64 = np.iinfo(np.int64)
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def csv_columns(content: bytes, target: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the columns of a CSV file, numbers to the last bit; all are numbers or text.

    Raises:
        ValueError: the file is not a table; the message has the line.
    """
    text = _decoded(content)
    header = _header_of_even_lines(text)
    frame = pd.read_csv(
        io.StringIO(text),
        names=unique(header),
        header=0,
        index_col=False,
        dtype={target: "str"} if target in header else None,
        keep_default_na=False,
        low_memory=False,
        na_values=[""],
    )
    for name in header:
        if name == target:
            frame[name] = _labels(frame[name])
        elif not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = _numbers_or_text(frame[name])
    return frame, {}


def unique(names: list[str]) -> list[str]:
    """Return columns' names once each has one of its own.

    Raises:
        ValueError: a name is empty or appears twice.
    """
    if "" in names:
        raise ValueError(f"column {names.index('') + 1} has no name")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"column {repeated[0][:100]!r} appears twice")
    return names


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
    header: list[str] = []
    line = 1
    with _fields_of_any_length():
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            for fields in lines:
                header = header or fields
                if fields and len(fields) != len(header):
                    raise ValueError(
                        f"line {line} has {len(fields)} fields, the header {len(header)}"
                    )
                line = lines.line_num + 1
        except csv.Error as error:
            raise ValueError(f"line {line} is broken ({error})") from error
    if not header:
        raise ValueError("it is empty")
    if len(header) == 1:
        for sign, name in OTHER_SEPARATORS.items():
            if sign in header[0]:
                raise ValueError(f"line 1 is separated by {name}: use commas")
    return header


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    """Lift the csv module's limit, which is one for the whole process."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _labels(column: pd.Series) -> pd.Series:
    """Return labels as integers where each is written as one is, else as the text of the file.

    Fractions become floats, which a classifier cannot take.
    """
    if missing(column).any():
        return column
    distinct = pd.Series(column.unique(), dtype="str")
    if all(INTEGER.fullmatch(text.strip()) for text in distinct):
        integers = {text: int(text) for text in distinct}
        within = all(INT64.min <= value <= INT64.max for value in integers.values())
        return column.map(integers).astype("int64") if within else column
    values = numbers(distinct)
    whole = np.isfinite(values) & (values == np.floor(values))
    return column if values.isna().any() or whole.all() else numbers(column)


def _numbers_or_text(column: pd.Series) -> pd.Series:
    """Return a column's numbers where all its cells but missing ones are, else its text.

    pandas leaves a column as it is written where integers are beyond 64 bits, or a word stands for
    a missing cell; of booleans with empty cells it makes objects.
    """
    if column.dropna().map(lambda cell: isinstance(cell, bool)).all() and column.notna().any():
        return column.astype("float64")
    text = column.astype("str")
    present = text[~missing(text)]
    if len(present) and numbers(present).notna().all():
        return numbers(text)
    return text

"""CSV: text to columns of numbers, of booleans and of text."""

import csv
import io
import re
import sys
import unicodedata
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from taxon_training_job.data.words import missing, numbers

INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
INT64 = np.iinfo(np.int64)
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def csv_columns(
    content: bytes, target: str, text: Collection[str] = ()
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the columns of a CSV file: numbers to the last bit, booleans, and text.

    Args:
        content: the file.
        target: the column of labels.
        text: the columns that stay as they are written, whatever they look like.

    Raises:
        ValueError: the file is not a table; the message has the line.
    """
    try:
        header = _header_of_even_lines(content)
    except UnicodeDecodeError as error:
        raise ValueError(f"line {_undecodable_line(content)} is not UTF-8") from error
    unique(header)
    frame = _frame(content, header, [name for name in header if name == target or name in text])
    if mixed := [name for name in header if frame[name].dtype == object]:
        frame[mixed] = _frame(content, header, mixed, only=mixed)
    if target in header:
        frame[target] = _labels(frame[target])
    return frame, {}


def _frame(
    content: bytes, header: list[str], text: list[str], only: list[str] | None = None
) -> pd.DataFrame:
    """Return columns as pandas reads them part by part, some of them as text.

    One whose parts are of different kinds is of objects; at once, they would cost much memory.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)
        return pd.read_csv(
            io.BytesIO(content),
            names=header,
            header=0,
            index_col=False,
            usecols=only,
            dtype=dict.fromkeys(text, "str"),
            keep_default_na=False,
            na_values=[""],
        )


def unique(names: list[str]) -> list[str]:
    """Return columns' names once each has one of its own, also for a person's eyes.

    Raises:
        ValueError: a name is empty or appears twice, be it in another form of Unicode.
    """
    if "" in names:
        raise ValueError(f"column {names.index('') + 1} has no name")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"column {repeated[0][:100]!r} appears twice")
    places: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        first = places.setdefault(unicodedata.normalize("NFC", name), place)
        if first != place:
            raise ValueError(
                f"columns {first} and {place} have names that only differ in their form of Unicode"
            )
    return names


def _undecodable_line(content: bytes) -> int:
    """Return the first line that is not UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    raise AssertionError("a file that was not decoded is not UTF-8")


def _header_of_even_lines(content: bytes) -> list[str]:
    """Return the header once every line is seen to have as many fields (blank ones aside).

    pandas fills short lines up and may cut long ones; either would train on another table.

    Raises:
        ValueError: a line is broken; the message has its number.
    """
    header: list[str] = []
    line = 1
    with _fields_of_any_length():
        text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")
        lines = csv.reader(text, strict=True)
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

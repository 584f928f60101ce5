"""CSV: text to columns of numbers, of booleans and of text."""

import io
import re
import warnings
from collections.abc import Collection

import numpy as np
import pandas as pd

from taxon_datastore.datasets.csv_lines import csv_records
from taxon_training_job.data.words import missing, numbers

INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
INT64 = np.iinfo(np.int64)


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
    header = _header_of_even_lines(content)
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


def _header_of_even_lines(content: bytes) -> list[str]:
    """Return the header once every line is seen to have as many fields (blank ones aside).

    pandas fills short lines up and may cut long ones; either would train on another table.

    Raises:
        ValueError: a line is broken; the message has its number.
    """
    records = csv_records(io.BytesIO(content))
    _, header = next(records)
    for _ in records:
        pass
    return header


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

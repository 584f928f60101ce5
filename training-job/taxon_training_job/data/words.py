"""The cells of a text column: which are missing, and which are numbers."""

import pandas as pd

MISSING_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "?", "-"})
"""Words for a missing cell, in any case and with any space around them."""


def missing(column: pd.Series) -> pd.Series:
    """Return whether each cell is empty or a word for missing."""
    absent = column.isna()
    if pd.api.types.is_numeric_dtype(column):
        return absent
    words = column.str.strip().str.lower().isin(MISSING_WORDS)
    return absent | words


def numbers(column: pd.Series) -> pd.Series:
    """Return the number in each cell of a text column, to the nearest double; NaN elsewhere."""
    found = pd.to_numeric(column, errors="coerce").notna()
    exact = {text: float(text) for text in column[found].unique()}
    return column.map(exact).astype("float64")

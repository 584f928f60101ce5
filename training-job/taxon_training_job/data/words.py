"""Cells as text: which are missing, which are numbers, and each distinct text once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taxon_bundle.codec import category, category_of_number, is_missing


@dataclass(frozen=True)
class Text:
    """A column as text: its distinct texts as categories are compared, sorted.

    ``codes`` has each row's position among them, shape [rows]; -1 where the cell is missing.
    """

    distinct: tuple[str, ...]
    codes: NDArray[np.intp]

    @classmethod
    def of(cls, column: pd.Series) -> Self:
        """Return a column's cells; numbers are written as categories are."""
        codes, found = pd.factorize(column)
        texts = [category(_written(cell)) for cell in found.tolist()]
        distinct = sorted({text for text in texts if not is_missing(text)})
        place = {text: index for index, text in enumerate(distinct)}
        places = np.array([*(place.get(text, -1) for text in texts), -1], dtype=np.intp)
        return cls(tuple(distinct), places[codes])

    @property
    def present(self) -> int:
        """Return how many cells are not missing."""
        return int((self.codes >= 0).sum())

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """Return the number each distinct text is, shape [distinct]; NaN where it is none."""
        return numbers(pd.Series(self.distinct, dtype="str")).to_numpy()

    def values(self, of_distinct: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each row's value, shape [rows], by its text's; NaN where the cell is missing."""
        return np.append(of_distinct, np.nan)[self.codes]

    def rows(self, of_distinct: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows have a text that is chosen, shape [rows]."""
        return np.append(of_distinct, False)[self.codes]


def missing(column: pd.Series) -> pd.Series:
    """Return whether each cell is blank or a word for missing."""
    if pd.api.types.is_numeric_dtype(column):
        return column.isna()
    codes, found = pd.factorize(column)
    absent = np.array([*(is_missing(category(cell)) for cell in found.tolist()), True])
    return pd.Series(absent[codes], column.index)


def numbers(column: pd.Series) -> pd.Series:
    """Return the number in each cell of a text column, to the nearest double; NaN elsewhere."""
    found = pd.to_numeric(column, errors="coerce").notna().to_numpy()
    values = np.full(len(column), np.nan)
    values[found] = [float(text) for text in column[found].tolist()]
    return pd.Series(values, column.index)


def _written(cell: str | float) -> str:
    return cell if isinstance(cell, str) else category_of_number(cell)

"""A column's cells to values of one type, or why they are none.

Reasons name rows and counts, never the content of a cell: they become conditions and Events, which
more people may read than the table.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taxon_contracts.resource import FeatureType
from taxon_training_job.data.left_out import LeftOut, some
from taxon_training_job.data.words import Text

LONGEST_CATEGORY = 256
FEW_TEXTS = 100
"""Distinct texts that are categories however few rows there are; above, they have to repeat."""
MOSTLY = 0.5
DATES = "dates or times"
FREE_TEXT = "free text"
ISO_TIME = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-4]):[0-5][0-9](:[0-6][0-9]([.,][0-9]+)?)?"
    r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Column:
    """A feature of the whole table.

    ``values`` is float64 [rows]: numbers, 0 and 1 for booleans, positions in ``categories`` for
    categories, NaN where a value is missing. ``categories`` are the distinct texts, sorted.
    """

    name: str
    type: FeatureType
    values: NDArray[np.float64]
    categories: tuple[str, ...] = ()

    @property
    def has_gaps(self) -> bool:
        """Return whether a value is missing."""
        return bool(np.isnan(self.values).any())


@dataclass(frozen=True)
class Cells:
    """One column as a table has it: numbers, booleans, text, or a pandas categorical."""

    name: str
    series: pd.Series

    @cached_property
    def text(self) -> Text:
        """Return the cells as text."""
        return Text.of(self.series)

    @property
    def are_numbers(self) -> bool:
        """Return whether the file or its reader made them numbers or booleans."""
        return bool(pd.api.types.is_numeric_dtype(self.series))

    @property
    def are_missing(self) -> bool:
        """Return whether every cell is."""
        return bool(self.series.isna().all()) if self.are_numbers else not self.text.distinct

    def rows(self, chosen: NDArray[np.bool_]) -> str:
        """Return how many rows are chosen, and their numbers."""
        return rows_of(pd.Series(chosen, self.series.index))


def found_column(cells: Cells) -> Column | LeftOut:
    """Return a column as what it holds, or why it is not a feature unless a person says so."""
    found = _found_type(cells)
    return found if isinstance(found, LeftOut) else column_as(cells, found)


def column_as(cells: Cells, kind: FeatureType) -> Column | LeftOut:
    """Return a column as a type, or why it is not of it."""
    match kind:
        case "Numeric":
            return _numeric(cells)
        case "Boolean":
            return _boolean(cells)
        case "Categorical":
            return _categorical(cells)


def rows_of(chosen: pd.Series) -> str:
    """Return how many rows are chosen, and their numbers; the first row of a table is 1."""
    rows = [str(row + 1) for row in chosen.index[chosen.to_numpy()]]
    return f"row {rows[0]}" if len(rows) == 1 else f"{len(rows)} rows ({some(rows)})"


def _found_type(cells: Cells) -> FeatureType | LeftOut:
    if cells.are_missing:
        return LeftOut(cells.name, "every cell is missing", reason="MissingValues")
    if cells.are_numbers:
        return "Boolean" if pd.api.types.is_bool_dtype(cells.series) else "Numeric"
    text = cells.text
    if not isinstance(cells.series.dtype, pd.CategoricalDtype):
        if _is_boolean(text):
            return "Boolean"
        wrong = text.rows(np.isnan(text.numbers))
        if not wrong.any():
            return "Numeric"
        if wrong.sum() < MOSTLY * text.present:
            return _not_numeric(cells, wrong)
    why = _no_categories(text)
    return LeftOut(cells.name, why, reason="UnsupportedFeature") if why else "Categorical"


def _no_categories(text: Text) -> str:
    """Return what makes texts no categories; empty for nothing."""
    dates = [ISO_TIME.fullmatch(one) is not None for one in text.distinct]
    if text.rows(np.array(dates, dtype=np.bool_)).sum() > MOSTLY * text.present:
        return DATES
    if any(len(one) > LONGEST_CATEGORY for one in text.distinct):
        return f"text longer than {LONGEST_CATEGORY} characters"
    if len(text.distinct) > max(FEW_TEXTS, MOSTLY * text.present):
        return FREE_TEXT
    return ""


def _numeric(cells: Cells) -> Column | LeftOut:
    if cells.are_numbers:
        return Column(cells.name, "Numeric", _floats(cells.series))
    text = cells.text
    numbers = _truth(text) if _is_boolean(text) else text.numbers
    wrong = text.rows(np.isnan(numbers))
    if wrong.any():
        return _not_numeric(cells, wrong)
    return Column(cells.name, "Numeric", text.values(numbers) + 0.0)


def _not_numeric(cells: Cells, wrong: NDArray[np.bool_]) -> LeftOut:
    text = cells.text
    if wrong.sum() < MOSTLY * text.present:
        why = f"numeric but for {int(wrong.sum())} of {text.present} cells, in {cells.rows(wrong)}"
        return LeftOut(cells.name, why, doubtful=True, reason="NonNumericFeature")
    if why := _no_categories(text):
        return LeftOut(cells.name, why, reason="UnsupportedFeature")
    return LeftOut(cells.name, "text", reason="NonNumericFeature")


def _boolean(cells: Cells) -> Column | LeftOut:
    if cells.are_numbers:
        values = _floats(cells.series)
        wrong = ~(np.isnan(values) | np.isin(values, (0.0, 1.0)))
    else:
        text = cells.text
        values = 0.0 + text.values(
            np.where(np.isin(text.numbers, (0, 1)), text.numbers, _truth(text))
        )
        wrong = np.isnan(values) & (text.codes >= 0)
    if not wrong.any():
        return Column(cells.name, "Boolean", values)
    if not cells.are_numbers and (why := _no_categories(cells.text)):
        return LeftOut(cells.name, why, reason="UnsupportedFeature")
    why = f"neither true nor false in {cells.rows(wrong)}"
    return LeftOut(cells.name, why, reason="NonBooleanFeature")


def _is_boolean(text: Text) -> bool:
    return all(one.lower() in TRUTH for one in text.distinct)


def _truth(text: Text) -> NDArray[np.float64]:
    """Return what each distinct text says, shape [distinct]; NaN where it is no boolean."""
    return np.array([TRUTH.get(one.lower(), np.nan) for one in text.distinct], dtype=np.float64)


def _categorical(cells: Cells) -> Column | LeftOut:
    text = cells.text
    why = _no_categories(text)
    if why and why != FREE_TEXT:
        return LeftOut(cells.name, why, reason="UnsupportedFeature")
    positions = text.values(np.arange(len(text.distinct), dtype=np.float64))
    return Column(cells.name, "Categorical", positions, text.distinct)


def _floats(column: pd.Series) -> NDArray[np.float64]:
    """Return numbers, -0.0 as 0.0 and every NaN with the same bits: rows are hashed."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(values), np.nan, values + 0.0)

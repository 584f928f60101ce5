"""Which columns are features, why the others are not, and the features' numbers.

Sentences name columns, rows and counts, never the content of a cell: they become conditions and
Events, which more people may read than the table.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taxon_contracts.resource import Dataset, FeatureType
from taxon_contracts.run import FinalReason
from taxon_training_job.data.left_out import LeftOut, quoted, some
from taxon_training_job.data.table import Table
from taxon_training_job.data.words import missing, numbers
from taxon_training_job.failure import RunFailed

LARGEST = float(np.finfo(np.float32).max)
MOST_FEATURES = 1000
NAMED = 30
"""Columns with the same fault that one message names."""


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


def choose_features(table: Table, dataset: Dataset) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Return the listed features, or every numeric column but the target; and what is left out.

    Raises:
        RunFailed: there is none, or there are more than can be served.
    """
    if dataset.features is not None:
        listed = tuple(feature.name for feature in dataset.features)
        others = [*map(str, table.frame.columns), *table.other]
        unused = [name for name in others if name not in {*listed, dataset.target}]
        return listed, tuple(LeftOut(name, "not listed in features") for name in unused)
    names = [name for name in map(str, table.frame.columns) if name != dataset.target]
    numeric = tuple(name for name in names if _is_number(table.frame[name]))
    left_out = (
        *(_text(name, table.frame[name]) for name in names if name not in set(numeric)),
        *(LeftOut(name, kind) for name, kind in table.other.items()),
    )
    if not numeric:
        doubtful = "".join(f"; {column}" for column in left_out if column.doubtful)
        raise RunFailed(
            "FeatureMissing",
            "the table has no numeric column besides the target: encode one as numbers" + doubtful,
        )
    if len(numeric) > MOST_FEATURES:
        raise RunFailed(
            "TooManyFeatures",
            f"the table has {len(numeric)} numeric columns: list at most {MOST_FEATURES} in"
            " features",
        )
    return numeric, left_out


def numeric_rows(table: Table, features: tuple[str, ...]) -> NDArray[np.float64]:
    """Return these columns as float64 [n, features].

    Raises:
        RunFailed: columns are missing, not numeric, or hold missing or infinite values; the message
            names every column with the same fault.
    """
    frame = table.frame
    _refuse(
        "FeatureMissing",
        (
            quoted(name)
            for name in features
            if name not in frame.columns and name not in table.other
        ),
        "the table has no column {}: correct features, or add the column",
    )
    _refuse(
        "NonNumericFeature",
        (
            str(
                LeftOut(name, table.other[name])
                if name in table.other
                else _text(name, frame[name])
            )
            for name in features
            if name in table.other or not _is_number(frame[name])
        ),
        "not numeric: {}; encode as numbers, or do not list as feature",
    )
    _refuse(
        "MissingValues",
        (
            f"{quoted(name)} in {rows_of(frame[name].isna())}"
            for name in features
            if frame[name].isna().any()
        ),
        "missing values: {}; fill them or leave the rows out",
    )
    rows = np.column_stack([frame[name].to_numpy(dtype=np.float64) for name in features])
    wrong = ~(np.abs(rows) <= LARGEST)
    _refuse(
        "InfiniteValues",
        (
            f"{quoted(name)} in {rows_of(pd.Series(wrong[:, index], frame.index))}"
            for index, name in enumerate(features)
            if wrong[:, index].any()
        ),
        "infinite or beyond float32: {}; correct the values or leave the rows out",
    )
    return rows + 0.0  # -0.0 and 0.0 are one value


def rows_of(chosen: pd.Series) -> str:
    """Return how many rows are chosen, and their numbers; the first row of a table is 1."""
    rows = [str(row + 1) for row in chosen.index[chosen.to_numpy()]]
    return f"row {rows[0]}" if len(rows) == 1 else f"{len(rows)} rows ({some(rows)})"


def _refuse(reason: FinalReason, findings: Iterable[str], sentence: str) -> None:
    found = list(findings)
    if found:
        raise RunFailed(reason, sentence.format(some(found, NAMED)))


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def _text(name: str, column: pd.Series) -> LeftOut:
    """Return why a text column is not a feature."""
    present = ~missing(column)
    wrong = present & numbers(column).isna()
    count = int(present.sum())
    if not count:
        return LeftOut(name, "every cell is missing")
    if not wrong.any():
        return LeftOut(name, "text; every cell is a number: store it as numbers", doubtful=True)
    if 2 * wrong.sum() < count:
        return LeftOut(
            name,
            f"numeric but for {int(wrong.sum())} of {count} cells, in {rows_of(wrong)}",
            doubtful=True,
        )
    return LeftOut(name, "text")

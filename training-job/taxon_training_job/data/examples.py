"""From a table to examples: every way a table can be unfit is refused here, before any fit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import Identity, Imputer
from taxon_training_job.data.columns import Column, rows_of
from taxon_training_job.data.features import choose_features, refuse
from taxon_training_job.data.labels import Classes, classes_of
from taxon_training_job.data.left_out import LeftOut, quoted, some
from taxon_training_job.data.signature import contents, varies
from taxon_training_job.data.table import Table
from taxon_training_job.failure import RunFailed

LARGEST = float(np.finfo(np.float32).max)
MOST_CATEGORY_BYTES = 4 * 2**20
"""Text of all categories of a model, in UTF-8."""


@dataclass(frozen=True)
class Examples:
    """A table's features and each row's class.

    ``target`` holds each row's position in ``classes``; ``kept`` the positions of the features that
    vary; ``left_out`` the columns of the table that are neither feature nor target.
    """

    columns: tuple[Column, ...]
    classes: Classes
    target: NDArray[np.intp]
    kept: tuple[int, ...]
    left_out: tuple[LeftOut, ...]

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Return the features' names in their order."""
        return tuple(column.name for column in self.columns)

    @property
    def contents(self) -> NDArray[np.float64]:
        """Return what identifies each row's features, shape [rows, features]; only bits matter."""
        return contents(self.columns)

    @property
    def labels(self) -> NDArray[np.object_] | NDArray[np.int64]:
        """Return each row's class itself, as scikit-learn is given it.

        Text is held once per class: numpy's own strings would cost each row the longest label.
        """
        text = isinstance(self.classes[0], str)
        return np.array(self.classes, dtype=object if text else np.int64)[self.target]

    @property
    def constant(self) -> tuple[str, ...]:
        """Return the features that never vary: accepted by the server and ignored."""
        return tuple(f for index, f in enumerate(self.features) if index not in set(self.kept))


def examine(table: Table, identity: Identity, sealed: Sequence[SignatureFeature] = ()) -> Examples:
    """Turn a table into examples; of a bundle's inputs, where one is sealed already.

    Raises:
        RunFailed: the table is unfit; the reason and sentence name the column and the remedy.
    """
    classes, target = classes_of(table, identity)
    columns, left_out = choose_features(table, identity.dataset, sealed)
    imputer = identity.pipeline.imputer
    _check_values(columns, table.frame.index, imputer)
    _check_categories(columns)
    for column in columns:
        if _copies(column.values, target, len(classes)):
            raise RunFailed(
                "FeatureCopiesTarget",
                f"feature {quoted(column.name)} is a copy of the target"
                f" {quoted(identity.dataset.target)}: leave it out of features, it will not be"
                " known when predicting",
            )
    kept = tuple(i for i, column in enumerate(columns) if varies(column, imputer))
    if not kept:
        raise RunFailed("FeatureMissing", "every feature is constant: add a column that varies")
    return Examples(columns, classes, target, kept, tuple(left_out))


def _check_values(columns: Sequence[Column], index: pd.Index, imputer: Imputer | None) -> None:
    """Refuse missing values where none may be, and numbers that a tree's float32 cannot hold."""
    gaps = {column.name: np.isnan(column.values) for column in columns}
    if imputer is not None and imputer.strategy == "None":
        refuse(
            "MissingValues",
            _found(gaps, index),
            "missing values: {}; fill them or leave the rows out, or change pipeline.imputer",
        )
    wrong = {
        column.name: ~(np.abs(column.values) <= LARGEST) & ~gaps[column.name]
        for column in columns
        if column.type == "Numeric"
    }
    refuse(
        "InfiniteValues",
        _found(wrong, index),
        "infinite or beyond float32: {}; correct the values or leave the rows out",
    )


def _found(chosen: Mapping[str, NDArray[np.bool_]], index: pd.Index) -> Iterator[str]:
    """Return each column with the rows that are chosen of it."""
    for name, rows in chosen.items():
        if rows.any():
            yield f"{quoted(name)} in {rows_of(pd.Series(rows, index))}"


def _check_categories(columns: Sequence[Column]) -> None:
    """Refuse more categories than a bundle may list: every server holds them."""
    size = {one.name: sum(len(text.encode()) for text in one.categories) for one in columns}
    if sum(size.values()) <= MOST_CATEGORY_BYTES:
        return
    largest = sorted(columns, key=lambda column: -size[column.name])
    named = [f"{quoted(one.name)} ({len(one.categories)})" for one in largest if size[one.name]]
    raise RunFailed(
        "TooManyCategories",
        f"the categories are more than {MOST_CATEGORY_BYTES >> 20} MiB of text: leave out features"
        f" with many: {some(named)}",
    )


def _copies(values: NDArray[np.float64], target: NDArray[np.intp], classes: int) -> bool:
    """Return whether each value of a feature belongs to one class, and each class to one value.

    A missing value is one, too: who fills in a field for one class only tells it.
    """
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) != classes:
        return False
    return len(np.unique(codes * classes + target)) == classes

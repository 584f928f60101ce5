"""From a table to examples: every way a table can be unfit is refused here, before any fit."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from taxon_contracts.resource import Identity
from taxon_training_job.data.columns import Column, choose_features, numeric_rows
from taxon_training_job.data.labels import Classes, classes_of
from taxon_training_job.data.left_out import LeftOut, quoted
from taxon_training_job.data.signature import contents, varies
from taxon_training_job.data.table import Table
from taxon_training_job.failure import RunFailed


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

    @cached_property
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


def examine(table: Table, identity: Identity) -> Examples:
    """Turn a table into examples.

    Raises:
        RunFailed: the table is unfit; the reason and sentence name the column and the remedy.
    """
    classes, target = classes_of(table, identity)
    features, left_out = choose_features(table, identity.dataset)
    rows = numeric_rows(table, features)
    columns = tuple(Column(name, "Numeric", rows[:, index]) for index, name in enumerate(features))
    for column in columns:
        if _copies(column.values, target, len(classes)):
            raise RunFailed(
                "FeatureCopiesTarget",
                f"feature {quoted(column.name)} is a copy of the target"
                f" {quoted(identity.dataset.target)}: leave it out of features, it will not be"
                " known when predicting",
            )
    imputer = identity.pipeline.imputer
    kept = tuple(i for i, column in enumerate(columns) if varies(column, imputer))
    if not kept:
        raise RunFailed("FeatureMissing", "every feature is constant: add a column that varies")
    return Examples(columns, classes, target, kept, left_out)


def _copies(values: NDArray[np.float64], target: NDArray[np.intp], classes: int) -> bool:
    """Return whether each value of a feature belongs to one class, and each class to one value."""
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) != classes:
        return False
    return len(np.unique(codes * classes + target)) == classes

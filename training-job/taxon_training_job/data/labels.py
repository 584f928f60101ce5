"""The target: classes, and each row's position among them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taxon_bundle.codec import MISSING_WORDS
from taxon_contracts.resource import Identity
from taxon_training_job.data.columns import rows_of
from taxon_training_job.data.left_out import absent, quoted, some
from taxon_training_job.data.table import Table
from taxon_training_job.data.words import missing
from taxon_training_job.failure import RunFailed

LARGEST_LABEL = 2.0**63
BINARY = 2

Classes = tuple[str, ...] | tuple[int, ...]


def classes_of(table: Table, identity: Identity) -> tuple[Classes, NDArray[np.intp]]:
    """Return the sorted classes and each row's position among them, shape [n].

    Raises:
        RunFailed: the target is unfit, or not what the spec says of it.
    """
    column = _labels(table, identity.dataset.target)
    codes, found = pd.factorize(column)
    values = found.tolist()
    order = sorted(range(len(values)), key=values.__getitem__)
    if len(values) < BINARY:
        what = "one class only" if values else "no rows"
        raise RunFailed(
            "SingleClass",
            f"target {quoted(identity.dataset.target)} contains {what}: add rows of at least two"
            " classes",
        )
    position = np.empty(len(values), dtype=np.intp)
    position[order] = np.arange(len(values))
    classes = tuple(values[index] for index in order)
    _check_positive_class(classes, identity)
    return classes, position[codes]


def _labels(table: Table, target: str) -> pd.Series:
    """Return the target as integers where it holds numbers, else as text."""
    name = quoted(target)
    if target in table.other:
        raise RunFailed(
            "LabelsNotDiscrete",
            f"target {name} holds {table.other[target]}: a classifier needs text or integer labels",
        )
    if target not in table.frame.columns:
        raise RunFailed(
            "TargetMissing",
            f"the table has no column {absent(target, table.frame.columns)}: {_columns(table)};"
            " correct target",
        )
    column = table.frame[target]
    blank = missing(column)
    if blank.any():
        raise RunFailed(
            "MissingValues",
            f"target {name} is missing in {rows_of(blank)}: leave unlabelled rows out (a blank"
            f" cell is missing, and so are the words {', '.join(sorted(MISSING_WORDS))})",
        )
    return _discrete(column, name)


def _columns(table: Table) -> str:
    """Return what the table has; a first line of numbers is data, which no message repeats."""
    names = [str(name) for name in table.frame.columns]
    if pd.to_numeric(pd.Series(names, dtype="str"), errors="coerce").notna().any():
        return "its first line contains numbers instead of names"
    return f"it has {some(map(quoted, names))}"


def _discrete(column: pd.Series, name: str) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(column):
        return column
    if pd.api.types.is_bool_dtype(column):
        return column.astype("str")
    if pd.api.types.is_integer_dtype(column):
        within = bool((column <= np.iinfo(np.int64).max).all())
        return column.astype("int64" if within else "str")
    numbers = column.to_numpy(dtype=np.float64)
    if not ((np.abs(numbers) < LARGEST_LABEL) & (numbers == np.floor(numbers))).all():
        raise RunFailed(
            "LabelsNotDiscrete",
            f"target {name} holds fractions or floats beyond 64 bits: a classifier needs text or"
            " integer labels",
        )
    return column.astype("int64")


def _check_positive_class(classes: Classes, identity: Identity) -> None:
    positive, threshold = identity.dataset.positive_class, identity.pipeline.threshold
    if len(classes) != BINARY and (positive is not None or threshold is not None):
        raise RunFailed(
            "InvalidRun",
            f"the target has {len(classes)} classes: positiveClass and threshold are for two,"
            " remove them",
        )
    if positive is not None and positive not in map(str, classes):
        raise RunFailed(
            "ClassMissing",
            f"positiveClass {positive!r} is neither of the target's two classes: write it exactly"
            " as the table does",
        )

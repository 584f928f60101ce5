"""From a table to examples: every way a table can be unfit is refused here, before any fit."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taxon_contracts.resource import Dataset, Identity
from taxon_training_job.failure import RunFailed

MISSING_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "?", "-"})
LARGEST_LABEL = 2.0**63
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Examples:
    """Rows and their classes.

    ``rows`` is float64 [n, features] in the order of ``features``; ``target`` holds each row's
    position in ``classes``; ``kept`` the positions of the features that vary; ``ignored`` the
    columns of the table that are neither feature nor target.
    """

    features: tuple[str, ...]
    rows: NDArray[np.float64]
    classes: tuple[str, ...] | tuple[int, ...]
    target: NDArray[np.intp]
    kept: tuple[int, ...]
    ignored: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.object_] | NDArray[np.int64]:
        """Return each row's class itself, as scikit-learn is given it."""
        return np.array(self.classes)[self.target]

    @property
    def constant(self) -> tuple[str, ...]:
        """Return the features that never vary: accepted by the server and ignored."""
        return tuple(f for index, f in enumerate(self.features) if index not in set(self.kept))


def examine(frame: pd.DataFrame, identity: Identity) -> Examples:
    """Turn a table into examples.

    Raises:
        RunFailed: the table is unfit; the reason and sentence name the column and the remedy.
    """
    dataset = identity.dataset
    classes, target = _classes(frame, dataset)
    _check_positive_class(classes, identity)
    features = _features(frame, dataset)
    rows = numeric_rows(frame, features)
    for index, name in enumerate(features):
        if _copies(rows[:, index], target, len(classes)):
            raise RunFailed(
                "FeatureCopiesTarget",
                f"feature {name!r} is a copy of the target {dataset.target!r}: leave it out of"
                " features, it will not be known when predicting",
            )
    kept = tuple(int(i) for i in np.flatnonzero(np.ptp(rows, axis=0) > 0))
    if not kept:
        raise RunFailed("FeatureMissing", "every feature is constant: add a column that varies")
    ignored = tuple(str(c) for c in frame.columns if c != dataset.target and c not in features)
    return Examples(features, rows, classes, target, kept, ignored)


def numeric_rows(frame: pd.DataFrame, features: tuple[str, ...]) -> NDArray[np.float64]:
    """Return these columns as float64 [n, features].

    Raises:
        RunFailed: a column is missing, not numeric, or holds a missing or infinite value.
    """
    return np.column_stack([_numeric_column(frame, name) for name in features])


def _numeric_column(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in frame.columns:
        raise RunFailed(
            "FeatureMissing",
            f"the table has no column {name!r}: correct features, or add the column",
        )
    column = frame[name]
    missing = column.isna() | (_words(column).isin(MISSING_WORDS) if _is_text(column) else False)
    if missing.any():
        raise RunFailed(
            "MissingValues",
            f"feature {name!r} has {int(missing.sum())} missing values, the first in row"
            f" {int(np.argmax(missing)) + 1}: fill them or leave the rows out",
        )
    if _is_text(column) or not _is_number(column):
        numbers = pd.to_numeric(column, errors="coerce")
        first = int(np.argmax(numbers.isna()))
        raise RunFailed(
            "NonNumericFeature",
            f"feature {name!r} is not numeric, row {first + 1} holds"
            f" {str(column.iloc[first])[:40]!r}: encode it as numbers, or do not list it",
        )
    values = column.to_numpy(dtype=np.float64)
    wrong = ~(np.abs(values) <= LARGEST)
    if wrong.any():
        raise RunFailed(
            "InfiniteValues",
            f"feature {name!r} is infinite or beyond float32 in row {int(np.argmax(wrong)) + 1}:"
            " correct the value or leave the row out",
        )
    return values + 0.0  # -0.0 and 0.0 are one value


def _is_text(column: pd.Series) -> bool:
    return bool(
        pd.api.types.is_object_dtype(column)
        or pd.api.types.is_string_dtype(column)
        or isinstance(column.dtype, pd.CategoricalDtype)
    )


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column)) and not bool(
        pd.api.types.is_complex_dtype(column)
    )


def _words(column: pd.Series) -> pd.Series:
    return column.astype(str).str.strip().str.lower()


def _features(frame: pd.DataFrame, dataset: Dataset) -> tuple[str, ...]:
    """Return the listed features, or every numeric column but the target."""
    if dataset.features is not None:
        return tuple(feature.name for feature in dataset.features)
    numeric = tuple(
        str(name)
        for name in frame.columns
        if name != dataset.target
        and (_is_number(frame[name]) or _numeric_but_for_gaps(frame[name]))
    )
    if not numeric:
        raise RunFailed(
            "FeatureMissing",
            "the table has no numeric column besides the target: encode one as numbers",
        )
    if len(numeric) > 1000:  # noqa: PLR2004 - the bound of dataset.features
        raise RunFailed(
            "TooManyFeatures",
            f"the table has {len(numeric)} numeric columns: list at most 1000 in features",
        )
    return numeric


def _numeric_but_for_gaps(column: pd.Series) -> bool:
    """Tell whether a text column holds numbers and words for missing ones only."""
    if not _is_text(column):
        return False
    present = column[~(column.isna() | _words(column).isin(MISSING_WORDS))]
    return 0 < len(present) < len(column) and bool(
        pd.to_numeric(present, errors="coerce").notna().all()
    )


def _classes(
    frame: pd.DataFrame, dataset: Dataset
) -> tuple[tuple[str, ...] | tuple[int, ...], NDArray[np.intp]]:
    """Return the sorted classes and each row's position among them."""
    if dataset.target not in frame.columns:
        raise RunFailed(
            "TargetMissing",
            f"the table has no column {dataset.target!r}: it has"
            f" {', '.join(map(str, frame.columns))[:200]}; correct target",
        )
    column = frame[dataset.target]
    if column.isna().any():
        raise RunFailed(
            "MissingValues",
            f"target {dataset.target!r} is missing in row {int(np.argmax(column.isna())) + 1}:"
            " leave unlabelled rows out",
        )
    labels = _discrete(column, dataset.target)
    values, target = np.unique(labels, return_inverse=True)
    if len(values) < 2:  # noqa: PLR2004 - a classifier tells at least two apart
        found = f"only the class {values[0]!s}" if len(values) else "no rows"
        raise RunFailed(
            "SingleClass",
            f"target {dataset.target!r} holds {found}: add rows of at least two classes",
        )
    return tuple(values.tolist()), target.astype(np.intp)


def _discrete(column: pd.Series, name: str) -> NDArray[np.int64] | NDArray[np.str_]:
    """Return labels as integers where they all are, else as text."""
    if not _is_number(column) or pd.api.types.is_bool_dtype(column):
        return column.astype(str).to_numpy(dtype=str)
    numbers = column.to_numpy(dtype=np.float64)
    if not ((np.abs(numbers) < LARGEST_LABEL) & (numbers == np.floor(numbers))).all():
        raise RunFailed(
            "LabelsNotDiscrete",
            f"target {name!r} holds fractions or numbers beyond 64 bits: a classifier needs text or"
            " integer labels",
        )
    return column.to_numpy(dtype=np.int64)


def _check_positive_class(classes: tuple[str, ...] | tuple[int, ...], identity: Identity) -> None:
    binary = len(classes) == 2  # noqa: PLR2004 - two is what binary means
    positive, threshold = identity.dataset.positive_class, identity.pipeline.threshold
    if not binary and (positive is not None or threshold is not None):
        raise RunFailed(
            "InvalidRun",
            f"the target has {len(classes)} classes: positiveClass and threshold are for two,"
            " remove them",
        )
    if positive is not None and positive not in map(str, classes):
        raise RunFailed(
            "ClassMissing",
            f"positiveClass {positive!r} is not among the classes"
            f" {', '.join(map(str, classes))}: correct it",
        )


def _copies(values: NDArray[np.float64], target: NDArray[np.intp], classes: int) -> bool:
    """Tell whether a feature's values and the classes stand one to one."""
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) != classes:
        return False
    return len(np.unique(codes * classes + target)) == classes

"""From typed columns to the signature a classifier is fitted for, and to its rows."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from taxon_bundle.codec import Codec, Rows
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import Imputer
from taxon_training_job.data.columns import Column


def signature(
    columns: Sequence[Column], train: NDArray[np.intp], imputer: Imputer | None
) -> tuple[SignatureFeature, ...]:
    """Return the inputs of a classifier that is fitted on some rows.

    Args:
        columns: the features, of the whole table.
        train: positions of the rows the classifier is fitted on: their categories are known to it.
        imputer: what fills gaps; None fills them in the features that have some.
    """
    return tuple(
        SignatureFeature(
            name=column.name,
            dropped=not varies(column, imputer),
            type=column.type,
            gaps=column.has_gaps if imputer is None else imputer.strategy != "None",
            categories=_by_frequency(column, train),
        )
        for column in columns
    )


def encoded(columns: Sequence[Column], codec: Codec) -> Rows:
    """Return the classifier's rows of a table, shape [rows, features]."""
    return np.column_stack([_encoded(column, place, codec) for place, column in enumerate(columns)])


def contents(columns: Sequence[Column]) -> NDArray[np.float64]:
    """Return what identifies each row's features, shape [rows, features]; only its bits matter.

    A category is a hash of its text, because its position changes as the table grows.
    """
    return np.column_stack([_content(column) for column in columns])


def varies(column: Column, imputer: Imputer | None) -> bool:
    """Return whether a column still holds two values once its gaps are filled."""
    present = np.unique(column.values[~np.isnan(column.values)])
    if len(present) != 1 or not column.has_gaps:
        return len(present) > 1
    if imputer is None:
        return column.type == "Categorical"
    if imputer.indicator or (column.type == "Categorical" and imputer.strategy != "MostFrequent"):
        return True
    return imputer.strategy == "Constant" and present[0] != (imputer.value or 0.0)


def _by_frequency(column: Column, train: NDArray[np.intp]) -> tuple[str, ...]:
    """Return the categories of some rows, the most frequent first, then in sorted order."""
    if column.type != "Categorical":
        return ()
    codes = column.values[train]
    counts = np.bincount(codes[~np.isnan(codes)].astype(np.intp), minlength=len(column.categories))
    order = np.argsort(-counts, kind="stable")
    return tuple(column.categories[code] for code in order if counts[code])


def _encoded(column: Column, place: int, codec: Codec) -> NDArray[np.float64]:
    if column.type != "Categorical":
        return column.values
    codes, _ = codec.encode_column(place, column.categories)
    return _looked_up(codes, column.values, missing=np.nan)


def _content(column: Column) -> NDArray[np.float64]:
    if column.type != "Categorical":
        return column.values
    hashes = b"".join(
        hashlib.blake2b(text.encode(), digest_size=8).digest() for text in column.categories
    )
    return _looked_up(np.frombuffer(hashes, "<f8"), column.values, missing=np.nan)


def _looked_up(
    table: NDArray[np.float64], positions: NDArray[np.float64], *, missing: float
) -> NDArray[np.float64]:
    """Return the table's entry for each position, ``missing`` where there is none."""
    found = np.full(len(positions), missing)
    present = ~np.isnan(positions)
    found[present] = table[positions[present].astype(np.intp)]
    return found

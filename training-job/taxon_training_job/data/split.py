"""Which rows are held out: decided by each row's content, not by its place in the table."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taxon_training_job.failure import RunFailed


@dataclass(frozen=True)
class Split:
    """Positions of the rows on each side, ascending, and what put them there.

    ``duplicates`` rows repeat an earlier one, class included. A row is held out when its draw is
    below the bound of its class in ``below``, which has one per class.
    """

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    duplicates: int
    below: tuple[float, ...]


def split(
    rows: NDArray[np.float64],
    target: NDArray[np.intp],
    classes: tuple[str, ...] | tuple[int, ...],
    *,
    features: tuple[str, ...],
    fraction: float,
    folds: int,
    seed: int,
) -> Split:
    """Hold out about ``fraction`` of each class, at least one distinct row of each.

    A row's features hash to a draw in [0, 1); it is held out when that is below ``fraction``, so it
    keeps its side when the table grows, and rows of equal features share a side. A class with no
    such row gives its own lowest one: in a grown table the lowest is that row or a new one, so no
    row a champion was fitted on is ever held out later. Rows of other classes stay where they are,
    even with the same features: they may have been fitted on.

    Args:
        rows: features, shape [n, features].
        target: each row's class, shape [n].
        classes: the classes.
        features: the columns' names.
        fraction: share to hold out.
        folds: rows of each class the fit needs on the other side.
        seed: another seed gives another split.

    Raises:
        RunFailed: a class keeps too few rows for the folds.
    """
    draws = row_draws(rows, features, seed)
    below = np.full(len(classes), fraction)
    for index in range(len(classes)):
        lowest = draws[target == index].min()
        if lowest >= fraction:
            below[index] = np.nextafter(lowest, np.inf)
    held_out = draws < below[target]
    kept = np.bincount(target[~held_out], minlength=len(classes))
    if kept.min() < folds:
        scarce = int(kept.argmin())
        raise RunFailed(
            "TooFewRows",
            f"class {classes[scarce]!s} has {int((target == scarce).sum())} rows and keeps"
            f" {int(kept[scarce])} of them for training, {folds} are needed: add distinct rows of"
            " it, or lower search.folds",
        )
    distinct = np.unique(np.column_stack([draws, target]), axis=0)
    return Split(
        np.flatnonzero(~held_out),
        np.flatnonzero(held_out),
        len(rows) - len(distinct),
        tuple(below.tolist()),
    )


def row_draws(
    rows: NDArray[np.float64], features: tuple[str, ...], seed: int
) -> NDArray[np.float64]:
    """Return one number in [0, 1) per row, drawn by its content; shape [n].

    Columns count in the order of their names, so that listing them in another order moves no row.
    """
    by_name = sorted(range(len(features)), key=features.__getitem__)
    key = seed.to_bytes(8, "little")
    content = np.ascontiguousarray(rows[:, by_name], dtype="<f8")
    hashes = [
        int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8, key=key).digest(), "little")
        for row in content
    ]
    return np.array([value >> 11 for value in hashes], dtype=np.float64) / 2.0**53

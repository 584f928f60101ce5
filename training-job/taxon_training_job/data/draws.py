"""A number in [0, 1) for every row, by its content: it decides whether a row is held out."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from taxon_training_job.data.labels import Classes


def row_draws(
    rows: NDArray[np.float64], features: tuple[str, ...], seed: int
) -> NDArray[np.float64]:
    """Return one number in [0, 1) per row, drawn by its features; shape [n].

    Columns count in the order of their names, so that listing them in another order moves no row.

    Args:
        rows: features, shape [n, features].
        features: the columns' names.
        seed: another seed gives other numbers.
    """
    by_name = sorted(range(len(features)), key=features.__getitem__)
    key = seed.to_bytes(8, "little")
    content = np.asarray(rows.take(by_name, axis=1), dtype="<f8")
    hashes = [_hashed(row.tobytes(), key) for row in content]
    return np.array(hashes, dtype=np.float64) / 2.0**53


def repeat_draws(
    contents: NDArray[np.float64], target: NDArray[np.intp], classes: Classes, seed: int
) -> NDArray[np.float64]:
    """Return one number in [0, 1) per row, another for every repeat of a row; shape [n].

    The n-th row with the same features and class has the same number in any table, whatever else
    the table holds.

    Args:
        contents: what :func:`row_draws` returned for the rows, shape [n].
        target: each row's class, shape [n].
        classes: the classes.
        seed: another seed gives other numbers.
    """
    key = seed.to_bytes(8, "little")
    names = [str(label).encode() for label in classes]
    hashes = [
        _hashed(content.tobytes() + int(repeat).to_bytes(8, "little") + names[label], key)
        for content, repeat, label in zip(contents, _repeats(contents, target), target, strict=True)
    ]
    return np.array(hashes, dtype=np.float64) / 2.0**53


def _repeats(contents: NDArray[np.float64], target: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return how many earlier rows have the same content and class, shape [n]."""
    order = np.lexsort((target, contents))
    first = (np.diff(contents[order], prepend=-1.0) != 0) | (
        np.diff(target[order], prepend=-1) != 0
    )
    starts = np.flatnonzero(first)
    repeats = np.empty(len(contents), dtype=np.intp)
    sizes = np.diff(starts, append=len(contents))
    repeats[order] = np.arange(len(contents)) - np.repeat(starts, sizes)
    return repeats


def _hashed(content: bytes, key: bytes) -> int:
    """Return 53 bits of a keyed hash."""
    digest = hashlib.blake2b(content, digest_size=8, key=key).digest()
    return int.from_bytes(digest, "little") >> 11

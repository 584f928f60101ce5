"""Which rows are held out: decided by each row's content, not by its place in the table."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from taxon_training_job.data.draws import repeat_draws, row_draws
from taxon_training_job.data.labels import Classes
from taxon_training_job.failure import RunFailed

FEW_CONTENTS = 100
"""Contents, weighted by their rows, below which holding whole ones out misses the fraction."""
MANY_REPEATS = 3
"""Rows per content above which repeats are what the data is like, not copies of a row."""
MOSTLY = 0.5
LARGE_SHARE = 0.02
LARGE_ROWS = 20
SLACK = 0.1
"""How far, of the fraction, a class of a table with divided contents may be off it."""


@dataclass(frozen=True)
class Divided:
    """The contents whose repeats go to both sides: every one, or those with these draws."""

    every: bool = False
    contents: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return self.every or bool(self.contents)


@dataclass(frozen=True)
class Split:
    """Positions of the rows on each side, ascending, and the rule that put them there.

    ``duplicates`` rows repeat an earlier one, class included.
    """

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    duplicates: int
    rule: "Rule"


@dataclass(frozen=True)
class Rule:
    """What decides the side of every row; a bundle records it.

    A row is held out when its draw is below the bound of its class in ``below``, which has one per
    class. Rows of the same content share a draw, except where the content is divided.
    """

    seed: int
    below: tuple[float, ...]
    divided: Divided = Divided()

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Return the rule of a bundle's record; older bundles divide nothing."""
        divided = record.get("divided", {})
        return cls(
            record["seed"],
            tuple(record["below"]),
            Divided(bool(divided.get("every")), tuple(divided.get("contents", ()))),
        )

    def record(self) -> dict[str, Any]:
        """Return the record of the rule for a bundle."""
        record: dict[str, Any] = {"seed": self.seed, "below": list(self.below)}
        if self.divided:
            contents = list(self.divided.contents)
            record["divided"] = {"every": self.divided.every, "contents": contents}
        return record

    def held_out(
        self,
        rows: NDArray[np.float64],
        target: NDArray[np.intp],
        classes: Classes,
        features: tuple[str, ...],
    ) -> NDArray[np.bool_]:
        """Return whether each row of a table is held out, shape [n].

        Args:
            rows: features, shape [n, features]; the whole table where contents are divided.
            target: each row's class, shape [n].
            classes: the classes.
            features: the columns' names.
        """
        contents = row_draws(rows, features, self.seed)
        draws = _draws(contents, target, classes, self.divided, self.seed)
        held_out: NDArray[np.bool_] = draws < np.array(self.below)[target]
        return held_out


def split(
    rows: NDArray[np.float64],
    target: NDArray[np.intp],
    classes: Classes,
    features: tuple[str, ...],
    *,
    fraction: float,
    folds: int,
    seed: int,
) -> Split:
    """Hold out about ``fraction`` of each class, at least one row of each.

    A row's features hash to a draw in [0, 1); it is held out when that is below ``fraction``, so it
    keeps its side when the table grows, and rows of equal features share a side. Where few
    different rows make up the table, or a content is a large part of it, each repeat has a draw of
    its own, and the bounds are chosen so that each class has its share.

    A class with no row below the fraction gives its own lowest one: in a grown table the lowest is
    that row or a new one, so no row a champion was fitted on is ever held out later. Rows of other
    classes stay where they are, even with the same features: they may have been fitted on.

    Args:
        rows: features, shape [n, features].
        target: each row's class, shape [n].
        classes: the classes.
        features: the columns' names.
        fraction: share to hold out.
        folds: rows of each class the fit needs on the other side.
        seed: another seed gives another split.

    Raises:
        RunFailed: a class keeps too few rows for the folds, or the held-out rows are all alike.
    """
    contents = row_draws(rows, features, seed)
    divided = _divided(contents, target)
    draws = _draws(contents, target, classes, divided, seed)
    below = tuple(
        _bound(np.sort(draws[target == index]), fraction, exact=bool(divided))
        for index in range(len(classes))
    )
    sides = _sides(contents, target, draws < np.array(below)[target], Rule(seed, below, divided))
    _check(sides, contents, target, folds)
    return sides


def recorded_split(
    rule: Rule,
    rows: NDArray[np.float64],
    target: NDArray[np.intp],
    classes: Classes,
    features: tuple[str, ...],
) -> Split:
    """Return the split a bundle was made with; arguments as of :func:`split`."""
    contents = row_draws(rows, features, rule.seed)
    return _sides(contents, target, rule.held_out(rows, target, classes, features), rule)


def _sides(
    contents: NDArray[np.float64],
    target: NDArray[np.intp],
    held_out: NDArray[np.bool_],
    rule: Rule,
) -> Split:
    distinct = np.unique(np.column_stack([contents, target]), axis=0)
    return Split(
        np.flatnonzero(~held_out), np.flatnonzero(held_out), len(target) - len(distinct), rule
    )


def _check(
    sides: Split, contents: NDArray[np.float64], target: NDArray[np.intp], folds: int
) -> None:
    """Refuse a table that cannot be fitted or judged this way."""
    rows = np.bincount(target)
    kept = np.bincount(target[sides.train], minlength=len(rows))
    if kept.min() < folds:
        scarce = int(kept.argmin())
        raise RunFailed(
            "TooFewRows",
            f"the class of row {int(np.argmax(target == scarce)) + 1} has {int(rows[scarce])} rows"
            f" and keeps {int(kept[scarce])} of them for training, {folds} are needed: add"
            " different rows of it, or lower search.folds",
        )
    alike = len(np.unique(contents[sides.test])) == 1 < len(np.unique(contents))
    if alike and len(sides.test) > 1:
        raise RunFailed(
            "TooFewRows",
            f"the {len(sides.test)} rows held out all have the same features, so no figure would"
            " mean anything: add different rows, or raise testFraction",
        )


def _divided(contents: NDArray[np.float64], target: NDArray[np.intp]) -> Divided:
    """Return which contents are too large a part of the table to be on one side.

    Rows of the same features and another class are not copies of each other: where most rows have
    such a repeat, repeats are what the data is like, however many contents there are.
    """
    values, which, counts = np.unique(contents, return_inverse=True, return_counts=True)
    rows = len(contents)
    effective = rows**2 / float((counts.astype(np.float64) ** 2).sum())
    pairs = np.unique(np.column_stack([which, target]), axis=0)
    several = np.bincount(pairs[:, 0]) > 1
    mixed = counts[several].sum() > MOSTLY * rows
    if rows > MANY_REPEATS * len(values) and (effective < FEW_CONTENTS or mixed):
        return Divided(every=True)
    large = values[counts >= max(LARGE_ROWS, LARGE_SHARE * rows)]
    return Divided(contents=tuple(large.tolist()))


def _draws(
    contents: NDArray[np.float64],
    target: NDArray[np.intp],
    classes: Classes,
    divided: Divided,
    seed: int,
) -> NDArray[np.float64]:
    """Return each row's draw, which it shares with its repeats unless its content is divided."""
    if not divided:
        return contents
    repeats = repeat_draws(contents, target, classes, seed)
    if divided.every:
        return repeats
    return np.where(np.isin(contents, divided.contents), repeats, contents)


def _bound(draws: NDArray[np.float64], fraction: float, *, exact: bool) -> float:
    """Return the bound below which a class's rows are held out.

    Args:
        draws: the class's, ascending.
        fraction: share to hold out.
        exact: whether to keep the share near the fraction, which few contents would miss by chance.
    """
    count = int(np.searchsorted(draws, fraction))
    wanted = fraction * len(draws)
    slack = int(SLACK * wanted)
    least = max(1, round(wanted) - slack) if exact else 1
    most = max(1, round(wanted) + slack) if exact else len(draws)
    if least <= count <= most:
        return fraction
    return float(np.nextafter(draws[min(max(count, least), most) - 1], np.inf))

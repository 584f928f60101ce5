"""The bins of a column: edges that lose little of its distribution, and its values by them.

Values are finite float64 [n], ascending. Bin i is [edges[i - 1], edges[i]), as PostgreSQL's
``width_bucket`` and ``bisect_right`` have it. An edge is written with as few digits as leave every
value in its bin, and in full where nine do not; values are counted by the edges as written.
"""

from decimal import ROUND_FLOOR, Context, Decimal

import numpy as np
from numpy.typing import NDArray

MOST_BINS = 32
DIGITS = 9
_FLOORS = [Context(prec=digits, rounding=ROUND_FLOOR) for digits in range(1, DIGITS + 1)]

Values = NDArray[np.float64]


def column_edges(values: Values) -> Values:
    """Return the edges of a column's bins; the outermost enclose the values.

    Up to 32 distinct values have a bin each. Beyond that the bins hold equal shares, and a value of
    a 32nd of the rows or more has its own.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= MOST_BINS:
        return np.union1d(distinct, np.nextafter(distinct, np.inf))
    own = distinct[counts * MOST_BINS >= len(values)]
    exact = [distinct[0], *own, *np.nextafter(own, np.inf), np.nextafter(distinct[-1], np.inf)]
    return np.union1d(exact, _short(np.setdiff1d(_begins(values, MOST_BINS), exact), distinct))


def share_edges(values: Values, bins: int) -> Values:
    """Return edges that part the values into at most so many equal shares; none is outside."""
    begins = _begins(values, bins)
    return _short(np.unique(begins[begins > values[0]]), values)


def counted(values: Values, edges: Values) -> list[int]:
    """Return how many values each bin holds, one more than there are edges."""
    below = np.searchsorted(values, edges)
    counts: list[int] = np.diff(below, prepend=0, append=len(values)).tolist()
    return counts


def short(number: float) -> float:
    """Return a figure with nine digits."""
    return float(f"{number:.{DIGITS}g}")


def _begins(values: Values, bins: int) -> Values:
    """Return the values at which each of so many equal shares begins."""
    return values[np.arange(bins) * (len(values) - 1) // bins]


def _short(cuts: Values, values: Values) -> Values:
    """Round some of the values, not the least, down to as few digits as leave none between."""
    below = values[np.searchsorted(values, cuts) - 1]
    return np.array([_shortest(*pair) for pair in zip(cuts.tolist(), below.tolist(), strict=True)])


def _shortest(cut: float, below: float) -> float:
    """Return the number of fewest digits above ``below`` and up to ``cut``."""
    exact = Decimal(cut)
    rounded = (float(floor.create_decimal(exact)) for floor in _FLOORS)
    return next((number for number in rounded if number > below), cut)

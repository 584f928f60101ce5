"""Short numbers for people, which never contradict the decision made with the exact ones."""

import math

DECIMALS = 4
MOST_DECIMALS = 17


def exact(value: float) -> str:
    """Return the shortest text that reads back as exactly this number."""
    return repr(value)


def readable(value: float) -> str:
    """Return a number with four decimals, or two figures where those would all be zero."""
    text = f"{value:.{DECIMALS}f}"
    return text if float(text) or not value or not math.isfinite(value) else f"{value:.1e}"


def beside(value: float, bound: float) -> str:
    """Return a short number that compares with ``bound`` in the same way as the exact one.

    ``0.79996`` and the bound ``0.8`` keep five decimals: rounded to four they would be equal.
    """
    for decimals in range(DECIMALS, MOST_DECIMALS + 1):
        text = f"{value:.{decimals}f}"
        shown = float(text)
        if (shown < bound, shown > bound) == (value < bound, value > bound):
            return readable(value) if decimals == DECIMALS and not shown else text
    return exact(value)

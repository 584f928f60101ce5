"""Numbers as people read them: short, and never contradicting what was decided with them."""

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
    """Return a number short, but so that it compares with ``bound`` as the number itself does.

    ``0.79996`` beside ``0.8`` keeps its five decimals: rounded to four it would equal the bound.
    """
    for decimals in range(DECIMALS, MOST_DECIMALS + 1):
        text = f"{value:.{decimals}f}"
        shown = float(text)
        if (shown < bound, shown > bound) == (value < bound, value > bound):
            return readable(value) if decimals == DECIMALS and not shown else text
    return exact(value)

"""What the cells of a column have in common: the SQL type that all of them can be read as."""

import math
import re
from collections.abc import Sequence
from typing import Literal

ColumnType = Literal["double precision", "boolean", "text"]

NULL = "\0"
"""A cell without a value, in rows on their way to COPY: no text of PostgreSQL's can hold it."""
BOOLEANS = frozenset(
    ("true", "false", "True", "False", "TRUE", "FALSE"),
)
NOT_FINITE = re.compile(r"\s*[+-]?inf(inity)?\s*|\s*nan\s*", re.IGNORECASE | re.ASCII)
ZERO = re.compile(r"\s*[+-]?(0+\.?0*|\.0+)([eE].*)?\s*", re.ASCII)
LEADING_ZERO = re.compile(r"\n *[+-]?0[0-9]", re.ASCII)
"""A number that is only a name, such as a postcode, in cells behind a line break each."""
PYTHONS_OWN = "_\x1c\x1d\x1e\x1f"
"""Characters in what Python takes for a number and PostgreSQL does not."""
EXACT = 2.0**53
"""Whole numbers beyond this are not all doubles."""


class Column:
    """The type of one column, found part by part."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._may_be: set[ColumnType] = {"double precision", "boolean"}
        self._empty = True

    @property
    def type(self) -> ColumnType:
        """Return the narrowest type of all cells so far."""
        return "text" if self._empty or not self._may_be else next(iter(self._may_be))

    def take(self, cells: Sequence[str]) -> None:
        """Let the next cells have their say."""
        if not self._may_be:
            return
        if NULL in cells:
            cells = [cell for cell in cells if cell != NULL]
        if not cells:
            return
        self._empty = False
        if "boolean" in self._may_be and not BOOLEANS.issuperset(cells):
            self._may_be.discard("boolean")
        if "double precision" in self._may_be and not _are_numbers(cells):
            self._may_be.discard("double precision")


def _are_numbers(cells: Sequence[str]) -> bool:
    """Return whether PostgreSQL reads each cell as a double, and none is only a name."""
    try:
        values = [*map(float, cells)]
    except ValueError:
        return False
    joined = "\n" + "\n".join(cells)
    if not joined.isascii() or any(sign in joined for sign in PYTHONS_OWN):
        return False
    if ("\n0" in joined or " " in joined or "-0" in joined or "+0" in joined) and (
        LEADING_ZERO.search(joined)
    ):
        return False
    if not (max(values) < EXACT and min(values) > -EXACT) and not _large(cells, values):
        return False
    return not (0.0 in values and not _zeros(cells, values))


def _large(cells: Sequence[str], values: Sequence[float]) -> bool:
    """Return whether what is large or not finite is written so, and not as an exact integer."""
    return all(
        NOT_FINITE.fullmatch(cell) if not math.isfinite(value) else not cell.strip(" +-").isdigit()
        for cell, value in zip(cells, values, strict=True)
        if not -EXACT < value < EXACT
    )


def _zeros(cells: Sequence[str], values: Sequence[float]) -> bool:
    """Return whether each zero is written as one: PostgreSQL refuses what only rounds to zero."""
    zeros = {cell for cell, value in zip(cells, values, strict=True) if value == 0.0}
    return all(ZERO.fullmatch(cell) for cell in zeros)

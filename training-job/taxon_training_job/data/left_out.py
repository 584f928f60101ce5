"""The columns a model does not use, for its log, its result and its gate's message."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from taxon_contracts.run import FinalReason, LeftOutColumn

MOST_REPORTED = 10
"""Columns in a run's result, which has to fit a termination message; the log has all."""
SHOWN = 5
NAME_SHOWN = 100


@dataclass(frozen=True)
class LeftOut:
    """A column that is neither feature nor target; ``doubtful`` when it may be meant as one.

    ``reason`` is the one a run ends for where the column is listed; None where a person has listed
    others instead.
    """

    name: str
    why: str
    doubtful: bool = False
    reason: FinalReason | None = None

    def __str__(self) -> str:
        return f"{quoted(self.name)} ({self.why})"


def by_reason(columns: Iterable[LeftOut]) -> dict[str, list[str]]:
    """Return the columns' names by the reason they are left out for."""
    names: dict[str, list[str]] = {}
    for column in columns:
        names.setdefault(column.why, []).append(column.name)
    return names


def reported(columns: Iterable[LeftOut]) -> tuple[LeftOutColumn, ...]:
    """Return what a run's result has of them: doubtful ones first, the first few."""
    first = _doubtful_first(columns)[:MOST_REPORTED]
    return tuple(LeftOutColumn(name=shortened(column.name), why=column.why) for column in first)


def left_out_sentence(columns: Iterable[LeftOut]) -> str:
    """Return a sentence about the columns that no person left out; empty for none."""
    own = [str(column) for column in _doubtful_first(columns) if column.reason is not None]
    return f"left out: {some(own)}" if own else ""


def _doubtful_first(columns: Iterable[LeftOut]) -> list[LeftOut]:
    return sorted(columns, key=lambda column: not column.doubtful)


def shortened(name: str) -> str:
    """Return a name that fits a sentence."""
    return name if len(name) <= NAME_SHOWN else name[:NAME_SHOWN] + "..."


def quoted(name: str) -> str:
    """Return a column's name for a sentence."""
    return repr(shortened(name))


def absent(name: str, known: Iterable[str]) -> str:
    """Return the name of a column that is not there, and the one that only looks different."""
    for other in known:
        if _form(other) == _form(name):
            return f"{quoted(name)} (it has one of another form of Unicode, or with spaces)"
        if _form(other).casefold() == _form(name).casefold():
            return f"{quoted(name)} (it has {quoted(other)})"
    return quoted(name)


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def some(items: Iterable[str], most: int = SHOWN) -> str:
    """Return the first few of these, and how many more there are."""
    listed = list(items)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more

"""Arrays of text as COPY sends them."""

import re
from collections.abc import Sequence

ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,]+)', re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
"""What COPY writes some characters as, behind a backslash."""


def cells_of(line: str) -> Sequence[str | None]:
    """Return the elements of an array, from a line of COPY's text format with nothing else."""
    if "\\" in line:
        line = ESCAPED.sub(lambda found: LETTERS.get(found[1], found[1]), line)
    inside = line[1:-1]
    if '"' not in inside:
        cells = inside.split(",")
        return [None if cell == "NULL" else cell for cell in cells] if "NULL" in cells else cells
    return [
        (None if plain == "NULL" else plain)
        if plain
        else (ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted)
        for quoted, plain in ELEMENT.findall(inside)
    ]

"""Rows of cells, as a file has them and as COPY takes them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from taxon_datastore.datasets.columns import NULL, Column

ESCAPES = str.maketrans({"\\": r"\\\\", '"': r"\\" + '"', "\t": r"\t", "\n": r"\n", "\r": r"\r"})
"""What an element of an array is written as in COPY's text format."""

Rows = Sequence[Sequence[str]]


@dataclass
class Source:
    """A file while it is read: its columns at once, its rows part by part."""

    names: list[str]
    parts: Iterable[Rows]
    digest: Callable[[], str]
    """The file's digest, once all parts are read."""
    bytes_read: Callable[[], int]
    arrow_schema: bytes | None = None
    stored: list[str] | None = None
    """The type of each column in the file, where the file has types."""
    columns: list[Column] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with columns of which nothing is known."""
        self.columns = [Column(name) for name in self.names]


def copy_lines(rows: Rows, first: int) -> bytes:
    """Return rows as COPY's text format has them: number of the row, array of cells.

    Args:
        rows: cells; NULL where there is no value.
        first: number of the first row.
    """
    text = "".join(_lines(rows, first))
    if _is_plain(text, rows):
        return text.replace(f'"{NULL}"', "NULL").encode()
    return "".join(_escaped(rows, first)).encode()


def _lines(rows: Rows, first: int) -> Iterator[str]:
    for number, row in enumerate(rows, first):
        yield f'{number}\t{{"' + '","'.join(row) + '"}\n'


def _is_plain(text: str, rows: Rows) -> bool:
    """Return whether no cell has a character that needs an escape: the usual case, and fast."""
    return (
        "\\" not in text
        and "\r" not in text
        and text.count('"') == 2 * len(rows) * len(rows[0])
        and text.count("\t") == text.count("\n") == len(rows)
    )


def _escaped(rows: Rows, first: int) -> Iterator[str]:
    for number, row in enumerate(rows, first):
        cells = ("NULL" if cell == NULL else f'"{cell.translate(ESCAPES)}"' for cell in row)
        yield f"{number}\t{{" + ",".join(cells) + "}\n"

"""Texts of some rows in little more memory than their bytes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Texts(Mapping[int, str]):
    """Texts by row: the rows in ascending order, where each one's text ends, and the UTF-8."""

    rows: NDArray[np.int64]
    stops: NDArray[np.int64]
    content: bytes | bytearray

    @classmethod
    def of(cls, texts: Mapping[int, str]) -> Self:
        """Return texts by row, the rows in ascending order."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts.values()]
        stops = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        return cls(np.array([*texts], np.int64), stops, b"".join(encoded))

    @classmethod
    def joined(cls, parts: Sequence[tuple[int, Self]]) -> Self:
        """Return the texts of consecutive parts of the rows, each given with its first row."""
        content = bytearray()
        stops = []
        for _, part in parts:
            stops.append(part.stops + len(content))
            content += part.content
        rows = np.concatenate([part.rows + first for first, part in parts])
        return cls(rows, np.concatenate(stops), content)

    @property
    def nbytes(self) -> int:
        """Return the bytes it takes."""
        return self.rows.nbytes + self.stops.nbytes + len(self.content)

    def __getitem__(self, row: int) -> str:
        """Return the text of a row."""
        place = int(np.searchsorted(self.rows, row))
        if place == len(self.rows) or self.rows[place] != row:
            raise KeyError(row)
        start = int(self.stops[place - 1]) if place else 0
        return self.content[start : int(self.stops[place])].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[int]:
        """Iterate over the rows."""
        return iter(self.rows.tolist())

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.rows)

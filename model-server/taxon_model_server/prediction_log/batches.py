"""One request's answers as the arrays they were computed in."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from taxon_bundle.codec import Codec, Encoded
from taxon_bundle.texts import Texts
from taxon_model_server.prediction_log.ids import ID_BYTES

ROW_BYTES = 100
"""Bytes of a row besides its features and probabilities."""
BATCH_BYTES = 1000
"""Bytes of a batch besides its rows."""


@dataclass(frozen=True)
class LoggedVersion:
    """What the arrays of a version's batches stand for.

    ``excluded`` has the features whose values are never logged.
    """

    version: str
    codec: Codec
    classes: tuple[str, ...] | tuple[int, ...]
    excluded: frozenset[str] = frozenset()


@dataclass(slots=True)
class Batch:
    """One request's answers; ``inputs`` is None if features are not logged.

    ``ids`` has 16 bytes per row, ``time`` is in seconds since 1970, ``chosen`` has the position of
    each row's class. A request that got no answer has one row, and neither ``inputs``, ``chosen``
    nor ``probabilities``. ``mirrored`` marks a copy whose answer goes to nobody.
    """

    ids: bytes
    of: LoggedVersion
    time: float
    latency_seconds: float
    request_id: str | None
    transport: str
    mirrored: bool = False
    inputs: Encoded | None = None
    chosen: NDArray[np.intp] | None = None
    probabilities: NDArray[np.float64] | None = None

    @property
    def count(self) -> int:
        """Return the number of its rows."""
        return len(self.ids) // ID_BYTES

    @property
    def size(self) -> int:
        """Return its approximate size in memory in bytes."""
        size = BATCH_BYTES + ROW_BYTES * self.count
        if self.inputs is not None:
            size += self.inputs.nbytes
        if self.probabilities is not None:
            size += self.probabilities.nbytes
        return size

    def parts(self, rows: int) -> Iterator["Batch"]:
        """Yield it as batches of at most so many rows."""
        if self.count <= rows:
            yield self
            return
        for start in range(0, self.count, rows):
            stop = start + rows
            yield replace(
                self,
                ids=self.ids[ID_BYTES * start : ID_BYTES * stop],
                inputs=self.inputs and _part(self.inputs, start, stop),
                chosen=None if self.chosen is None else self.chosen[start:stop],
                probabilities=(
                    None if self.probabilities is None else self.probabilities[start:stop]
                ),
            )


def _part(encoded: Encoded, start: int, stop: int) -> Encoded:
    """Return some rows."""
    unseen = {
        place: Texts.of({row - start: texts[row] for row in texts if start <= row < stop})
        for place, texts in encoded.unseen.items()
    }
    return Encoded(encoded.rows[start:stop], unseen)

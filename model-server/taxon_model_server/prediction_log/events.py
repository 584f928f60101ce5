"""Answers as prediction events: one JSON line per row, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from taxon_bundle.codec import Codec, Encoded
from taxon_contracts.document import salvage
from taxon_contracts.prediction import PredictionEvent

ROW_BYTES = 200
"""Bytes of a row besides its features and probabilities: its id, label and confidence."""


@dataclass(frozen=True)
class Batch:
    """One request's answers, as arrays; ``inputs`` is None if features are not logged.

    ``labels``, ``probabilities`` and ``confidence`` are None for a request that got no answer.
    """

    ids: list[UUID]
    version: str
    time: float
    request_id: str | None
    latency_seconds: float
    codec: Codec
    inputs: Encoded | None = None
    labels: Sequence[str | int] | None = None
    probabilities: NDArray[np.float64] | None = None
    confidence: Sequence[float] | None = None

    @property
    def size(self) -> int:
        """Return its approximate size in memory in bytes."""
        arrays = [array for array in (self.inputs, self.probabilities) if array is not None]
        return ROW_BYTES * len(self.ids) + sum(array.nbytes for array in arrays)

    def lines(self, namespace: str, model: str, start: int, stop: int) -> list[str]:
        """Return the events of some rows, or the one of a failed request, as JSON."""
        moment = datetime.fromtimestamp(self.time, UTC)
        sent = None if self.inputs is None else self.codec.decode(self.inputs, start, stop)
        return [
            PredictionEvent.model_construct(
                id=identifier,
                namespace=namespace,
                model=model,
                version=self.version,
                time=moment,
                request_id=self.request_id,
                features=None if sent is None else tuple(sent[row - start]),
                label=None if self.labels is None else self.labels[row],
                confidence=None if self.confidence is None else self.confidence[row],
                probabilities=(
                    None if self.probabilities is None else tuple(self.probabilities[row].tolist())
                ),
                latency_seconds=self.latency_seconds,
                outcome="Failed" if self.labels is None else "Answered",
            ).model_dump_json()
            for row, identifier in enumerate(self.ids[start:stop], start)
        ]


def read_lines(segment: Path) -> list[str]:
    """Return a segment's lines; bytes a disk damaged become replacement characters."""
    return segment.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]


def parse_events(lines: Sequence[str]) -> list[PredictionEvent]:
    """Return the events in some lines, which any release may have written.

    Damaged lines are left out.
    """
    events = []
    for line in lines:
        try:
            events.append(salvage(PredictionEvent, line))
        except ValidationError:
            continue
    return events

"""A prediction log whose database is in memory."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from taxon_bundle.codec import Codec, Encoded
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.prediction import PredictionEvent
from taxon_model_server.prediction_log.events import Batch
from taxon_model_server.prediction_log.ids import prediction_ids
from taxon_model_server.prediction_log.log import PredictionLog
from taxon_model_server.prediction_log.spool import Spool
from taxon_model_server.prediction_log.store import Refused, TryLater
from taxon_model_server.telemetry import Telemetry

SECONDS = 20.0
CODEC = Codec((SignatureFeature(name="length"), SignatureFeature(name="width")))


class MemoryStore:
    """A database that keeps events by id, and can be down or refuse a request's events."""

    def __init__(self) -> None:
        self.events: dict[object, PredictionEvent] = {}
        self.down = threading.Event()
        self.refuses: str | None = None
        self.tries = 0

    def __call__(self, events: Sequence[PredictionEvent]) -> None:
        """Store events."""
        self.tries += bool(events)
        if self.down.is_set():
            raise TryLater("the database is down")
        if self.refuses and any(event.request_id == self.refuses for event in events):
            raise Refused("no such value")
        self.events.update({event.id: event for event in events})


@contextmanager
def running(
    folder: Path, store: MemoryStore, telemetry: Telemetry, *, max_bytes: int = 2**20
) -> Iterator[PredictionLog]:
    """Yield a started log; close it afterwards."""
    spool = Spool(folder, max_bytes=max_bytes)
    log = PredictionLog("default", "small", spool, store, telemetry)
    log.start()
    yield log
    log.close(SECONDS)


def batch(rows: int = 1, **changes: object) -> Batch:
    """Return the answers to some rows."""
    document: dict[str, object] = {
        "ids": prediction_ids(rows),
        "version": "v0123456789",
        "time": 1_700_000_000.25,
        "request_id": "r1",
        "latency_seconds": 0.002,
        "codec": CODEC,
        "inputs": Encoded(np.full((rows, 2), 1.5)),
        "labels": ["benign"] * rows,
        "probabilities": np.tile([0.75, 0.25], (rows, 1)),
        "confidence": [0.75] * rows,
    }
    return Batch(**(document | changes))  # type: ignore[arg-type] # the keys above are its fields

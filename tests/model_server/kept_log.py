"""A prediction log whose database is in memory."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from taxon_contracts.prediction import PredictionEvent
from taxon_model_server.prediction_log.log import PredictionLog
from taxon_model_server.prediction_log.spool import Spool
from taxon_model_server.prediction_log.store import Refused, TryLater
from taxon_model_server.telemetry import Telemetry

SECONDS = 20.0


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

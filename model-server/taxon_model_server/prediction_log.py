"""The prediction log: off the request's path to disk, from disk to the database.

One thread writes what was answered to the spool, another moves the spool to the database. Neither
can slow or fail an answer; what is given up is counted.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from taxon_contracts.prediction import PredictionEvent
from taxon_model_server.events import tell
from taxon_model_server.spool import Spool, SpoolFull
from taxon_model_server.telemetry import Telemetry

QUEUE_ROWS = 100_000
"""Rows that may wait in memory; a single larger request is still taken when nothing waits."""
GROUP_SECONDS = 0.1
"""Answers of this long are written together; a crash loses these and those being written."""
SEGMENT_EVENTS = 2_000
RETRY_SECONDS = (0.5, 15.0)


class TryLater(Exception):  # noqa: N818 - a state, not a fault
    """The database does not take events now."""


class Refused(Exception):  # noqa: N818 - a state, not a fault
    """The database will never take these events."""


Store = Callable[[Sequence[PredictionEvent]], object]
"""Stores events, leaving those already stored as they are; raises TryLater or Refused."""


@dataclass(frozen=True)
class Batch:
    """One request's answers, as arrays; ``rows`` is None where features are not kept.

    ``labels``, ``probabilities`` and ``confidence`` are None for a request that got no answer.
    """

    ids: list[UUID]
    version: str
    time: float
    request_id: str | None
    latency_seconds: float
    rows: NDArray[np.float64] | None = None
    labels: Sequence[str | int] | None = None
    probabilities: NDArray[np.float64] | None = None
    confidence: Sequence[float] | None = None

    def lines(self, namespace: str, model: str) -> list[str]:
        """Return one event per row, or one for a failed request, as JSON."""
        moment = datetime.fromtimestamp(self.time, UTC)
        return [
            PredictionEvent.model_construct(
                id=identifier,
                namespace=namespace,
                model=model,
                version=self.version,
                time=moment,
                request_id=self.request_id,
                features=None if self.rows is None else tuple(self.rows[row].tolist()),
                label=None if self.labels is None else self.labels[row],
                confidence=None if self.confidence is None else self.confidence[row],
                probabilities=(
                    None if self.probabilities is None else tuple(self.probabilities[row].tolist())
                ),
                latency_seconds=self.latency_seconds,
                outcome="Failed" if self.labels is None else "Answered",
            ).model_dump_json()
            for row, identifier in enumerate(self.ids)
        ]


class PredictionLog:
    """Keeps every prediction of one model."""

    def __init__(
        self, namespace: str, model: str, spool: Spool, store: Store, telemetry: Telemetry
    ) -> None:
        self._names = (namespace, model)
        self._spool = spool
        self._store = store
        self._telemetry = telemetry
        self._waiting: list[Batch] = []
        self._waiting_rows = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._spooled = threading.Event()
        self._writer = threading.Thread(target=self._write, name="log-writer", daemon=True)
        self._shipper = threading.Thread(target=self._ship, name="log-shipper", daemon=True)

    def start(self) -> None:
        """Start both threads; segments an earlier process left are moved first."""
        self._telemetry.spooled.inc(sum(len(_lines(path)) for path in self._spool.segments()))
        self._writer.start()
        self._shipper.start()

    def put(self, batch: Batch) -> None:
        """Take a batch without waiting; dropped and counted when the writer is far behind."""
        rows = len(batch.ids)
        with self._changed:
            taken = not self._waiting or self._waiting_rows + rows <= QUEUE_ROWS
            if taken:
                self._waiting.append(batch)
                self._waiting_rows += rows
                self._changed.notify()
        if not taken:
            self._telemetry.dropped.labels("queue_full").inc(rows)

    def close(self, seconds: float) -> None:
        """Write what waits, and move what one more try moves, for at most this long."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        if self._writer.is_alive():
            deadline = time.monotonic() + seconds
            self._writer.join(seconds)
            self._spooled.set()
            self._shipper.join(max(0.0, deadline - time.monotonic()))
        self._spool.close()

    def _write(self) -> None:
        """Move batches from memory to the spool, many at a time, until closed and empty."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
            self._closing.wait(GROUP_SECONDS)
            with self._changed:
                batches, self._waiting, self._waiting_rows = self._waiting, [], 0
            if not batches:
                return
            lines: list[str] = []
            for batch in batches:
                lines += batch.lines(*self._names)
                if len(lines) >= SEGMENT_EVENTS:
                    self._append(lines)
                    lines = []
            self._append(lines)

    def _append(self, lines: list[str]) -> None:
        for start in range(0, len(lines), SEGMENT_EVENTS):
            segment = lines[start : start + SEGMENT_EVENTS]
            try:
                self._spool.append(segment)
            except SpoolFull:
                self._telemetry.dropped.labels("spool_full").inc(len(segment))
            except OSError:
                self._telemetry.dropped.labels("spool_failed").inc(len(segment))
            else:
                self._telemetry.spooled.inc(len(segment))
                self._spooled.set()

    def _ship(self) -> None:
        """Move segments to the database until closed; then try once more, with all there is."""
        with contextlib.suppress(Exception):  # told once there are events
            self._store(())  # loads its libraries, before the first event waits for them
        pause = RETRY_SECONDS[0]
        while True:
            self._spooled.clear()
            last = self._closing.is_set()
            if last:
                self._writer.join()
            trouble = self._trouble()
            if last:
                return
            if trouble is None:
                if pause > RETRY_SECONDS[0]:
                    tell("prediction_log_flows")
                pause = RETRY_SECONDS[0]
                self._spooled.wait()
                continue
            if pause == RETRY_SECONDS[0]:
                tell("prediction_log_waits", reason=trouble)
            self._closing.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(2 * pause, RETRY_SECONDS[1])

    def _trouble(self) -> str | None:
        """Move every segment; return why it stopped, if it did."""
        try:
            for segment in self._spool.segments():
                self._move(segment)
        except TryLater as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a fault here must not end the log, nor a row be lost
            return f"{type(error).__name__}: {error}"
        return None

    def _move(self, segment: Path) -> None:
        lines = _lines(segment)
        events = _parsed(lines)
        refused = self._stored(events)
        self._spool.remove(segment)
        self._telemetry.spooled.dec(len(lines))
        self._telemetry.written.inc(len(events) - refused)
        self._telemetry.dropped.labels("refused").inc(refused)
        self._telemetry.dropped.labels("unreadable").inc(len(lines) - len(events))

    def _stored(self, events: Sequence[PredictionEvent]) -> int:
        """Store events; return how many of them the database refuses, found by halving."""
        if not events or self._takes(events):
            return 0
        if len(events) == 1:
            return 1
        half = len(events) // 2
        return self._stored(events[:half]) + self._stored(events[half:])

    def _takes(self, events: Sequence[PredictionEvent]) -> bool:
        """Try once to store events, on the clock; say whether the database takes them."""
        outcome = "unavailable"
        started = time.monotonic()
        try:
            self._store(events)
            outcome = "stored"
        except Refused:
            outcome = "refused"
        finally:
            self._telemetry.store_seconds.labels(outcome).observe(time.monotonic() - started)
        return outcome == "stored"


def _lines(segment: Path) -> list[str]:
    return segment.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]


def _parsed(lines: list[str]) -> list[PredictionEvent]:
    """Return the events of the lines that are events; a disk can spoil one."""
    events = []
    for line in lines:
        try:
            events.append(PredictionEvent.model_validate_json(line))
        except ValidationError:
            continue
    return events

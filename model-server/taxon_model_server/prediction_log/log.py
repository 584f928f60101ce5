"""The prediction log: off the request's path to disk, from disk to the database.

One thread writes answered rows to the spool, another moves the spool to the database. Neither
can slow or fail an answer, and no error ends them before the server ends; drops are counted.
"""

import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import structlog

from taxon_contracts.prediction import PredictionEvent
from taxon_model_server.prediction_log.events import Batch, parse_events, read_lines
from taxon_model_server.prediction_log.spool import Spool, SpoolFull
from taxon_model_server.prediction_log.store import Refused, Store, TryLater
from taxon_model_server.telemetry import Telemetry

_log = structlog.get_logger("taxon_model_server")

QUEUE_BYTES = 64 * 2**20
"""What may be in memory; a single larger request is still taken when nothing else is."""
GROUP_SECONDS = 0.1
"""Answers of this long are written together; a crash loses these and those being written."""
SEGMENT_EVENTS = 2_000
RETRY_SECONDS = (0.5, 15.0)


class PredictionLog:
    """Logs every prediction of one model."""

    def __init__(
        self, namespace: str, model: str, spool: Spool, store: Store, telemetry: Telemetry
    ) -> None:
        self._names = (namespace, model)
        self._spool = spool
        self._store = store
        self._telemetry = telemetry
        self._waiting: list[Batch] = []
        self._held_bytes = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._spooled = threading.Event()
        self._writer = threading.Thread(target=self._write, name="log-writer", daemon=True)
        self._shipper = threading.Thread(target=self._ship, name="log-shipper", daemon=True)

    def start(self) -> None:
        """Start both threads; segments an earlier process left are moved first."""
        for segment in self._spool.segments():
            with contextlib.suppress(OSError):  # the thread that moves it reports it
                self._telemetry.spooled.inc(len(read_lines(segment)))
        self._writer.start()
        self._shipper.start()

    def put(self, batch: Batch) -> None:
        """Queue a batch without waiting; if the queue is full, drop and count it."""
        rows = len(batch.ids)
        with self._changed:
            reason = self._refusal(batch.size)
            if reason is None:
                self._waiting.append(batch)
                self._held_bytes += batch.size
                self._changed.notify()
        if reason:
            self._telemetry.dropped.labels(reason).inc(rows)

    def _refusal(self, size: int) -> str | None:
        """Return why some bytes cannot be taken now, if so."""
        if self._stopped:
            return "stopped"
        if self._held_bytes and self._held_bytes + size > QUEUE_BYTES:
            return "queue_full"
        return None

    def close(self, seconds: float) -> None:
        """Write what is in memory and try once more to store the spool, with a timeout."""
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
                batches, self._waiting = self._waiting, []
                self._stopped = not batches
            if not batches:
                return
            self._write_batches(deque(batches))

    def _write_batches(self, batches: deque[Batch]) -> None:
        lines: list[str] = []
        while batches:
            batch = batches.popleft()
            for start in range(0, len(batch.ids), SEGMENT_EVENTS):
                stop = min(start + SEGMENT_EVENTS, len(batch.ids))
                try:
                    lines += batch.lines(*self._names, start, stop)
                except Exception:  # noqa: BLE001 - one batch must not end the thread that writes all
                    self._drop(stop - start)
                if len(lines) >= SEGMENT_EVENTS:
                    self._append(lines)
                    lines = []
            with self._changed:
                self._held_bytes -= batch.size
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
            except Exception:  # noqa: BLE001 - see _write_batches
                self._drop(len(segment))
            else:
                self._telemetry.spooled.inc(len(segment))
                self._spooled.set()

    def _drop(self, rows: int) -> None:
        """Count rows that a fault of the log itself loses, and leave its traceback."""
        self._telemetry.dropped.labels("log_failed").inc(rows)
        _log.warning("predictions_not_logged", rows=rows, exc_info=True)

    def _ship(self) -> None:
        """Move segments to the database until closed; then try once more with all of them."""
        with contextlib.suppress(Exception):  # reported once there are events
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
                    _log.info("prediction_log_recovered")
                pause = RETRY_SECONDS[0]
                self._spooled.wait()
                continue
            if pause == RETRY_SECONDS[0]:
                _log.warning("prediction_log_stalled", reason=trouble)
            self._closing.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(2 * pause, RETRY_SECONDS[1])

    def _trouble(self) -> str | None:
        """Move every segment that can be moved; return why not all of them, if so."""
        trouble = None
        try:
            for segment in self._spool.segments():
                try:
                    self._move(segment)
                except OSError as error:  # this segment's file; the others may be whole
                    trouble = f"{segment.name} cannot be read or removed: {error.strerror}"
        except TryLater as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - an error here must neither end the log nor lose a row
            return f"{type(error).__name__}: {error}"
        return trouble

    def _move(self, segment: Path) -> None:
        lines = read_lines(segment)
        events = parse_events(lines)
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
        """Try once to store events, timed; return whether the database took them."""
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

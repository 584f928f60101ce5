"""The thread that moves segments from the spool to the database."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import structlog

from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.copy_binary import rows_of
from taxon_datastore.rows import Rows
from taxon_model_server.prediction_log.events import parse_events, read_lines
from taxon_model_server.prediction_log.segments import (
    EVENTS,
    Unreadable,
    read_segment,
    write_segment,
)
from taxon_model_server.prediction_log.spool import Spool
from taxon_model_server.prediction_log.store import Refused, Store, TryLater
from taxon_model_server.telemetry import Telemetry

RETRY_SECONDS = (0.5, 15.0)

_log = structlog.get_logger("taxon_model_server")

Part = TypeVar("Part", bytes, PredictionEvent)


class Shipper(threading.Thread):
    """Moves segments until closed; then it tries once more with all of them.

    A segment that cannot be used, and rows that PostgreSQL will never take, are set aside.
    """

    def __init__(
        self,
        spool: Spool,
        store: Store,
        telemetry: Telemetry,
        *,
        spooled: threading.Event,
        after: threading.Thread,
    ) -> None:
        """Take the event that there is a segment, and the thread that writes them.

        The last try is after the end of that thread.
        """
        super().__init__(name="log-shipper", daemon=True)
        self._spool = spool
        self._store = store
        self._telemetry = telemetry
        self._after = after
        self._spooled = spooled
        self._closing = threading.Event()

    def close(self, seconds: float) -> None:
        """Try once more with all segments, with a timeout."""
        self._closing.set()
        self._spooled.set()
        if self.is_alive():
            self.join(seconds)

    def run(self) -> None:
        """Move segments as they come; while the database is away, try again at longer pauses."""
        with contextlib.suppress(Exception):  # reported once there are rows
            self._store.load()
        pause = RETRY_SECONDS[0]
        while True:
            self._spooled.clear()
            last = self._closing.is_set()
            if last:
                self._after.join()
            trouble = self._move_all()
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

    def _move_all(self) -> str | None:
        """Move every segment that can be moved; return why not all of them, if so."""
        trouble = None
        try:
            for segment in self._spool.segments():
                try:
                    self._move(segment)
                except OSError as error:  # this segment's file; the others may be whole
                    trouble = f"{segment.name} cannot be read or moved: {error.strerror}"
                finally:
                    self._telemetry.count_processor()
        except TryLater as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - an error here must neither end the log nor lose a row
            return f"{type(error).__name__}: {error}"
        return trouble

    def _move(self, segment: Path) -> None:
        try:
            if segment.suffix == EVENTS:
                self._move_events(segment)
            else:
                self._move_rows(segment)
        except Unreadable as error:
            rows = self._spool.rows_of(segment)
            self._spool.set_aside(segment)
            self._telemetry.dropped.labels(error.reason).inc(rows)
            _log.warning("segment_set_aside", segment=segment.name, rows=rows, reason=str(error))
        self._telemetry.spooled.set(self._spool.rows)
        self._telemetry.set_aside_bytes.set(self._spool.aside.size)

    def _move_rows(self, segment: Path) -> None:
        rows = read_segment(segment)
        refused = self._refused_rows(rows)
        if refused:
            kept = replace(rows, count=len(refused), payload=b"".join(refused))
            self._spool.aside.write(segment.name, write_segment(kept))
        self._spool.remove(segment)
        self._telemetry.written.inc(rows.count - len(refused))
        self._telemetry.dropped.labels("refused").inc(len(refused))

    def _refused_rows(self, rows: Rows) -> list[bytes]:
        """Store rows; return those that the database refuses.

        Raises:
            Unreadable: they are not rows.
        """
        if self._takes(lambda: self._store.store_rows(rows)):
            return []
        try:
            parts = [*rows_of(rows.payload)]
        except ValueError as error:
            raise Unreadable(str(error)) from error
        return self._refused(
            parts,
            lambda some: self._store.store_rows(
                replace(rows, count=len(some), payload=b"".join(some))
            ),
        )

    def _move_events(self, segment: Path) -> None:
        lines = read_lines(segment)
        events, damaged = parse_events(lines)
        refused = self._refused(events, self._store.store_events) if events else []
        left = [*damaged, *(event.model_dump_json() for event in refused)]
        if left:
            content = "".join(f"{line}\n" for line in left)
            self._spool.aside.write(segment.name, content.encode("utf-8", "replace"))
        self._spool.remove(segment)
        self._telemetry.written.inc(len(events) - len(refused))
        self._telemetry.dropped.labels("refused").inc(len(refused))
        self._telemetry.dropped.labels("unreadable").inc(len(damaged))

    def _refused(
        self, parts: Sequence[Part], store: Callable[[Sequence[Part]], None]
    ) -> list[Part]:
        """Store parts; return those that the database refuses, found by halving."""
        if self._takes(lambda: store(parts)):
            return []
        if len(parts) == 1:
            return list(parts)
        half = len(parts) // 2
        return self._refused(parts[:half], store) + self._refused(parts[half:], store)

    def _takes(self, store: Callable[[], None]) -> bool:
        """Try once to store something, timed; return whether the database took it."""
        outcome = "unavailable"
        started = time.monotonic()
        try:
            store()
            outcome = "stored"
        except Refused:
            outcome = "refused"
        finally:
            self._telemetry.store_seconds.labels(outcome).observe(time.monotonic() - started)
        return outcome == "stored"

"""The thread that moves segments from the spool to the database."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

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
from taxon_model_server.prediction_log.writer import joined
from taxon_model_server.telemetry import Telemetry

RETRY_SECONDS = (0.5, 15.0)
PACE_SECONDS = 1.0
"""Between two times that rows are stored: a connection costs as much as a thousand rows."""
LAST_RETRY_SECONDS = 0.5
GRACE_SECONDS = 2.0
"""For the try that is in progress when time is over."""
STORED_TOGETHER_BYTES = 8 * 2**20

_log = structlog.get_logger("taxon_model_server")


class Segment(NamedTuple):
    """A segment that was read."""

    path: Path
    rows: Rows


Part = TypeVar("Part", bytes, PredictionEvent)


class Shipper(threading.Thread):
    """Moves segments until closed, and then until the spool is empty or time is over.

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
        self._deadline = 0.0
        self._trouble: str | None = None

    def close(self, seconds: float) -> None:
        """Move what is left, for so many seconds at most."""
        self._deadline = time.monotonic() + seconds
        self._closing.set()
        self._spooled.set()
        if self.is_alive():
            self.join(seconds + GRACE_SECONDS)

    def run(self) -> None:
        """Move segments as they come; while the database is away, try again at longer pauses."""
        with contextlib.suppress(Exception):  # reported once there are rows
            self._store.load()
        pause = RETRY_SECONDS[0]
        while not self._closing.is_set():
            self._spooled.clear()
            self._move_all()
            if self._trouble is None:
                if pause > RETRY_SECONDS[0]:
                    _log.info("prediction_log_recovered")
                pause = RETRY_SECONDS[0]
                self._closing.wait(PACE_SECONDS)
                self._spooled.wait()
                continue
            if pause == RETRY_SECONDS[0]:
                _log.warning("prediction_log_stalled", reason=self._trouble)
            self._closing.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(2 * pause, RETRY_SECONDS[1])
        self._finish()

    def _finish(self) -> None:
        self._after.join()
        self._move_all()
        while self._trouble is not None and time.monotonic() < self._deadline:
            time.sleep(min(LAST_RETRY_SECONDS, max(0.0, self._deadline - time.monotonic())))
            self._move_all()
        if rows := self._spool.rows:
            _log.warning("predictions_left_in_spool", rows=rows, reason=self._trouble)

    def _move_all(self) -> None:
        """Move every segment that can be moved; note why not all of them, if so."""
        self._trouble = None
        try:
            self._move_segments()
        except TryLater as error:
            self._trouble = str(error)
        except Exception as error:  # noqa: BLE001 - an error here must neither end the log nor lose a row
            self._trouble = f"{type(error).__name__}: {error}"
        finally:
            self._telemetry.spooled.set(self._spool.rows)
            self._telemetry.set_aside_bytes.set(self._spool.aside.size)
            self._telemetry.count_processor()

    def _move_segments(self) -> None:
        """Move segments, those of one table together."""
        alike: dict[tuple[object, ...], list[Segment]] = {}
        for path in self._spool.segments():
            with self._noted(path):
                if path.suffix == EVENTS:
                    self._move_events(path)
                    continue
                rows = read_segment(path)
                group = alike.setdefault((rows.table, rows.columns), [])
                group.append(Segment(path, rows))
                if sum(len(one.rows.payload) for one in group) > STORED_TOGETHER_BYTES:
                    self._move_rows(alike.pop((rows.table, rows.columns)))
        for group in alike.values():
            self._move_rows(group)

    @contextlib.contextmanager
    def _noted(self, path: Path) -> Iterator[None]:
        """Set a segment aside that cannot be used, and let others go past one the disk keeps."""
        try:
            try:
                yield
            except Unreadable as error:
                self._set_aside(path, error)
        except OSError as error:
            self._trouble = f"{path.name} cannot be read or moved: {error.strerror}"

    def _set_aside(self, path: Path, why: Unreadable) -> None:
        rows = self._spool.rows_of(path)
        self._make_room(self._spool.set_aside(path))
        self._telemetry.dropped.labels(why.reason).inc(rows)
        _log.warning("segment_set_aside", segment=path.name, rows=rows, reason=str(why))

    def _make_room(self, removed: int) -> None:
        """Count rows that were set aside before and are gone now."""
        self._telemetry.dropped.labels("set_aside_full").inc(removed)

    def _move_rows(self, group: Sequence[Segment]) -> None:
        """Store segments in one transaction; where the database refuses rows, one by one."""
        rows = joined([one.rows for one in group])
        if self._takes(lambda: self._store.store_rows(rows)):
            for one in group:
                self._remove(one.path, one.rows.count)
        elif len(group) > 1:
            for one in group:
                self._move_rows([one])
        else:
            with self._noted(group[0].path):
                self._sift(group[0])

    def _sift(self, segment: Segment) -> None:
        """Store the rows of a segment that the database takes, and set the others aside."""
        rows = segment.rows
        try:
            parts = [*rows_of(rows.payload)]
        except ValueError as error:
            raise Unreadable(str(error)) from error
        refused = self._refused(
            parts,
            lambda some: self._store.store_rows(
                replace(rows, count=len(some), payload=b"".join(some))
            ),
        )
        if refused:
            kept = replace(rows, count=len(refused), payload=b"".join(refused))
            self._keep_aside(segment.path, write_segment(kept), refused=len(refused))
        self._remove(segment.path, rows.count - len(refused))

    def _move_events(self, path: Path) -> None:
        """Store a segment of an earlier release."""
        events, damaged = parse_events(read_lines(path))
        refused = self._refused(events, self._store.store_events) if events else []
        left = [*damaged, *(event.model_dump_json() for event in refused)]
        if left:
            content = "".join(f"{line}\n" for line in left).encode("utf-8", "replace")
            self._keep_aside(path, content, refused=len(refused), unreadable=len(damaged))
        self._remove(path, len(events) - len(refused))

    def _keep_aside(self, path: Path, content: bytes, **reasons: int) -> None:
        self._make_room(self._spool.aside.write(path.name, content))
        for reason, rows in reasons.items():
            self._telemetry.dropped.labels(reason).inc(rows)

    def _remove(self, path: Path, stored: int) -> None:
        """Remove a segment whose rows are stored, and count them."""
        with self._noted(path):
            self._spool.remove(path)
            self._telemetry.written.inc(stored)

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

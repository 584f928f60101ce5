"""The thread that writes what waits in memory to the spool, many rows at a time."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import structlog

from taxon_datastore.rows import Rows
from taxon_model_server.prediction_log.batches import Batch, LoggedVersion
from taxon_model_server.prediction_log.rows import RowEncoder
from taxon_model_server.prediction_log.spool import Spool, SpoolFull
from taxon_model_server.prediction_log.waiting import Item, Promise, Waiting
from taxon_model_server.telemetry import Telemetry

GROUP_SECONDS = 0.1
"""Answers of this long are written together; a crash loses these and those being written."""
SEGMENT_ROWS = 2_000
FAULT_SECONDS = 0.1

_log = structlog.get_logger("taxon_model_server")


class NotSpooled(Exception):  # noqa: N818 - a state; the message completes a sentence
    """Rows could not be written to the spool."""


class Writer(threading.Thread):
    """Moves items from memory to the spool until the queue is closed and empty.

    No error ends it before; what an error loses is counted, or told to whoever waits for it.
    """

    def __init__(
        self,
        waiting: Waiting,
        spool: Spool,
        telemetry: Telemetry,
        encoder: Callable[[LoggedVersion], RowEncoder],
        *,
        spooled: threading.Event,
    ) -> None:
        """Take what encodes a version's rows, and the event that a segment is there."""
        super().__init__(name="log-writer", daemon=True)
        self._waiting = waiting
        self._spool = spool
        self._telemetry = telemetry
        self._encoder = encoder
        self._spooled = spooled

    def run(self) -> None:
        """Write until the queue has ended."""
        while not self._waiting.ended:
            try:
                self._write(self._waiting.take(GROUP_SECONDS))
            except Exception:  # noqa: BLE001 - the thread that writes all must go on
                _report(0)
                threading.Event().wait(FAULT_SECONDS)

    def _write(self, items: Sequence[Item]) -> None:
        """Write items; each is written, counted as dropped, or refused to whoever waits for it."""
        try:
            for group in self._groups(items):
                try:
                    self._write_group(group)
                except Exception:  # noqa: BLE001 - the other groups must be written
                    _report(0)
        finally:
            self._waiting.free()
            for item in items:
                if isinstance(item, Promise):
                    _settle(item, "log_failed")  # unless it is settled, which is the rule
            self._telemetry.count_processor()

    def _groups(self, items: Sequence[Item]) -> Sequence[Sequence[Item]]:
        try:
            return [*_groups(items)]
        except Exception:  # noqa: BLE001 - see the class
            self._lose(items, "log_failed")
            return ()

    def _write_group(self, group: Sequence[Item]) -> None:
        """Write items of one version or table; where that fails, each by itself."""
        try:
            rows = self._rows(group)
        except Exception:  # noqa: BLE001 - one item must not take the others with it
            if len(group) == 1:
                self._lose(group, "log_failed")
                return
            for item in group:
                self._write_group([item])
        else:
            self._append(group, rows)

    def _rows(self, group: Sequence[Item]) -> Rows:
        batches = [item for item in group if isinstance(item, Batch)]
        if batches:
            return self._encoder(batches[0].of).encode(batches)
        return joined([item.rows for item in group if isinstance(item, Promise)])

    def _append(self, group: Sequence[Item], rows: Rows) -> None:
        try:
            durable = self._spool.append(rows)
        except SpoolFull:
            self._lose(group, "spool_full")
        except OSError:
            self._lose(group, "spool_failed")
        except Exception:  # noqa: BLE001 - see the class
            self._lose(group, "log_failed")
        else:
            for item in group:
                if isinstance(item, Promise):
                    _settle(item, None if durable else "spool_failed")
            self._spooled.set()
            self._telemetry.spooled.set(self._spool.rows)

    def _lose(self, items: Sequence[Item], reason: str) -> None:
        lose(items, reason, self._telemetry)
        if reason == "log_failed":
            _report(sum(item.count for item in items))


def lose(items: Sequence[Item], reason: str, telemetry: Telemetry) -> None:
    """Count predictions as dropped; tell those who wait for other rows."""
    for item in items:
        if isinstance(item, Promise):
            _settle(item, reason)
        else:
            telemetry.dropped.labels(reason).inc(item.count)


def joined(rows: Sequence[Rows]) -> Rows:
    """Return rows of one table and the same columns as one."""
    signatures = dict.fromkeys(one for part in rows for one in part.signatures)
    return Rows(
        rows[0].table,
        rows[0].columns,
        sum(part.count for part in rows),
        b"".join(part.payload for part in rows),
        tuple(signatures),
    )


def _groups(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield the items that one segment has, those of a destination in their order."""
    alike: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        alike.setdefault(_destination(item), []).append(item)
    for those in alike.values():
        yield from _segments(those)


def _segments(items: Sequence[Item]) -> Iterator[list[Item]]:
    group: list[Item] = []
    count = 0
    for item in items:
        for part in item.parts(SEGMENT_ROWS) if isinstance(item, Batch) else (item,):
            if group and count + part.count > SEGMENT_ROWS:
                yield group
                group, count = [], 0
            group.append(part)
            count += part.count
    yield group


def _destination(item: Item) -> tuple[object, ...]:
    if isinstance(item, Promise):
        return item.rows.table, item.rows.columns
    return (id(item.of),)


def _settle(promise: Promise, reason: str | None) -> None:
    with contextlib.suppress(Exception):  # whoever waited has given up
        if reason is None:
            promise.kept.set_result(None)
        else:
            promise.kept.set_exception(NotSpooled(reason))


def _report(rows: int) -> None:
    """Leave the traceback of a fault of the log itself."""
    with contextlib.suppress(Exception):  # without memory a line may be too much
        _log.warning("predictions_not_logged", rows=rows, exc_info=True)

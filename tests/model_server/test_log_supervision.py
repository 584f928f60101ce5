"""Memory that runs out anywhere in the thread that spools costs what it held, counted, no more."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import current_thread
from typing import Any

import pytest
from model_server.kept_log import MemoryStore, batch, running
from support.waiting import wait_until

from taxon_datastore.rows import LABEL_COLUMNS, Rows
from taxon_model_server.prediction_log import shipper, waiting, writer
from taxon_model_server.prediction_log.rows import RowEncoder
from taxon_model_server.prediction_log.spool import Spool
from taxon_model_server.prediction_log.waiting import Waiting
from taxon_model_server.prediction_log.writer import NotSpooled, Writer
from taxon_model_server.telemetry import Telemetry

DROPPED = "prediction_log_dropped_total"
LABELS = Rows("labels", LABEL_COLUMNS, 1, b"\0\0")
"""Rows that somebody waits for; a row without fields is enough for a database in memory."""
LONG = 60.0
"""Seconds that whoever waits would wait; the deadline of a condition is shorter."""
STAGES: dict[str, tuple[Any, str]] = {
    "take": (Waiting, "take"),
    "group": (writer, "_groups"),
    "join": (writer, "joined"),
    "encode": (RowEncoder, "encode"),
    "append": (Spool, "append"),
}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log group and try again at once."""
    monkeypatch.setattr(writer, "GROUP_SECONDS", 0.001)
    monkeypatch.setattr(writer, "FAULT_SECONDS", 0.001)
    monkeypatch.setattr(shipper, "RETRY_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(shipper, "PACE_SECONDS", 0.0)


@pytest.fixture
def store() -> MemoryStore:
    """Return an empty database."""
    return MemoryStore()


@pytest.fixture
def telemetry() -> Telemetry:
    """Return metrics of a model."""
    return Telemetry("small")


def failing_once(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> Callable[[], bool]:
    """Let the writer's next call of a function fail; return what says whether it did."""
    real = getattr(where, name)
    failed = False

    def call(*args: Any, **named: Any) -> Any:
        nonlocal failed
        if not failed and isinstance(current_thread(), Writer):
            failed = True
            raise MemoryError
        return real(*args, **named)

    monkeypatch.setattr(where, name, call)
    return lambda: failed


def dropped(telemetry: Telemetry) -> float:
    """Return how many predictions were given up, for whatever reason."""
    return sum(
        sample.value
        for metric in telemetry.registry.collect()
        for sample in metric.samples
        if sample.name == DROPPED
    )


@pytest.mark.parametrize("stage", ["take", "group", "encode", "append"])
def test_predictions_are_stored_or_counted(
    tmp_path: Path,
    store: MemoryStore,
    telemetry: Telemetry,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    """Each row is either in the database or counted as dropped, and the next batch arrives."""
    failed = failing_once(monkeypatch, *STAGES[stage])
    first, second = batch(rows=3), batch(rows=2)
    with running(tmp_path, store, telemetry) as log:
        log.put(first)
        wait_until(lambda: failed() and len(store.events) + dropped(telemetry) == 3)
        log.put(second)
        wait_until(lambda: len(store.events) + dropped(telemetry) == 5)

    assert second.ids in b"".join(one.bytes for one in store.events)


def test_a_gauge_that_fails_costs_no_row(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is spooled is stored and not counted as dropped, and the next batch arrives."""
    with running(tmp_path, store, telemetry) as log:
        failed = failing_once(monkeypatch, telemetry.spooled, "set")
        log.put(batch(rows=3))
        wait_until(lambda: failed() and len(store.events) == 3)
        log.put(batch(rows=2))
        wait_until(lambda: len(store.events) == 5)

    assert dropped(telemetry) == 0


@pytest.mark.parametrize("stage", ["group", "join", "append"])
def test_whoever_waits_hears_at_once(
    tmp_path: Path,
    store: MemoryStore,
    telemetry: Telemetry,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    """Rows that are not on disk are refused long before their time is over; the next are kept."""
    with running(tmp_path, store, telemetry) as log, ThreadPoolExecutor() as threads:
        failing_once(monkeypatch, *STAGES[stage])
        refused = threads.submit(log.keep, LABELS, LONG)
        wait_until(refused.done)
        kept = threads.submit(log.keep, LABELS, LONG)
        wait_until(kept.done)

    assert isinstance(refused.exception(), NotSpooled)
    assert kept.exception() is None
    assert [rows.payload for rows in store.other] == [LABELS.payload]


@pytest.mark.parametrize("stage", ["take", "gauge"])
def test_a_fault_beside_the_rows_costs_whoever_waits_nothing(
    tmp_path: Path,
    store: MemoryStore,
    telemetry: Telemetry,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    """Rows that no fault touched are kept, and whoever waits hears so."""
    where, name = (telemetry.spooled, "set") if stage == "gauge" else STAGES[stage]
    with running(tmp_path, store, telemetry) as log, ThreadPoolExecutor() as threads:
        failed = failing_once(monkeypatch, where, name)
        kept = threads.submit(log.keep, LABELS, LONG)
        wait_until(kept.done)
        wait_until(lambda: len(store.other) == 1)
        log.put(batch())
        wait_until(lambda: failed() and len(store.events) == 1)

    assert kept.exception() is None


@pytest.mark.parametrize("stage", ["take", "group", "encode", "append", "gauge"])
def test_the_memory_of_lost_rows_is_free_again(
    tmp_path: Path,
    store: MemoryStore,
    telemetry: Telemetry,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    """After a fault the queue takes what it took before."""
    lost, next_one, largest = batch(rows=20), batch(), batch(rows=30)
    monkeypatch.setattr(waiting, "QUEUE_BYTES", largest.size + next_one.size)
    where, name = (telemetry.spooled, "set") if stage == "gauge" else STAGES[stage]
    with running(tmp_path, store, telemetry) as log:
        failed = failing_once(monkeypatch, where, name)
        log.put(lost)
        wait_until(lambda: failed() and len(store.events) + dropped(telemetry) == lost.count)
        before = len(store.events)
        log.put(next_one)
        wait_until(lambda: len(store.events) == before + 1)
        log.put(largest)
        wait_until(lambda: len(store.events) == before + 1 + largest.count)

    assert before + dropped(telemetry) == lost.count

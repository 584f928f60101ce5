import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_server.conftest import LogLines
from model_server.kept_log import (
    SECONDS,
    MemoryStore,
    batch,
    logged_version,
    new_log,
    old_line,
    running,
)
from model_server.mixed import CODEC as MIXED
from model_server.mixed import ROW
from support.waiting import wait_until

from taxon_bundle.codec import Value
from taxon_contracts.prediction import PredictionEvent
from taxon_model_server.prediction_log import shipper, waiting, writer
from taxon_model_server.prediction_log.spool import Spool
from taxon_model_server.telemetry import Telemetry

OPTIONAL = {"request_id", "features", "label", "confidence", "probabilities"}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log group and try again at once."""
    monkeypatch.setattr(writer, "GROUP_SECONDS", 0.001)
    monkeypatch.setattr(shipper, "RETRY_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(shipper, "PACE_SECONDS", 0.0)
    monkeypatch.setattr(shipper, "LAST_RETRY_SECONDS", 0.01)


@pytest.fixture
def store() -> MemoryStore:
    """Return an empty database."""
    return MemoryStore()


@pytest.fixture
def telemetry() -> Telemetry:
    """Return metrics of a model."""
    return Telemetry("small")


def exhausted(*_: object) -> None:
    """Fail as a process without memory does."""
    raise MemoryError


def count(telemetry: Telemetry, name: str, **labels: str) -> float:
    """Return one sample of the metrics."""
    return telemetry.registry.get_sample_value(name, labels) or 0.0


def dropped(telemetry: Telemetry, reason: str) -> float:
    """Return how many events were given up for a reason."""
    return count(telemetry, "prediction_log_dropped_total", reason=reason)


def tries(telemetry: Telemetry, outcome: str) -> float:
    """Return how many tries to store a batch ended so."""
    return count(telemetry, "prediction_log_store_seconds_count", outcome=outcome)


def test_every_row_becomes_an_event(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """A batch arrives as one event per row, with everything that was answered."""
    answered = batch(rows=2)
    with running(tmp_path, store, telemetry) as log:
        log.put(answered)

    assert b"".join(one.bytes for one in store.events) == answered.ids
    first = next(iter(store.events))
    assert store.events[first] == PredictionEvent(
        id=first,
        namespace="default",
        model="small",
        version="v0123456789",
        time=datetime.fromtimestamp(1_700_000_000.25, UTC),
        request_id="r1",
        features=(1.5, 1.5),
        label="benign",
        confidence=0.75,
        probabilities=(0.75, 0.25),
        latency_seconds=0.002,
        outcome="Answered",
        transport="http",
    )


def test_events_have_what_was_sent_by_its_type(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """Numbers, booleans, text and missing values, each category as its own text."""
    rows: list[list[Value]] = [
        [*ROW.values()],
        [None, 1.0, False, None, "A"],
        [2.0, 1.0, True, "Narvik", "Z"],
    ]
    answered = batch(rows=3, of=logged_version(MIXED), inputs=MIXED.encode_rows(rows))
    with running(tmp_path, store, telemetry) as log:
        log.put(answered)

    assert [event.features for event in store.events.values()] == [*map(tuple, rows)]


def test_what_was_moved_leaves_the_spool(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """Events in the database are no longer in the spool, and both are counted."""
    with running(tmp_path, store, telemetry) as log:
        log.put(batch(rows=3))

    assert list(tmp_path.iterdir()) == []
    assert count(telemetry, "prediction_log_written_total") == 3
    assert count(telemetry, "prediction_log_spool_events") == 0


def test_the_time_to_store_a_batch_is_observed(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """Each batch the database took counts once, and one without events was never tried."""
    (tmp_path / "000000000001.jsonl").write_bytes(b"spoilt\n")
    with running(tmp_path, store, telemetry) as log:
        log.put(batch(rows=3))

    assert tries(telemetry, "stored") == 1
    assert tries(telemetry, "unavailable") == tries(telemetry, "refused") == 0


def test_events_wait_while_the_database_is_down(
    tmp_path: Path,
    store: MemoryStore,
    telemetry: Telemetry,
    log_lines: LogLines,
) -> None:
    """While the database is down events wait in the spool; when it is back each arrives once."""
    store.down.set()
    with running(tmp_path, store, telemetry) as log:
        for _ in range(5):
            log.put(batch())
        wait_until(lambda: count(telemetry, "prediction_log_spool_events") == 5)
        wait_until(lambda: store.tries > 2)
        assert not store.events
        store.down.clear()
        wait_until(lambda: len(store.events) == 5)

    stalled, recovered = log_lines()
    assert stalled["event"] == "prediction_log_stalled"
    assert stalled["reason"] == "the database is down"
    assert recovered["event"] == "prediction_log_recovered"
    assert tries(telemetry, "unavailable") > 2


def test_what_is_left_at_the_end_is_moved_by_the_next_process(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """Closing with the database down keeps events; the next process moves and counts them."""
    store.down.set()
    with running(tmp_path, store, telemetry, seconds=0.2) as log:
        log.put(batch(rows=4))
    assert not store.events
    store.down.clear()
    later = Telemetry("small")
    with running(tmp_path, store, later):
        wait_until(lambda: len(store.events) == 4)

    assert count(later, "prediction_log_written_total") == 4
    assert count(later, "prediction_log_spool_events") == 0


def test_a_full_spool_drops_and_counts(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """Beyond the spool's size events are given up, and counted."""
    store.down.set()
    with running(tmp_path, store, telemetry, max_bytes=1000, seconds=0.2) as log:
        log.put(batch())
        wait_until(lambda: count(telemetry, "prediction_log_spool_events") == 1)
        log.put(batch(rows=9))
        wait_until(lambda: dropped(telemetry, "spool_full") == 9)

    assert count(telemetry, "prediction_log_spool_events") == 1


def test_a_full_queue_drops_and_counts(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the writer is far behind, a batch is given up at once, and counted."""
    monkeypatch.setattr(waiting, "QUEUE_BYTES", 2 * batch(rows=4).size)
    log = new_log(tmp_path, store, telemetry)
    for _ in range(3):
        log.put(batch(rows=4))
    log.close(SECONDS)

    assert dropped(telemetry, "queue_full") == 4


def test_a_single_request_of_any_size_is_taken(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request beyond what may be in memory is taken when nothing else is, in several segments."""
    monkeypatch.setattr(waiting, "QUEUE_BYTES", batch(rows=10).size)
    monkeypatch.setattr(writer, "SEGMENT_ROWS", 8)
    with running(tmp_path, store, telemetry) as log:
        log.put(batch(rows=20))

    assert len(store.events) == 20
    assert store.tries == 3


def test_an_event_the_database_refuses_does_not_take_others_with_it(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """One bad event is found, given up and counted; the others of its segment arrive."""
    store.refuses = "bad"
    store.down.set()
    with running(tmp_path, store, telemetry) as log:
        for name in ("a", "b", "bad", "c", "d"):
            log.put(batch(request_id=name))
        wait_until(lambda: count(telemetry, "prediction_log_spool_events") == 5)
        store.down.clear()
        wait_until(lambda: count(telemetry, "prediction_log_spool_events") == 0)

    assert {event.request_id for event in store.events.values()} == {"a", "b", "c", "d"}
    assert dropped(telemetry, "refused") == 1
    assert count(telemetry, "prediction_log_written_total") == 4
    assert tries(telemetry, "refused") > 0


def test_a_spoilt_line_does_not_take_others_with_it(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """A line a disk spoilt is given up and counted; the others arrive."""
    line = old_line()
    (tmp_path / "000000000007.jsonl").write_bytes(b"\xff{\n" + line.encode() + b"\n")
    with running(tmp_path, store, telemetry):
        wait_until(lambda: len(store.events) == 1)

    assert dropped(telemetry, "unreadable") == 1


def test_a_fault_in_the_store_does_not_end_the_log(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """Even an error nobody foresaw keeps the events, and is tried again."""
    store.fault = KeyError("odd")
    with running(tmp_path, store, telemetry) as log:
        log.put(batch())
        wait_until(lambda: len(store.events) == 1)

    assert dropped(telemetry, "refused") == 0
    assert (tries(telemetry, "unavailable"), tries(telemetry, "stored")) == (1, 1)


def test_a_disk_that_takes_nothing_is_counted(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """When the spool cannot be written, events are given up and counted; the log goes on."""
    folder = tmp_path / "spool"
    with running(folder, store, telemetry) as log:
        folder.rename(tmp_path / "moved")
        log.put(batch())
        wait_until(lambda: dropped(telemetry, "spool_failed") == 1)
        (tmp_path / "moved").rename(folder)
        log.put(batch())
        wait_until(lambda: len(store.events) == 1)


def test_a_batch_that_cannot_be_written_does_not_end_the_log(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry, log_lines: LogLines
) -> None:
    """A batch the writer fails on is dropped, counted and reported; later ones are written."""
    with running(tmp_path, store, telemetry) as log:
        log.put(batch(rows=3, chosen=np.array([0])))
        wait_until(lambda: dropped(telemetry, "log_failed") == 3)
        log.put(batch())
        wait_until(lambda: len(store.events) == 1)

    assert [line["event"] for line in log_lines()] == ["predictions_not_logged"]


def test_memory_that_runs_out_while_spooling_does_not_end_the_log(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the spool raises, the events are counted and the log goes on."""
    with running(tmp_path, store, telemetry) as log:
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "append", exhausted)
            log.put(batch(rows=2))
            wait_until(lambda: dropped(telemetry, "log_failed") == 2)
        log.put(batch())
        wait_until(lambda: len(store.events) == 1)


def test_a_segment_that_cannot_be_read_does_not_hold_up_the_others(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry, log_lines: LogLines
) -> None:
    """A log starts over an unreadable segment, reports it, and moves the ones behind it."""
    (tmp_path / "000000000001.jsonl").mkdir()
    line = old_line()
    (tmp_path / "000000000002.jsonl").write_text(f"{line}\n")
    with running(tmp_path, store, telemetry, seconds=0.2) as log:
        log.put(batch())
        wait_until(lambda: len(store.events) == 2)

    lines = {line["event"]: line for line in log_lines()}
    assert lines["predictions_left_in_spool"]["rows"] == 1
    assert lines["prediction_log_stalled"]["reason"].startswith(
        "000000000001.jsonl cannot be read or moved"
    )


def test_what_is_answered_after_the_end_is_counted(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """A batch put after the log has closed is counted as dropped."""
    with running(tmp_path, store, telemetry) as log:
        pass
    log.put(batch(rows=2))

    assert dropped(telemetry, "stopped") == 2
    assert store.events == {}


def test_a_segment_of_another_release_is_read(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry
) -> None:
    """Fields this release does not know are ignored, optional ones may be missing."""
    today: dict[str, Any] = {
        "id": "018bcfe5-6800-7000-8000-000000000001",
        "namespace": "default",
        "model": "small",
        "version": "v0123456789",
        "time": "2026-11-27T00:00:00.250000Z",
        "request_id": "r1",
        "features": [1.5, 2.5],
        "label": "benign",
        "confidence": 0.75,
        "probabilities": [0.75, 0.25],
        "latency_seconds": 0.002,
        "outcome": "Answered",
    }
    newer = today | {
        "id": "018bcfe5-6800-7000-8000-000000000002",
        "transport": "grpc",
        "shadow": {"of": "v1"},
    }
    older = {key: value for key, value in today.items() if key not in OPTIONAL}
    older["id"] = "018bcfe5-6800-7000-8000-000000000003"
    lines = [json.dumps(line) for line in (today, newer, older)]
    (tmp_path / "000000000001.jsonl").write_text("\n".join(lines) + "\n")
    with running(tmp_path, store, telemetry):
        wait_until(lambda: len(store.events) == 3)

    first, second, third = store.events.values()
    assert second == first.model_copy(update={"id": second.id, "transport": "grpc"})
    assert (third.label, third.features, third.outcome) == (None, None, "Answered")
    assert dropped(telemetry, "unreadable") == 0

"""Answered rows as events: for readers of other releases, within memory, in the order of time."""

import time
from datetime import datetime
from uuid import UUID

from model_server.kept_log import batch
from model_server.mixed import CODEC as MIXED
from model_server.mixed import ROW
from support.waiting import wait_until

from taxon_contracts.document import Document, salvage
from taxon_model_server.prediction_log.ids import prediction_ids


class OlderEvent(Document):
    """An event as the release before wrote and read it."""

    id: UUID
    namespace: str
    model: str
    version: str
    time: datetime
    request_id: str | None = None
    features: tuple[float, ...] | None = None
    label: str | int | None = None
    confidence: float | None = None
    probabilities: tuple[float, ...] | None = None
    latency_seconds: float
    outcome: str


def test_an_older_release_loses_only_the_features() -> None:
    """It takes numbers alone; everything else of such an event stays."""
    inputs = MIXED.encode_rows([[*ROW.values()]])
    [line] = batch(codec=MIXED, inputs=inputs).lines("default", "small", 0, 1)
    event = salvage(OlderEvent, line)

    assert event.features is None
    assert (event.label, event.probabilities, event.outcome) == (
        "benign",
        (0.75, 0.25),
        "Answered",
    )


def test_large_texts_count_for_the_queue() -> None:
    """What waits in memory is bounded by what it takes, texts of unseen categories among it."""
    inputs = MIXED.encode_rows([[*(ROW | {"port": "x" * 10**6}).values()]])

    assert batch(codec=MIXED, inputs=inputs).size > 10**6


def test_prediction_ids_sort_by_time() -> None:
    """Ids are UUIDs of version 7: unique, and later ones are greater."""
    before = prediction_ids(1000)
    start = time.time_ns() // 1_000_000
    wait_until(lambda: time.time_ns() // 1_000_000 > start)
    [after] = prediction_ids(1)

    assert len(set(before)) == 1000
    assert {(one.version, one.variant) for one in before} == {(7, "specified in RFC 4122")}
    assert max(before) < after

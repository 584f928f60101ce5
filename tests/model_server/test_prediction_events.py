"""Predictions on their way to the log: their ids, and what they take in memory."""

import time
from uuid import UUID

from model_server.kept_log import batch, logged_version
from model_server.mixed import CODEC as MIXED
from model_server.mixed import ROW
from support.waiting import wait_until

from taxon_model_server.prediction_log.ids import ID_BYTES, id_texts, prediction_ids


def test_large_texts_count_for_the_queue() -> None:
    """What waits in memory is bounded by what it takes, texts of unseen categories among it."""
    inputs = MIXED.encode_rows([[*(ROW | {"port": "x" * 10**6}).values()]])

    assert batch(of=logged_version(MIXED), inputs=inputs).size > 10**6


def test_prediction_ids_sort_by_time() -> None:
    """Ids are UUIDs of version 7: unique, and later ones are greater."""
    many = prediction_ids(1000)
    before = [many[start : start + ID_BYTES] for start in range(0, len(many), ID_BYTES)]
    start = time.time_ns() // 1_000_000
    wait_until(lambda: time.time_ns() // 1_000_000 > start)
    after = prediction_ids(1)

    assert len({*before}) == 1000
    parsed = [UUID(bytes=one) for one in (*before, after)]
    assert {(one.version, one.variant) for one in parsed} == {(7, "specified in RFC 4122")}
    assert max(before) < after


def test_clients_see_ids_as_every_uuid_is_written() -> None:
    """The text is the one of Python's own UUID."""
    ids = prediction_ids(3)

    assert id_texts(ids) == [
        str(UUID(bytes=ids[start : start + ID_BYTES])) for start in range(0, len(ids), ID_BYTES)
    ]

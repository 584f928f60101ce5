"""Looking predictions up: bounded whatever the database does, and never on the event loop."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from uuid import UUID

import pytest

from taxon_datastore.database import DatabaseUnavailable
from taxon_datastore.prediction_names import KnownPredictions
from taxon_model_server.labels.lookup import BoundedLookup, PredictionLookup


class Hanging:
    """A lookup that hangs until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self, _: Sequence[UUID], __: Sequence[str]) -> KnownPredictions:
        """Hang."""
        self.released.wait()
        return KnownPredictions()


def test_a_database_that_hangs_is_given_up() -> None:
    """Each of many requests knows nothing after its time, and the event loop stays free."""
    hanging = Hanging()
    bounded = BoundedLookup(hanging, seconds=0.05)

    async def ask() -> tuple[list[KnownPredictions | None], int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        known = await asyncio.gather(*(bounded.known([], ["r1"]) for _ in range(20)))
        counting.cancel()
        return known, turns

    known, turns = asyncio.run(ask())
    hanging.released.set()

    assert known == [None] * 20
    assert turns > 20


def test_nothing_is_asked_for_no_ids() -> None:
    """A request without a label that could be one asks no database."""
    bounded = BoundedLookup(Hanging())

    assert asyncio.run(bounded.known([], [])) == KnownPredictions()


def test_a_server_that_accepts_and_stays_silent_is_given_up() -> None:
    """What hangs before PostgreSQL answers is cut by the time for connecting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/x"
        find = PredictionLookup(url, namespace="default", model="small")
        with pytest.raises(DatabaseUnavailable, match="timeout expired"):
            find([], ["r1"])

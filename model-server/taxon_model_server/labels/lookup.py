"""Asking the database which predictions it has, for a bounded time and off the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from uuid import UUID

import structlog

from taxon_datastore.prediction_names import KnownPredictions

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 2.0
THREADS = 2
"""Labels that are looked up at a time; a database that hangs holds no more threads."""

_log = structlog.get_logger("taxon_model_server")

Find = Callable[[Sequence[UUID], Sequence[str]], KnownPredictions]
"""Returns what is known of ids of predictions and of requests; raises where that is unknown."""


class PredictionLookup:
    """Looks into the database; loading SQLAlchemy takes half a second, which waits for a use."""

    def __init__(self, database_url: str, *, namespace: str, model: str) -> None:
        self._url = database_url
        self._namespace = namespace
        self._model = model

    def __call__(self, ids: Sequence[UUID], request_ids: Sequence[str]) -> KnownPredictions:
        """Return what the database knows.

        Raises:
            DatabaseUnavailable: it does not answer in time, or its schema is older.
        """
        return self._find(ids=ids, request_ids=request_ids)

    @cached_property
    def _find(self) -> Callable[..., KnownPredictions]:
        from taxon_datastore.database import engine  # noqa: PLC0415 - see the class
        from taxon_datastore.known_predictions import find_predictions  # noqa: PLC0415

        database = engine(
            self._url, connect_seconds=CONNECT_SECONDS, statement_seconds=STATEMENT_SECONDS
        )
        return partial(find_predictions, database, namespace=self._namespace, model=self._model)


class BoundedLookup:
    """A lookup that gives up after some seconds, whatever the database does."""

    def __init__(self, find: Find, *, seconds: float = CONNECT_SECONDS + STATEMENT_SECONDS) -> None:
        self._find = find
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="label-lookup")

    async def known(
        self, ids: Sequence[UUID], request_ids: Sequence[str]
    ) -> KnownPredictions | None:
        """Return what is known; None while the database is away."""
        if not ids and not request_ids:
            return KnownPredictions()
        looking = asyncio.get_running_loop().run_in_executor(
            self._pool, self._find, ids, request_ids
        )
        try:
            async with asyncio.timeout(self._seconds):
                return await looking
        except Exception as error:  # noqa: BLE001 - whatever fails here, the labels are kept
            _log.warning("predictions_not_looked_up", reason=f"{type(error).__name__}: {error}")
            return None

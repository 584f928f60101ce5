"""Where the prediction log ends: PostgreSQL, its libraries loaded at the first use."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial

from prometheus_client import Gauge

from taxon_contracts.prediction import PredictionEvent


class TryLater(Exception):  # noqa: N818 - a state, not a fault
    """The database cannot store events now."""


class Refused(Exception):  # noqa: N818 - a state, not a fault
    """The database will never store these events."""


Store = Callable[[Sequence[PredictionEvent]], object]
"""Stores events, leaving those already stored as they are; raises TryLater or Refused."""


class PredictionStore:
    """Stores events; loading SQLAlchemy takes half a second, which readiness need not wait for."""

    def __init__(self, database_url: str, connections: Gauge) -> None:
        self._url = database_url
        self._connections = connections

    def __call__(self, events: Sequence[PredictionEvent]) -> None:
        """Store events, leaving those already stored as they are.

        Raises:
            TryLater: the database cannot store them now.
            Refused: the database will never store one of them.
        """
        from taxon_datastore.database import (  # noqa: PLC0415 - see the class
            DatabaseRefused,
            DatabaseUnavailable,
        )

        try:
            self._store(events)
        except DatabaseUnavailable as error:
            raise TryLater(str(error)) from error
        except DatabaseRefused as error:
            raise Refused(str(error)) from error

    @cached_property
    def _store(self) -> Callable[[Sequence[PredictionEvent]], None]:
        from taxon_datastore.database import count_connections, engine  # noqa: PLC0415 - see the class
        from taxon_datastore.predictions import store_predictions  # noqa: PLC0415

        database = engine(self._url)
        count_connections(database, opened=self._connections.inc, closed=self._connections.dec)
        return partial(store_predictions, database)

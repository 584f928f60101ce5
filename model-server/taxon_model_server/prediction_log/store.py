"""Where the prediction log ends: PostgreSQL, its libraries loaded at the first use."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Protocol

from prometheus_client import Gauge

from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.rows import Rows


class TryLater(Exception):  # noqa: N818 - a state, not a fault
    """The database cannot store rows now."""


class Refused(Exception):  # noqa: N818 - a state, not a fault
    """The database will never store these rows."""


class Store(Protocol):
    """Stores rows, leaving those already stored as they are; raises TryLater or Refused."""

    def load(self) -> None:
        """Load what the first call needs, before rows wait for it."""

    def store_rows(self, rows: Rows) -> None:
        """Store rows and their signatures."""

    def store_events(self, events: Sequence[PredictionEvent]) -> None:
        """Store events of an earlier release."""


class PredictionStore:
    """Stores rows; loading SQLAlchemy takes half a second, which readiness need not wait for."""

    def __init__(self, database_url: str, connections: Gauge) -> None:
        self._url = database_url
        self._connections = connections

    def load(self) -> None:
        """Load SQLAlchemy."""
        assert self._database is not None  # noqa: S101 - it is made by being asked for

    def store_rows(self, rows: Rows) -> None:
        """Store rows and their signatures.

        Raises:
            TryLater: the database cannot store them now.
            Refused: the database will never store one of them.
        """
        from taxon_datastore.intake import store_rows as copy  # noqa: PLC0415 - see the class

        with _translated():
            copy(self._database, rows)

    def store_events(self, events: Sequence[PredictionEvent]) -> None:
        """Store events of an earlier release.

        Raises:
            TryLater: the database cannot store them now.
            Refused: the database will never store one of them.
        """
        from taxon_datastore.predictions import store_predictions  # noqa: PLC0415 - see the class

        with _translated():
            store_predictions(self._database, events)

    @cached_property
    def _database(self) -> Any:
        from taxon_datastore.database import count_connections, engine  # noqa: PLC0415 - see the class

        database = engine(self._url)
        count_connections(database, opened=self._connections.inc, closed=self._connections.dec)
        return database


@contextmanager
def _translated() -> Iterator[None]:
    from taxon_datastore.database import (  # noqa: PLC0415 - see the class
        DatabaseRefused,
        DatabaseUnavailable,
    )

    try:
        yield
    except DatabaseUnavailable as error:
        raise TryLater(str(error)) from error
    except DatabaseRefused as error:
        raise Refused(str(error)) from error

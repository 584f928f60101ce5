"""Connecting to PostgreSQL within bounded time."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30.0
GRACE_SECONDS = 5.0
"""After a statement's time is over PostgreSQL has this long to say so."""
SETTINGS = text(
    "SELECT set_config('statement_timeout', :milliseconds, true),"
    " set_config('timezone', 'UTC', true)"
)
"""What a transaction sets for itself: behind a pooler the next one may have another connection."""
REFUSALS = ("22", "23", "54", "42804")
"""Starts of the SQLSTATEs for bad values, broken constraints, PostgreSQL's own limits, and arrays
of another type than the column's."""


class DatabaseUnavailable(Exception):  # noqa: N818 - a state, worth trying again
    """PostgreSQL does not answer, or answers that it cannot now."""


class DatabaseRefused(Exception):  # noqa: N818 - a state, not worth trying again
    """PostgreSQL will never accept these values."""


def engine(
    url: str,
    *,
    connect_seconds: int = CONNECT_SECONDS,
    statement_seconds: float = STATEMENT_SECONDS,
) -> Engine:
    """Return an engine whose every wait is bounded; nothing connects before its first use.

    Every transaction has its own connection: none is stale after a fail-over, and an idle model
    uses none.

    Args:
        url: ``postgresql://user:password@host:port/database``; a driver suffix is allowed.
        connect_seconds: longest time connecting may take.
        statement_seconds: longest time one statement may take, waiting for locks included.

    Raises:
        ValueError: the URL is not one of PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:  # its message repeats the URL, and with it the password
        raise ValueError(_BAD_URL) from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(_BAD_URL)
    return create_engine(
        parsed.set(drivername="postgresql+psycopg2"),
        poolclass=NullPool,
        connect_args={
            "connect_timeout": connect_seconds,
            "application_name": "taxon",
        },
        execution_options={"statement_seconds": statement_seconds},
    )


_BAD_URL = "the database URL must be like postgresql://user:password@host:port/database"


def count_connections(
    engine: Engine, *, opened: Callable[[], object], closed: Callable[[], object]
) -> None:
    """Call one of these whenever a connection of the engine is opened, the other when it ends."""
    event.listen(engine, "connect", lambda *_: opened())
    event.listen(engine, "close", lambda *_: closed())


@contextlib.contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction; commit it unless something is raised.

    Raises:
        DatabaseUnavailable: worth trying again.
        DatabaseRefused: not worth trying again.
    """
    try:
        with engine.connect() as connection, _bounded(connection), connection.begin():
            seconds = connection.get_execution_options()["statement_seconds"]
            connection.execute(SETTINGS, {"milliseconds": f"{seconds * 1000:.0f}"})
            yield connection
    except DBAPIError as error:
        raise _translated(error.orig or error) from error
    except engine.dialect.loaded_dbapi.Error as error:  # what a COPY raises
        raise _translated(error) from error


def _translated(error: BaseException) -> DatabaseUnavailable | DatabaseRefused:
    """Return the error for a driver's error: only bad values are refused for good."""
    sentence = str(error).strip().split("\n", maxsplit=1)[0]
    state = getattr(error, "pgcode", None) or ""
    return (DatabaseRefused if state.startswith(REFUSALS) else DatabaseUnavailable)(sentence)


@contextlib.contextmanager
def _bounded(connection: Connection) -> Iterator[None]:
    """Cut the connection when the server falls silent: its own timeout cannot help then."""
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
        seconds = connection.get_execution_options()["statement_seconds"]
        timer = threading.Timer(seconds + GRACE_SECONDS, _cut, [wire])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _cut(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it broke off by itself
        wire.shutdown(socket.SHUT_RDWR)

"""Storing rows while PostgreSQL fails: all of a batch is stored or nothing, and nothing twice."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, text
from support import copied
from support.databases import empty_database, execute
from support.servers import Server, answers, running_server
from support.waiting import wait_until

from hack import databases
from taxon_cli.local.ports import PortBlock
from taxon_contracts.names import database_role
from taxon_datastore import database
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine, transaction
from taxon_datastore.intake import store_rows
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.rows import Rows
from taxon_datastore.schema import migrate

CONNECTIONS = 12


def roles(password: str) -> DatabaseRoles:
    """Return the roles of one namespace."""
    return DatabaseRoles.model_validate({"servers": {"fraud": password}})


@pytest.fixture(scope="module")
def server(ports: PortBlock) -> Iterator[Server]:
    """Yield a PostgreSQL of this file's own."""
    few = str(CONNECTIONS)
    with running_server(databases.postgres_15(), ports.take(), max_connections=few) as running:
        yield running


@pytest.fixture
def owner(server: Server) -> Iterator[Engine]:
    """Yield an engine of the owner of a migrated database."""
    with empty_database(server) as made:
        migrate(made, roles("secret"))
        yield engine(made)


def fraud(owner: Engine, password: str = "secret", **seconds: Any) -> Engine:  # noqa: S107 - a test's
    """Return an engine of the servers of namespace fraud."""
    role = database_role("fraud", database=str(owner.url.database))
    named = owner.url.set(username=role, password=password)
    return engine(named.render_as_string(hide_password=False), **seconds)


def url(database: Engine) -> str:
    """Return the URL of an engine, with its password."""
    return database.url.render_as_string(hide_password=False)


def count(owner: Engine) -> int:
    """Return how many predictions there are."""
    with transaction(owner) as connection:
        return int(connection.scalar(text("SELECT count(*) FROM predictions")) or 0)


def copying(owner: Engine, after: int) -> int | None:
    """Return the process that has copied some rows and goes on, None if there is none."""
    query = text(
        "SELECT pid FROM pg_stat_progress_copy"
        " WHERE datname = current_database() AND tuples_processed > :after"
    )
    with transaction(owner) as connection:
        found: int | None = connection.scalar(query, {"after": after})
        return found


@contextmanager
def copied_meanwhile(owner: Engine, database: Engine, rows: Rows, after: int) -> Iterator[int]:
    """Yield the process that copies rows, in the middle of it; the copying then fails."""
    with ThreadPoolExecutor(1) as pool:
        stored = pool.submit(store_rows, database, rows)
        found: list[int] = []

        def started() -> bool:
            process = copying(owner, after)
            found.extend([process] if process else [])
            return bool(found)

        wait_until(started, every=0.005)
        yield found[0]
        with pytest.raises(DatabaseUnavailable):
            stored.result()


@pytest.fixture
def many() -> Rows:
    """Return rows that take a while."""
    return copied.predictions(*[{"features": [0.5] * 30, "categories": None}] * 20_000)


@pytest.mark.parametrize("after", [0, 4000, 12_000])
def test_a_kill_in_the_middle_stores_nothing(owner: Engine, many: Rows, after: int) -> None:
    """PostgreSQL recovers as from a crash; the rows that are sent again are stored once each."""
    with copied_meanwhile(owner, fraud(owner), many, after) as process:
        os.kill(process, signal.SIGKILL)
    wait_until(lambda: answers(url(owner)), seconds=60)
    assert count(owner) == 0

    store_rows(fraud(owner), many)
    store_rows(fraud(owner), many)

    assert count(owner) == 20_000


def test_a_frozen_server_holds_the_writer_for_bounded_time(
    owner: Engine, many: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own timeout never comes; once it wakes, it finds its client gone."""
    monkeypatch.setattr(database, "GRACE_SECONDS", 0.1)
    with copied_meanwhile(owner, fraud(owner, statement_seconds=3), many, 0) as process:
        os.kill(process, signal.SIGSTOP)
    os.kill(process, signal.SIGCONT)
    monkeypatch.undo()
    wait_until(lambda: copying(owner, 0) is None)

    store_rows(fraud(owner), many)

    assert count(owner) == 20_000


def test_a_server_that_greets_nobody_holds_the_writer_for_bounded_time(
    owner: Engine, server: Server
) -> None:
    """The port accepts, and nothing answers."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseUnavailable, match="timeout"):
            store_rows(fraud(owner, connect_seconds=2), copied.predictions({}))
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_a_server_without_connections_left_is_asked_again(owner: Engine) -> None:
    """The batch is stored once there is one."""
    rows = copied.predictions({})
    with ExitStack() as others:
        for _ in range(2):  # a connection that is just ending may free one more
            wait_until(lambda: is_full(fraud(owner), others))
        with pytest.raises(DatabaseUnavailable, match=r"connection slots|too many"):
            store_rows(fraud(owner), rows)

    wait_until(lambda: succeeds(fraud(owner), rows))

    assert count(owner) == 1


def is_full(database: Engine, others: ExitStack) -> bool:
    """Take one more connection; return whether there is none."""
    try:
        others.enter_context(transaction(database))
    except DatabaseUnavailable:
        return True
    return False


def succeeds(database: Engine, rows: Rows) -> bool:
    """Return whether rows are stored."""
    try:
        store_rows(database, rows)
    except DatabaseUnavailable:
        return False
    return True


def test_a_read_only_server_is_asked_again(owner: Engine, server: Server) -> None:
    """As after a fail-over to a standby."""
    rows = copied.predictions({})
    name = owner.url.database
    execute(owner, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        store_rows(fraud(owner), rows)
    execute(engine(server.url), f"ALTER DATABASE {name} RESET default_transaction_read_only")

    store_rows(fraud(owner), rows)

    assert count(owner) == 1


def test_a_password_that_changed_is_unavailable(owner: Engine) -> None:
    """Rows wait until the server has the new one."""
    migrate(url(owner), roles("changed"))
    rows = copied.predictions({})

    with pytest.raises(DatabaseUnavailable, match="password authentication failed"):
        store_rows(fraud(owner), rows)
    store_rows(fraud(owner, "changed"), rows)

    assert count(owner) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("53100", DatabaseUnavailable),  # disk full
        ("53200", DatabaseUnavailable),  # out of memory
        ("57P01", DatabaseUnavailable),  # shutdown
        ("55P03", DatabaseUnavailable),  # a lock
        ("40P01", DatabaseUnavailable),  # a deadlock
        ("58030", DatabaseUnavailable),  # a disk that fails
        ("42501", DatabaseUnavailable),  # a right that is missing
        ("22003", DatabaseRefused),  # a number out of range
        ("23514", DatabaseRefused),  # a check
        ("54000", DatabaseRefused),  # a limit of PostgreSQL
    ],
)
def test_what_the_server_says_decides(owner: Engine, code: str, kind: type[Exception]) -> None:
    """Only values that PostgreSQL never takes are refused for good."""
    execute(
        owner,
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON predictions FOR EACH ROW EXECUTE FUNCTION fail()",
    )

    with pytest.raises(kind, match="no"):
        store_rows(fraud(owner), copied.predictions({}))

    assert count(owner) == 0

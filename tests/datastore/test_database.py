import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from support.databases import execute

from taxon_cli.local.postgres import Postgres
from taxon_datastore import database
from taxon_datastore.database import (
    DatabaseRefused,
    DatabaseUnavailable,
    count_connections,
    engine,
    transaction,
)
from taxon_datastore.schema import migrate

VERSIONS = Path(database.__file__).parent / "migrations" / "versions"


def ask_a_frozen_server(database: Engine) -> None:
    """Freeze the server's process of a connection, then ask it."""
    frozen = 0
    try:
        with transaction(database) as connection:
            frozen = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            os.kill(frozen, signal.SIGSTOP)
            connection.execute(text("SELECT 1"))
    finally:
        os.kill(frozen, signal.SIGCONT)


def schema(url: str) -> list[tuple[str, str, str]]:
    """Return every column there is, and the schema's version."""
    with transaction(engine(url)) as connection:
        columns = connection.execute(
            text(
                "SELECT table_name, column_name, data_type FROM information_schema.columns"
                " WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
            )
        )
        versions = connection.execute(text("SELECT version_num FROM alembic_version"))
        return [(a, b, c) for a, b, c in columns] + [("version", v, "") for (v,) in versions]


def test_a_second_migration_changes_nothing(empty_database: str) -> None:
    """Migrating a database that is up to date leaves it as it is."""
    migrate(empty_database)
    before = schema(empty_database)

    migrate(empty_database)

    assert schema(empty_database) == before
    assert ("predictions", "id", "uuid") in before


def test_a_schema_of_a_newer_release_is_left_as_it_is(empty_database: str) -> None:
    """An older release that is brought back finds a step it does not know, and changes nothing."""
    migrate(empty_database)
    execute(
        engine(empty_database),
        "ALTER TABLE predictions ADD COLUMN reviewed boolean NOT NULL DEFAULT false",
        "UPDATE alembic_version SET version_num = '9999'",
    )
    before = schema(empty_database)

    migrate(empty_database)

    assert schema(empty_database) == before


def test_a_schema_of_something_else_is_refused(empty_database: str) -> None:
    """A database whose steps are another program's is left alone, and that is said."""
    execute(
        engine(empty_database),
        "CREATE TABLE alembic_version (version_num text)",
        "INSERT INTO alembic_version VALUES ('ae1027a6acf')",
    )

    with pytest.raises(DatabaseRefused, match="ae1027a6acf, which is not Taxon's"):
        migrate(empty_database)


def test_steps_are_numbered() -> None:
    """Which of two releases is newer shows in the names of their last steps."""
    steps = [path.stem for path in VERSIONS.glob("[!_]*.py")]
    assert steps
    assert all(re.fullmatch(r"\d{4}_\w+", step) for step in steps)


def test_migrations_at_once_take_turns(empty_database: str) -> None:
    """Several servers that start together all find the schema up to date afterwards."""
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(migrate, empty_database) for _ in range(4)]:
            future.result()

    newest = max(path.stem[:4] for path in VERSIONS.glob("[!_]*.py"))
    assert ("version", newest, "") in schema(empty_database)


def test_a_failed_transaction_leaves_nothing(database_url: str) -> None:
    """What was done before an error is undone."""
    with pytest.raises(DatabaseUnavailable):
        execute(engine(database_url), "CREATE TABLE half_done (id int)", "SELECT no_such_column")

    with transaction(engine(database_url)) as connection:
        assert connection.execute(text("SELECT to_regclass('half_done')")).scalar() is None


@pytest.mark.parametrize(
    "url", ["mysql://user:hunter2@host/db", "postgresql//user:hunter2@host", "hunter2"]
)
def test_a_url_of_something_else_is_refused_without_its_password(url: str) -> None:
    """A URL that is not PostgreSQL's is named as such, and its password stays out of the log."""
    with pytest.raises(ValueError, match="must be like postgresql://") as caught:
        engine(url)

    assert "hunter2" not in str(caught.value)


def test_a_server_that_is_away_is_unavailable(postgres: Postgres) -> None:
    """Nobody listening is worth another try."""
    nobody = engine(postgres.url.replace("127.0.0.1", "127.0.0.2"))

    with pytest.raises(DatabaseUnavailable, match="refused"), transaction(nobody):
        pass


def test_connections_are_counted_while_they_are_open(database_url: str) -> None:
    """A connection counts from its opening to its end, one that PostgreSQL cut off too."""
    counted = engine(database_url)
    seen: list[str] = []
    count_connections(
        counted, opened=lambda: seen.append("opened"), closed=lambda: seen.append("closed")
    )

    with transaction(counted):
        assert seen == ["opened"]
    with pytest.raises(DatabaseUnavailable):
        execute(counted, "SELECT pg_terminate_backend(pg_backend_pid())")

    assert seen == ["opened", "closed"] * 2


def test_a_connection_that_fails_is_not_counted(postgres: Postgres) -> None:
    """Who never was connected has no connection open."""
    nobody = engine(postgres.url.replace("127.0.0.1", "127.0.0.2"))
    seen: list[str] = []
    count_connections(
        nobody, opened=lambda: seen.append("opened"), closed=lambda: seen.append("closed")
    )

    with pytest.raises(DatabaseUnavailable):
        execute(nobody, "SELECT 1")

    assert seen == []


def test_a_missing_table_is_unavailable(empty_database: str) -> None:
    """A schema that is not there yet is worth another try: the migration may be on its way."""
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        execute(engine(empty_database), "SELECT * FROM predictions")


def test_a_read_only_server_is_unavailable(database_url: str) -> None:
    """A standby met after a fail-over is worth another try."""
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        execute(engine(database_url), "SET TRANSACTION READ ONLY", "CREATE TABLE refused (id int)")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'x'::double precision",
        "INSERT INTO predictions (id, time) VALUES (NULL, now())",
        "SELECT " + ", ".join(["1"] * 1700),
    ],
)
def test_values_that_cannot_be_stored_are_refused(database_url: str, statement: str) -> None:
    """A bad value, a broken constraint and a limit of PostgreSQL stay what they are."""
    with pytest.raises(DatabaseRefused):
        execute(engine(database_url), statement)


def test_a_slow_statement_is_ended(database_url: str) -> None:
    """A statement that takes too long is given up, and may be tried again."""
    patient = engine(database_url, statement_seconds=0.1)

    with pytest.raises(DatabaseUnavailable, match="timeout"):
        execute(patient, "SELECT pg_sleep(60)")


def test_a_server_that_falls_silent_is_given_up(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frozen server, whose own timeout never fires, holds a caller for bounded time."""
    monkeypatch.setattr(database, "GRACE_SECONDS", 0.1)
    impatient = engine(database_url, statement_seconds=0.2)
    started = time.monotonic()

    with pytest.raises(DatabaseUnavailable):
        ask_a_frozen_server(impatient)

    assert time.monotonic() - started < 5


def test_a_server_that_never_greets_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that accepts and says nothing holds a caller for the time to connect only."""
    monkeypatch.setattr(database, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with (
            pytest.raises(DatabaseUnavailable, match="timeout"),
            transaction(engine(f"postgresql://taxon:secret@127.0.0.1:{port}/postgres")),
        ):
            pass


def test_no_thread_is_left_behind(database_url: str) -> None:
    """The watch over a connection ends with the transaction."""
    execute(engine(database_url), "SELECT 1")

    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]

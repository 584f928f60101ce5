"""A PostgreSQL that tests may kill, and servers that log to it."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from model_server.kept_labels import fields
from sqlalchemy import Engine, text
from support.databases import empty_database

from taxon_cli.local.ports import PortBlock
from taxon_cli.local.postgres import Postgres, running_postgres
from taxon_contracts.names import database_role
from taxon_datastore.copy_binary import rows_of
from taxon_datastore.database import engine, transaction
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.schema import migrate
from taxon_model_server.prediction_log.segments import read_segment

ROWS = 10
BATCH = [{"length": 1.1, "width": 2.2, "batch": 7}] * ROWS
SPOOLED = "prediction_log_spool_events"


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory, ports: PortBlock) -> Iterator[Postgres]:
    """Yield a PostgreSQL that these tests may kill."""
    with running_postgres(tmp_path_factory.mktemp("fragile"), ports.take()) as server:
        yield server


@pytest.fixture
def owner(fragile: Postgres) -> Iterator[Engine]:
    """Yield an engine of the owner of a migrated database."""
    with empty_database(fragile) as url:
        migrate(url, DatabaseRoles.model_validate({"servers": {"fraud": "secret"}}))
        yield engine(url)


@pytest.fixture
def logging_flags(owner: Engine, tmp_path: Path) -> dict[str, str]:
    """Return the flags of a server that logs as the role of its namespace."""
    return {
        "database_url": servers_url(owner),
        "namespace": "fraud",
        "spool_folder": str(tmp_path / "spool"),
    }


def servers_url(owner: Engine) -> str:
    """Return the URL of the role that servers of the namespace have."""
    role = database_role("fraud", database=str(owner.url.database))
    return owner.url.set(username=role, password="secret").render_as_string(hide_password=False)  # noqa: S106 - a test's


def ids_of(document: list[dict[str, str]]) -> list[str]:
    """Return the ids of an answer's rows."""
    return [one["prediction_id"] for one in document]


def stored(owner: Engine) -> dict[str, list[str]]:
    """Return the request ids of the rows in the database by their id."""
    found: dict[str, list[str]] = {}
    with transaction(owner) as connection:
        for row in connection.execute(text("SELECT id, request_id FROM predictions")):
            found.setdefault(str(row.id), []).append(row.request_id)
    return found


def spooled(folder: Path) -> set[str]:
    """Return the ids in finished segments."""
    return {
        str(UUID(bytes=fields(row)[0]))
        for path in folder.glob("[0-9]*.rows")
        for row in rows_of(read_segment(path).payload)
    }


def postmaster(owner: Engine) -> int:
    """Return PostgreSQL's first process, which takes connections."""
    with transaction(owner) as connection:
        lines = connection.scalar(text("SELECT pg_read_file('postmaster.pid')"))
    return int(str(lines).split()[0])

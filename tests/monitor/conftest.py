"""A database of a test's own, and a monitor that reads it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from monitor.watching import MonitorProcess, watching
from pydantic import SecretStr
from sqlalchemy import make_url
from support import databases

from taxon_cli.local.ports import PortBlock
from taxon_cli.local.postgres import Postgres
from taxon_contracts.names import monitor_role
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.schema import migrate

PASSWORD = "monitors-own"  # noqa: S105 - made up


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    """Yield the owner's URL of a migrated database without rows."""
    with databases.empty_database(postgres) as one:
        migrate(one, DatabaseRoles(monitor=SecretStr(PASSWORD)))
        yield one


@pytest.fixture
def monitor_url(url: str) -> str:
    """Return the URL the monitor gets: that of its own role."""
    owner = make_url(url)
    role = monitor_role(database=str(owner.database))
    return owner.set(username=role, password=PASSWORD).render_as_string(hide_password=False)


@pytest.fixture
def monitor(monitor_url: str, ports: PortBlock, tmp_path: Path) -> Iterator[MonitorProcess]:
    """Yield a monitor of the database."""
    with watching(monitor_url, ports.take(), tmp_path) as process:
        yield process

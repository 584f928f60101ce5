"""A database of a test's own, and a monitor that reads it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from monitor.watching import MonitorProcess, watching
from support import databases

from taxon_cli.local.ports import PortBlock
from taxon_cli.local.postgres import Postgres
from taxon_datastore.schema import migrate


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    """Yield the URL of a migrated database without rows."""
    with databases.empty_database(postgres) as one:
        migrate(one)
        yield one


@pytest.fixture
def monitor(url: str, ports: PortBlock, tmp_path: Path) -> Iterator[MonitorProcess]:
    """Yield a monitor of the database."""
    with watching(url, ports.take(), tmp_path) as process:
        yield process

"""A database of a test's own."""

from collections.abc import Iterator

import pytest
from support import databases

from taxon_cli.local.postgres import Postgres


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[str]:
    """Yield the URL of a database nobody migrated."""
    with databases.empty_database(postgres) as url:
        yield url

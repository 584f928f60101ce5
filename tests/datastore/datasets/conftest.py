"""A database for data sets."""

import pytest
from sqlalchemy import Engine

from taxon_datastore.database import engine


@pytest.fixture
def database(database_url: str) -> Engine:
    """Return an engine of a database with today's schema."""
    return engine(database_url)

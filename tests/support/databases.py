"""Databases of a test's own on the PostgreSQL that tests share."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Protocol
from uuid import uuid4

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from taxon_datastore.database import engine, transaction


class Serves(Protocol):
    """A server by the URL of one of its databases."""

    @property
    def url(self) -> str:
        """Return the URL."""


@contextmanager
def empty_database(postgres: Serves) -> Iterator[str]:
    """Yield the URL of a database nobody migrated; remove it afterwards."""
    name = f"test_{uuid4().hex}"
    server = engine(postgres.url).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres.url.rpartition("/")[0] + f"/{name}"
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def migrate_to(url: str, revision: str) -> None:
    """Give an empty database the schema that a release with this revision had."""
    config = Config()
    folder = resources.files("taxon_datastore") / "migrations"
    config.set_main_option("script_location", str(folder))
    with transaction(engine(url)) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def execute(database: Engine, *statements: str) -> None:
    """Carry out statements in one transaction."""
    with transaction(database) as connection:
        for statement in statements:
            connection.execute(text(statement))

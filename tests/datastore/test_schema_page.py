"""The page of the schema says what the migrated database has."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from support.databases import empty_database

from taxon_cli.local.postgres import Postgres
from taxon_contracts.names import DatabaseUse, database_role, monitor_role
from taxon_datastore.database import engine, transaction
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.schema import migrate
from taxon_datastore.schema_page import RELATIONS, privileges

USES: tuple[DatabaseUse, ...] = ("servers", "trainers", "datasets")
COLUMNS = text("""
    SELECT relation.relname, attname, format_type(atttypid, atttypmod)
    FROM pg_class AS relation JOIN pg_attribute ON attrelid = relation.oid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND attnum > 0
        AND NOT attisdropped AND NOT relispartition AND relname <> 'alembic_version'
""")
PRIVILEGES = text("""
    SELECT table_name, privilege_type FROM information_schema.role_table_grants
    WHERE grantee = :role
""")


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Engine]:
    """Yield an engine over a migrated database with roles."""
    with empty_database(postgres) as url:
        roles = {use: {"fraud": "secret"} for use in USES} | {"monitor": "secret"}
        migrate(url, DatabaseRoles.model_validate(roles))
        yield engine(url)


def test_every_table_and_view_is_on_the_page(database: Engine) -> None:
    """With each column and its type."""
    with transaction(database) as connection:
        found = {tuple(row) for row in connection.execute(COLUMNS)}

    assert found == {
        (name, column, kind)
        for name, relation in RELATIONS.items()
        for column, (kind, _) in relation.columns.items()
    }


@pytest.mark.parametrize("use", [*USES, None])
def test_every_right_is_on_the_page(database: Engine, use: DatabaseUse | None) -> None:
    """What PostgreSQL lets a role do is what the page says, and no more."""
    name = str(database.url.database)
    role = database_role("fraud", database=name, use=use) if use else monitor_role(database=name)

    with transaction(database) as connection:
        found = {tuple(row) for row in connection.execute(PRIVILEGES, {"role": role})}

    said = privileges()[use or "monitor"]
    assert found == {(relation, may) for relation, granted in said.items() for may in granted}

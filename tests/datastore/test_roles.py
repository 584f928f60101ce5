"""One team's database role: what it can do, and what PostgreSQL refuses it."""

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import Engine, make_url, text
from support.databases import execute

from taxon_contracts.names import database_role
from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.commands import migrate as command
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine
from taxon_datastore.predictions import recent_predictions, store_predictions
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.schema import migrate

PASSWORDS = {"fraud": "secret of fraud", "churn": "secret of churn"}


@pytest.fixture
def owner(empty_database: str) -> Engine:
    """Return an engine of the owner of a migrated database with two namespaces' roles."""
    migrate(empty_database, DatabaseRoles.model_validate(PASSWORDS))
    return engine(empty_database)


def team(owner: Engine, namespace: str, password: str | None = None) -> Engine:
    """Return an engine of a namespace's role."""
    role = database_role(namespace, database=str(owner.url.database))
    url = owner.url.set(username=role, password=password or PASSWORDS[namespace])
    return engine(url.render_as_string(hide_password=False))


def event(namespace: str) -> PredictionEvent:
    """Return a failed prediction of a namespace."""
    return PredictionEvent(
        id=uuid4(),
        namespace=namespace,
        model="iris",
        version="v0123456789",
        time=datetime.now(UTC),
        request_id=None,
        features=None,
        label=None,
        confidence=None,
        probabilities=None,
        latency_seconds=0.1,
        outcome="Failed",
    )


def test_a_server_stores_and_finds_rows_of_its_namespace(owner: Engine) -> None:
    """The role can do what a server does, sending a batch twice among it."""
    mine = event("fraud").model_copy(update={"features": (1.5, True, "Cork", None)})
    store_predictions(team(owner, "fraud"), [mine])
    store_predictions(team(owner, "fraud"), [mine])
    found = recent_predictions(team(owner, "fraud"), namespace="fraud", model="iris", limit=9)
    assert found == [mine]


def test_a_server_stores_no_row_of_another_namespace(owner: Engine) -> None:
    """A row that names another namespace is refused, and nothing of the batch is stored."""
    with pytest.raises(DatabaseUnavailable, match="row-level security"):
        store_predictions(team(owner, "fraud"), [event("fraud"), event("churn")])
    assert recent_predictions(owner, namespace="fraud", model="iris", limit=9) == []


def test_a_server_sees_no_row_of_another_namespace(owner: Engine) -> None:
    """Rows of another namespace are as if there were none; the owner sees them all."""
    store_predictions(team(owner, "churn"), [event("churn")])
    seen = recent_predictions(team(owner, "fraud"), namespace="churn", model="iris", limit=9)
    assert seen == []
    assert len(recent_predictions(owner, namespace="churn", model="iris", limit=9)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE predictions SET model = 'x'",
        "DELETE FROM predictions",
        "TRUNCATE predictions",
        "DROP TABLE predictions",
        "ALTER TABLE predictions DISABLE ROW LEVEL SECURITY",
        "SELECT * FROM predictions_default",
        "INSERT INTO predictions_default SELECT * FROM predictions",
        "CREATE TABLE mine (x int)",
        "SET ROLE taxon",
        "CREATE ROLE mine",
        "UPDATE alembic_version SET version_num = '9999'",
        "SELECT * FROM pg_authid",
    ],
)
def test_a_server_can_do_nothing_else(owner: Engine, statement: str) -> None:
    """PostgreSQL refuses a server's role whatever a server does not do."""
    with pytest.raises(DatabaseUnavailable, match=r"permission denied|must be owner"):
        execute(team(owner, "fraud"), statement)


def test_a_password_follows_what_is_asked_for(owner: Engine, empty_database: str) -> None:
    """A migration with another password leaves one that works, and roles it does not name alone."""
    migrate(empty_database, DatabaseRoles.model_validate({"fraud": "changed"}))
    store_predictions(team(owner, "fraud", "changed"), [event("fraud")])
    store_predictions(team(owner, "churn"), [event("churn")])


def test_roles_of_two_databases_are_two(empty_database: str) -> None:
    """Roles belong to all databases of a server, so their names say whose they are, and fit."""
    longest = "n" * 63
    names = {
        database_role(namespace, database=database)
        for namespace in (longest, longest[:-1] + "m")
        for database in ("a", "b")
    }
    assert len(names) == 4
    assert all(len(name) <= 63 for name in names)
    assert empty_database


def test_an_owner_who_may_not_make_roles_is_refused(owner: Engine) -> None:
    """The sentence says what to grant, or which value to set instead."""
    name = f"modest_{uuid4().hex[:10]}"
    database = owner.url.database
    execute(
        owner,
        f"CREATE ROLE {name} LOGIN PASSWORD '{name}'",
        f"CREATE SCHEMA {name} AUTHORIZATION {name}",
        f"ALTER ROLE {name} IN DATABASE {database} SET search_path = {name}",
    )
    modest = make_url(owner.url.render_as_string(hide_password=False))
    url = modest.set(username=name, password=name).render_as_string(hide_password=False)
    try:
        with pytest.raises(DatabaseRefused, match="grant it CREATEROLE"):
            migrate(url, DatabaseRoles.model_validate({"other": "secret"}))
    finally:
        execute(owner, f"DROP SCHEMA {name} CASCADE", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_the_job_takes_passwords_from_its_environment(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migrations Job makes the roles, and keeps no password where PostgreSQL shows it."""
    monkeypatch.setenv("TAXON_DATABASE_URL", empty_database)
    monkeypatch.setenv("TAXON_DATABASE_ROLES", '{"fraud": "secret of fraud"}')
    command.main()
    owner = engine(empty_database)
    store_predictions(team(owner, "fraud"), [event("fraud")])
    role = database_role("fraud", database=str(owner.url.database))
    with owner.connect() as connection:
        stored = connection.execute(
            text("SELECT rolpassword FROM pg_authid WHERE rolname = :name"), {"name": role}
        ).scalar()
    assert re.match(r"SCRAM-SHA-256\$", str(stored))

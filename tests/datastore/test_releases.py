"""The oldest PostgreSQL that Taxon works on, Debian's, and the newest; each with the same tests."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text
from support import copied
from support.databases import Serves, empty_database, execute
from support.servers import running_server

from hack import databases
from taxon_cli.local.ports import PortBlock
from taxon_cli.local.postgres import Postgres
from taxon_contracts.names import database_role
from taxon_datastore.database import DatabaseUnavailable, engine, transaction
from taxon_datastore.intake import store_rows
from taxon_datastore.partitions import partitions
from taxon_datastore.predictions import recent_predictions
from taxon_datastore.retention import maintain
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.schema import migrate

MIGRATIONS = Path(str(resources.files("taxon_datastore") / "migrations"))
REVISIONS = sorted(path.stem[:4] for path in MIGRATIONS.glob("versions/[!_]*.py"))
ROLES = DatabaseRoles.model_validate(
    {use: {"fraud": "secret"} for use in ("servers", "trainers", "datasets")}
    | {"monitor": "secret"}
)
EARLIER_COLUMNS = (
    "id, namespace, model, version, time, request_id, features, label, confidence,"
    " probabilities, latency_seconds, outcome"
)
EARLIER_ROW = (
    "gen_random_uuid(), 'fraud', 'iris', 'v0123456789', now(), 'r1', '{1.5, NULL}'::float8[],"
    " '\"setosa\"'::jsonb, 0.75, '{0.75, 0.25}'::float8[], 0.1, 'Answered'"
)


@pytest.fixture(scope="module", params=["14", "15", "18"])
def server(
    request: pytest.FixtureRequest, ports: PortBlock, postgres: Postgres
) -> Iterator[Serves]:
    """Yield a running server of a release."""
    if request.param == "18":
        yield postgres
        return
    programs = {"14": databases.postgres_14, "15": databases.postgres_15}[request.param]()
    with running_server(programs, ports.take()) as running:
        yield running


@pytest.fixture
def url(server: Serves) -> Iterator[str]:
    """Yield the URL of a database nobody migrated."""
    with empty_database(server) as made:
        yield made


def upgrade(url: str, revision: str) -> None:
    """Bring a database to the schema of an earlier release."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with transaction(engine(url)) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def as_server(url: str) -> Engine:
    """Return an engine of the servers of namespace fraud."""
    owner = engine(url)
    role = database_role("fraud", database=str(owner.url.database))
    named = owner.url.set(username=role, password="secret")  # noqa: S106 - a test's
    return engine(named.render_as_string(hide_password=False))


def stored(database: Engine) -> int:
    """Return how many predictions a role sees."""
    with transaction(database) as connection:
        return int(connection.scalar(text("SELECT count(*) FROM predictions")) or 0)


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_schema_with_rows_is_upgraded(url: str, revision: str) -> None:
    """Rows are kept and read; a second migration changes nothing, and new rows are stored."""
    upgrade(url, revision)
    execute(engine(url), f"INSERT INTO predictions ({EARLIER_COLUMNS}) SELECT {EARLIER_ROW}")

    migrate(url, ROLES)
    migrate(url, ROLES)

    [event] = recent_predictions(engine(url), namespace="fraud", model="iris", limit=9)
    assert (event.features, event.label, event.mirrored) == ((1.5, None), "setosa", False)
    store_rows(as_server(url), copied.predictions({}))
    assert stored(as_server(url)) == 2


def test_upgrades_at_once_take_turns(url: str) -> None:
    """Several jobs find the schema of an earlier release, with rows, and all succeed."""
    upgrade(url, "0002")
    execute(engine(url), f"INSERT INTO predictions ({EARLIER_COLUMNS}) SELECT {EARLIER_ROW}")

    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(migrate, url, ROLES) for _ in range(4)]:
            job.result()

    assert stored(as_server(url)) == 1


@pytest.mark.parametrize("mixed", [False, True])
def test_a_server_of_the_previous_release_stores(url: str, *, mixed: bool) -> None:
    """It stages its rows in a temporary table, as its namespace's role, during an upgrade."""
    migrate(url, ROLES)
    columns = EARLIER_COLUMNS + (", inputs" if mixed else "")
    row = EARLIER_ROW + (", '[1.5, true, \"Cork\"]'::jsonb" if mixed else "")
    server = as_server(url)

    execute(
        server,
        f"CREATE TEMPORARY TABLE staging ON COMMIT DROP AS SELECT {columns}"  # noqa: S608
        " FROM predictions WITH NO DATA",
        f"INSERT INTO staging ({columns}) SELECT {row}",
        f"INSERT INTO predictions ({columns}) SELECT {columns} FROM staging ON CONFLICT DO NOTHING",  # noqa: S608
    )

    [event] = recent_predictions(server, namespace="fraud", model="iris", limit=9)
    assert event.features == ((1.5, True, "Cork") if mixed else (1.5, None))


def test_rows_and_labels_are_stored_once_each(url: str) -> None:
    """As the role of a namespace; a row of another is refused."""
    migrate(url, ROLES)
    server = as_server(url)
    for rows in (copied.predictions({}, {}), copied.labels({})):
        store_rows(server, rows)
        store_rows(server, rows)

    with pytest.raises(DatabaseUnavailable, match="row-level security"):
        store_rows(server, copied.predictions({"namespace": "churn"}))

    assert stored(server) == 2


def test_no_role_creates_a_table(url: str) -> None:
    """Not in PostgreSQL 14 either, whose databases allow it every role."""
    migrate(url, ROLES)
    with pytest.raises(DatabaseUnavailable, match="permission denied"):
        execute(as_server(url), "CREATE TABLE mine (x int)")


def test_the_log_is_maintained(url: str) -> None:
    """Old days, rows and labels go; the rest stays, and its values have their names."""
    migrate(url, ROLES)
    kept = replace(copied.SIGNATURE, retention_days=30)
    day = "now() - interval '{0} days'"
    store_rows(as_server(url), copied.predictions({}, {}, signatures=[kept]))
    execute(
        engine(url),
        f"INSERT INTO predictions ({EARLIER_COLUMNS}) SELECT {EARLIER_ROW}".replace(
            "now()", day.format(40)
        ),
    )

    maintain(engine(url), retention_days=90)

    assert stored(as_server(url)) == 2
    with transaction(engine(url)) as connection:
        query = text("SELECT feature, number, text FROM prediction_values WHERE feature <> 'width'")
        assert set(connection.execute(query).all()) == {
            ("city", None, "Cork"),
            ("is new", 1.0, None),
        }


def test_an_owner_without_superuser_rights_is_enough(server: Serves, url: str) -> None:
    """It owns its database and may create roles: migrations, roles and maintenance need no more."""
    root = engine(url)
    name = f"modest_{root.url.database}"[:60]
    execute(
        root,
        f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'secret'",
        f"ALTER DATABASE {root.url.database} OWNER TO {name}",
    )
    named = root.url.set(username=name, password="secret")  # noqa: S106 - a test's
    modest = named.render_as_string(hide_password=False)
    try:
        migrate(modest, ROLES)
        migrate(modest, ROLES)
        store_rows(as_server(modest), copied.predictions({}))
        execute(
            engine(modest),
            "CREATE TABLE predictions_20200101 PARTITION OF predictions"
            " FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')",
        )
        maintain(engine(modest), retention_days=90)
        with transaction(engine(modest)) as connection:
            assert "predictions_20200101" not in partitions(connection)
        assert stored(as_server(modest)) == 1
    finally:
        execute(engine(server.url), f"ALTER DATABASE {root.url.database} OWNER TO taxon")
        execute(root, f"REASSIGN OWNED BY {name} TO taxon", f"DROP OWNED BY {name}")

"""What the roles of each use may read and change, and what PostgreSQL refuses them."""

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from support import copied, databases
from support.databases import execute

from taxon_cli.local.postgres import Postgres
from taxon_contracts.names import DatabaseUse, database_role, dataset_schema, monitor_role
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine, transaction
from taxon_datastore.intake import store_rows
from taxon_datastore.partitions import DEFAULT
from taxon_datastore.roles import TABLES, DatabaseRoles
from taxon_datastore.schema import migrate

EVERY = DatabaseRoles.model_validate(
    {
        "servers": {"fraud": "secret", "churn": "secret"},
        "trainers": {"fraud": "secret", "churn": "secret"},
        "datasets": {"fraud": "secret", "churn": "secret"},
        "monitor": "secret",
    }
)
TABLE = (
    "INSERT INTO datasets (namespace, name, version, digest, format, rows, columns)"
    " VALUES ('{0}', 'table', 1, 'sha256:1', 'csv', 1, '[]')"
)
CELLS = (
    "INSERT INTO training_data (dataset, namespace, row, cells)"
    " SELECT id, '{0}', 1, '{{a}}' FROM datasets WHERE namespace = '{0}'"
)

NUMBER = "INSERT INTO dataset_numbers VALUES ('{0}', 'table', 1)"


@contextmanager
def two_namespaces(postgres: Postgres) -> Iterator[Engine]:
    """Yield an engine of the owner of a database with a row of each table in two namespaces."""
    with databases.empty_database(postgres) as url:
        migrate(url, EVERY)
        owner = engine(url)
        for namespace in ("fraud", "churn"):
            named = {"namespace": namespace}
            signature = replace(copied.SIGNATURE, namespace=namespace, retention_days=30)
            store_rows(owner, copied.predictions(named, signatures=[signature]))
            store_rows(owner, copied.labels(named))
            execute(owner, *(one.format(namespace) for one in (TABLE, NUMBER, CELLS)))
        yield owner


@pytest.fixture(scope="module")
def peopled(postgres: Postgres) -> Iterator[Engine]:
    """Yield a database that no test of this file changes."""
    with two_namespaces(postgres) as owner:
        yield owner


@pytest.fixture
def own(postgres: Postgres) -> Iterator[Engine]:
    """Yield a database of the test's own."""
    with two_namespaces(postgres) as owner:
        yield owner


def as_role(owner: Engine, use: DatabaseUse | None) -> Engine:
    """Return an engine of fraud's role for a use; None: of the monitor's."""
    database = str(owner.url.database)
    role = (
        database_role("fraud", database=database, use=use)
        if use
        else monitor_role(database=database)
    )
    url = owner.url.set(username=role, password="secret")  # noqa: S106 - a test's
    return engine(url.render_as_string(hide_password=False))


def namespaces(database: Engine, table: str) -> list[str]:
    """Return the namespaces of the rows of a table that a role sees, by COPY."""
    with transaction(database) as connection, closing(connection.connection.cursor()) as cursor:
        content = io.StringIO()
        cursor.copy_expert(f"COPY (SELECT namespace FROM {table} ORDER BY 1) TO STDOUT", content)  # noqa: S608
        return content.getvalue().split()


READS: dict[DatabaseUse | None, tuple[str, ...]] = {
    "servers": ("predictions", "labels", "signatures", "retentions"),
    "trainers": ("datasets", "training_data"),
    "datasets": ("datasets", "dataset_numbers", "training_data"),
    None: TABLES,
}


@pytest.mark.parametrize("use", READS)
def test_a_role_reads_what_it_is_for(peopled: Engine, use: DatabaseUse | None) -> None:
    """A namespace's roles see its rows in their tables and no other; the monitor sees every row."""
    role = as_role(peopled, use)
    whose = ["fraud"] if use else ["churn", "fraud"]

    assert {table: namespaces(role, table) for table in READS[use]} == dict.fromkeys(
        READS[use], whose
    )
    for table in {*TABLES, "predictions_intake", "labels_intake", DEFAULT} - {*READS[use]}:
        with pytest.raises(DatabaseUnavailable, match="permission denied"):
            namespaces(role, table)


def test_the_monitor_reads_the_views(peopled: Engine) -> None:
    """Values under their names and live accuracy, of every namespace."""
    monitor = as_role(peopled, None)

    assert set(namespaces(monitor, "prediction_values")) == {"fraud", "churn"}
    assert set(namespaces(monitor, "live_accuracy")) == {"fraud", "churn"}


@pytest.mark.parametrize("use", READS)
@pytest.mark.parametrize("table", TABLES)
def test_no_role_changes_rows(peopled: Engine, use: DatabaseUse | None, table: str) -> None:
    """What is stored stays as it was."""
    with pytest.raises(DatabaseUnavailable, match=r"permission denied|read-only"):
        execute(as_role(peopled, use), f"UPDATE {table} SET namespace = 'fraud'")  # noqa: S608


@pytest.mark.parametrize("use", READS)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE TABLE datasets_churn.mine (x int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DELETE FROM predictions",
        "DELETE FROM labels",
        "TRUNCATE training_data",
        "DROP TABLE labels",
        "ALTER TABLE datasets DISABLE ROW LEVEL SECURITY",
    ],
)
def test_no_role_does_more(peopled: Engine, use: DatabaseUse | None, statement: str) -> None:
    """Nobody creates a table or removes a row of the log."""
    other = statement.replace("datasets_churn", dataset_schema("churn"))
    with pytest.raises(DatabaseUnavailable, match=r"permission denied|must be owner|read-only"):
        execute(as_role(peopled, use), other)


def test_the_monitor_creates_no_temporary_table(peopled: Engine) -> None:
    """Its transactions are read-only."""
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        execute(as_role(peopled, None), "CREATE TEMPORARY TABLE mine (x int)")


@pytest.mark.parametrize("use", ["servers", "trainers"])
@pytest.mark.parametrize("statement", ["DELETE FROM datasets", TABLE.format("fraud")])
def test_only_the_role_of_data_sets_changes_them(
    peopled: Engine, use: DatabaseUse, statement: str
) -> None:
    """Servers and trainers neither add nor remove one."""
    with pytest.raises(DatabaseUnavailable, match="permission denied"):
        execute(as_role(peopled, use), statement)


def test_a_data_set_is_removed_with_its_rows(own: Engine) -> None:
    """Those of another namespace stay, whatever the statement says."""
    role = as_role(own, "datasets")

    execute(role, "DELETE FROM datasets")

    assert namespaces(own, "datasets") == ["churn"]
    assert namespaces(own, "training_data") == ["churn"]


def test_a_data_set_is_added_with_its_rows(own: Engine) -> None:
    """The role of data sets needs nothing more for it."""
    role = as_role(own, "datasets")
    execute(role, "DELETE FROM datasets")

    execute(role, TABLE.format("fraud"), CELLS.format("fraud"))

    assert namespaces(role, "training_data") == ["fraud"]


@pytest.mark.parametrize("use", ["datasets"])
@pytest.mark.parametrize("statement", [TABLE.format("other"), CELLS.format("other")])
def test_a_data_set_of_another_namespace_is_refused(
    peopled: Engine, use: DatabaseUse, statement: str
) -> None:
    """Neither the data set nor a row of it is stored."""
    mine = statement.replace("WHERE namespace = 'other'", "")
    with pytest.raises(DatabaseUnavailable, match="row-level security"):
        execute(as_role(peopled, use), mine)


def test_a_row_belongs_to_a_data_set_of_its_namespace(peopled: Engine) -> None:
    """Who guesses the number of another namespace's data set adds no row to it."""
    with transaction(peopled) as connection:
        other = connection.scalar(text("SELECT id FROM datasets WHERE namespace = 'churn'"))
    with pytest.raises(DatabaseRefused, match="foreign key"):
        execute(
            as_role(peopled, "datasets"),
            f"INSERT INTO training_data VALUES ({other}, 'fraud', 2, '{{a}}')",  # noqa: S608 - a number
        )


def test_a_view_of_a_data_set_is_read_by_trainers(own: Engine) -> None:
    """The role of data sets creates it in the namespace's schema, and lets trainers read it."""
    view = f'"{dataset_schema("fraud")}"."table"'
    trainers = as_role(own, "trainers")

    execute(
        as_role(own, "datasets"),
        f"CREATE VIEW {view} AS SELECT namespace, cells[1] AS letter FROM training_data",  # noqa: S608
        f'GRANT SELECT ON {view} TO "{trainers.url.username}"',
    )

    assert namespaces(trainers, view) == ["fraud"]


def test_roles_of_an_earlier_release_get_what_they_lack(empty_database: str) -> None:
    """An installation whose role had one table is upgraded by the next migration."""
    migrate(empty_database)
    owner = engine(empty_database)
    name = database_role("fraud", database=str(owner.url.database))
    execute(
        owner,
        f"CREATE ROLE \"{name}\" LOGIN NOINHERIT PASSWORD 'old'",
        f'GRANT TEMPORARY ON DATABASE {owner.url.database} TO "{name}"',
        "ALTER TABLE predictions ENABLE ROW LEVEL SECURITY",
        f'GRANT SELECT, INSERT ON predictions TO "{name}"',
        f'CREATE POLICY "{name}" ON predictions TO "{name}" USING (namespace = \'fraud\')',
    )

    migrate(empty_database, EVERY)
    migrate(empty_database, EVERY)

    server = as_role(owner, "servers")
    store_rows(server, copied.predictions({}))
    store_rows(server, copied.labels({}))
    assert namespaces(server, "labels") == ["fraud"]


def test_roles_are_given_by_use_or_flat() -> None:
    """An object of strings has the servers' passwords, as an earlier release's."""
    flat = DatabaseRoles.model_validate({"fraud": "a", "monitor": "b"})
    assert [*flat.by_use()] == [("servers", "fraud", "a"), ("servers", "monitor", "b")]
    assert flat.monitor is None
    assert [*DatabaseRoles.model_validate({}).by_use()] == []
    assert [use for use, _, _ in EVERY.by_use()] == [
        use for use in ("servers", "trainers", "datasets") for _ in range(2)
    ]


@pytest.mark.parametrize(
    ("use", "may"), [("servers", False), ("trainers", False), ("datasets", True)]
)
def test_only_loads_need_temporary_tables(
    empty_database: str, use: DatabaseUse, *, may: bool
) -> None:
    """Where administrators withdrew the right from everybody, it is given to who needs it."""
    owner = engine(empty_database)
    execute(owner, f"REVOKE TEMPORARY, CONNECT ON DATABASE {owner.url.database} FROM PUBLIC")
    migrate(empty_database, EVERY)

    with transaction(as_role(owner, use)) as connection:
        query = "SELECT has_database_privilege(current_database(), 'TEMPORARY')"
        assert connection.scalar(text(query)) is may

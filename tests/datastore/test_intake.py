"""Rows in COPY's binary format: stored once each, in the namespace they are of."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text
from support import copied
from support.databases import execute

from taxon_contracts.names import database_role
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine, transaction
from taxon_datastore.intake import store_rows
from taxon_datastore.predictions import recent_predictions
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.rows import PREDICTION_COLUMNS, Rows
from taxon_datastore.schema import migrate

ROLES = DatabaseRoles.model_validate({"servers": {"fraud": "secret", "churn": "secret"}})


@pytest.fixture
def owner(empty_database: str) -> Engine:
    """Return an engine of the owner of a migrated database with roles of two namespaces."""
    migrate(empty_database, ROLES)
    return engine(empty_database)


@pytest.fixture
def server(owner: Engine) -> Engine:
    """Return an engine of the servers of namespace fraud."""
    role = database_role("fraud", database=str(owner.url.database))
    url = owner.url.set(username=role, password="secret")  # noqa: S106 - a test's
    return engine(url.render_as_string(hide_password=False))


def ids(owner: Engine, table: str = "predictions") -> list[UUID]:
    """Return the ids of a table's rows."""
    with transaction(owner) as connection:
        return list(connection.execute(text(f"SELECT id FROM {table}")).scalars())  # noqa: S608


def test_rows_come_back_as_the_events_they_are(server: Engine) -> None:
    """Booleans and categories are read by the signature; numbers and gaps as they are."""
    given = copied.predictions(
        {}, {"features": [None, None, None], "categories": [None]}, {"features": None}
    )
    store_rows(server, given)

    found = recent_predictions(server, namespace="fraud", model="iris", limit=9)

    assert {one.features for one in found} == {(1.5, "Cork", True), (None, None, None), None}
    assert {(one.label, one.transport, one.mirrored) for one in found} == {
        ("setosa", "http", False)
    }


def test_rows_sent_again_are_stored_once(owner: Engine, server: Engine) -> None:
    """A row that is there already, before or within the batch, does not disturb the others."""
    known, new = {"id": uuid4(), "time": copied.POSTGRES_EPOCH}, {"id": uuid4()}
    store_rows(server, copied.predictions(known))

    store_rows(server, copied.predictions(known, known, new))

    assert set(ids(owner)) == {known["id"], new["id"]}
    assert len(ids(owner)) == 2


def test_labels_are_stored_once(owner: Engine, server: Engine) -> None:
    """Labels go the same way."""
    label = {"id": uuid4()}
    for _ in range(2):
        store_rows(server, copied.labels(label, label))

    assert ids(owner, "labels") == [label["id"]]


@pytest.mark.parametrize("table", ["predictions", "labels"])
def test_a_row_of_another_namespace_is_refused(owner: Engine, server: Engine, table: str) -> None:
    """PostgreSQL refuses it by the policy of the table, and nothing of the batch is stored."""
    rows = copied.predictions if table == "predictions" else copied.labels

    with pytest.raises(DatabaseUnavailable, match="row-level security"):
        store_rows(server, rows({}, {"namespace": "churn"}))

    assert ids(owner, table) == []


def retentions(owner: Engine) -> list[int | None]:
    """Return the retentions of the model, oldest first."""
    with transaction(owner) as connection:
        query = text("SELECT days FROM retentions ORDER BY since")
        return list(connection.execute(query).scalars())


def test_a_retention_is_stored_where_it_changes(owner: Engine, server: Engine) -> None:
    """None is the chart's: a model that never had another has no row."""
    for days in (None, 30, 30, 7, None, None, 7):
        kept = replace(copied.SIGNATURE, retention_days=days)
        store_rows(server, copied.predictions(signatures=[kept]))

    assert retentions(owner) == [30, 7, None, 7]


def test_a_signature_of_another_namespace_is_refused(server: Engine) -> None:
    """A server describes its own namespace's versions only."""
    other = replace(copied.SIGNATURE, namespace="churn")
    with pytest.raises(DatabaseUnavailable, match="row-level security"):
        store_rows(server, copied.predictions(signatures=[other]))


@pytest.mark.parametrize(
    "payload", [b"\0", b"\0\x0f\0\0", copied.predictions({}).payload[:-3], b"\0\1\0\0\0\0"]
)
def test_bytes_that_are_no_rows_are_refused(server: Engine, payload: bytes) -> None:
    """Sending them again would not change what they are."""
    with pytest.raises(DatabaseRefused):
        store_rows(server, Rows("predictions", PREDICTION_COLUMNS, 1, payload))


@pytest.mark.parametrize(
    "change",
    [
        {"request_id": "a\0b"},
        {"label": "\0"},
        {"outcome": None},
        {"latency_seconds": "nine bytes"},
    ],
    ids=str,
)
def test_values_that_postgresql_never_takes_are_refused(
    server: Engine, change: dict[str, object]
) -> None:
    """One such row refuses its batch, and the server sets it aside."""
    with pytest.raises(DatabaseRefused):
        store_rows(server, copied.predictions({}, change))


@pytest.mark.parametrize(
    "fault",
    [
        "DROP VIEW predictions_intake",
        "ALTER TABLE predictions DROP COLUMN transport CASCADE",
        "REVOKE INSERT ON predictions_intake FROM {role}",
        "REVOKE INSERT ON predictions FROM {role}",
        "DROP POLICY {role} ON predictions",
        "DROP TABLE signatures",
        "ALTER ROLE {role} SET default_transaction_read_only = on",
    ],
)
def test_what_an_operator_can_repair_is_tried_again(
    owner: Engine, server: Engine, fault: str
) -> None:
    """A schema that is older, a right that is missing, a database that is read-only."""
    execute(owner, fault.format(role=f'"{server.url.username}"'))

    with pytest.raises(DatabaseUnavailable):
        store_rows(server, copied.predictions({}))


def test_a_column_of_a_newer_release_waits_for_it(server: Engine) -> None:
    """Rows of a release that was taken back wait until it returns."""
    rows = copied.predictions({})
    newer = replace(rows, columns=(*rows.columns[:-1], 'the "new" one'))

    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        store_rows(server, newer)


def test_a_release_that_knows_fewer_columns_is_served(owner: Engine, server: Engine) -> None:
    """What it does not send gets its default, in a table that has more columns as well."""
    execute(owner, "ALTER TABLE predictions ADD COLUMN reviewed boolean NOT NULL DEFAULT false")
    fewer = PREDICTION_COLUMNS[:-2]
    rows = copied.predictions({}, columns=fewer)

    store_rows(server, rows)

    with transaction(owner) as connection:
        query = text("SELECT transport, mirrored, reviewed FROM predictions")
        assert connection.execute(query).all() == [(None, False, False)]


def test_storing_needs_no_right_to_temporary_tables(owner: Engine, server: Engine) -> None:
    """Databases whose administrators withdrew it from everybody are served."""
    execute(owner, f"REVOKE TEMPORARY ON DATABASE {owner.url.database} FROM PUBLIC")

    store_rows(server, copied.predictions({}))

    assert len(ids(owner)) == 1

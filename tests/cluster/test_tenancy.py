"""The Secrets of a model namespace, as installed, open what is its own and nothing else."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import Engine, make_url, text
from support.databases import execute
from support.kubectl import forwarded, kubectl, secret_values
from support.release import SYSTEM

from taxon_bundle.location import open_store
from taxon_bundle.storage import StorageDenied
from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.database import DatabaseUnavailable, engine, transaction
from taxon_datastore.predictions import recent_predictions, store_predictions

NAMESPACE, OTHER = "default", "another-team"

pytestmark = pytest.mark.usefixtures("object_store")


@pytest.fixture
def keys(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Use the keys of a Secret from now on, after the administrator has filled two folders."""
    for folder in (f"s3://taxon/{NAMESPACE}/tenancy/", f"s3://taxon/{OTHER}/tenancy/"):
        open_store(folder).write("object", b"1")
    name = str(request.param)
    for key, value in secret_values(name, NAMESPACE).items():
        if key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(key, value)
    return name


@pytest.mark.parametrize("keys", ["taxon-s3-read", "taxon-s3-write"], indirect=True)
def test_bundles_of_another_namespace_are_out_of_reach(keys: str) -> None:
    """Neither a server's keys nor a trainer's read, list or remove another team's bundles."""
    own = open_store(f"s3://taxon/{NAMESPACE}/tenancy/")
    other = open_store(f"s3://taxon/{OTHER}/tenancy/")
    assert own.read("object") == b"1", keys
    for attempt in (lambda: other.read("object"), other.keys, lambda: other.delete("object")):
        with pytest.raises(StorageDenied):
            attempt()


@pytest.mark.parametrize("keys", ["taxon-s3-read"], indirect=True)
def test_a_server_writes_nothing(keys: str) -> None:
    """A server's keys change not even its own bundles."""
    with pytest.raises(StorageDenied):
        open_store(f"s3://taxon/{NAMESPACE}/tenancy/").write("object", keys.encode())


@pytest.mark.parametrize("keys", ["taxon-tables"], indirect=True)
def test_a_person_puts_tables_below_the_namespace(keys: str) -> None:
    """The keys for people write tables of the namespace, and no bundle."""
    tables = open_store(f"s3://tables/{NAMESPACE}/")
    tables.write("tenancy.csv", keys.encode())
    tables.delete("tenancy.csv")
    with pytest.raises(StorageDenied):
        open_store(f"s3://taxon/{NAMESPACE}/tenancy/").write("object", b"2")


@pytest.fixture(scope="module")
def port(release: str) -> Iterator[int]:
    """Yield a port of this machine that leads to the database."""
    assert release
    with forwarded("taxon-postgres", SYSTEM, 5432) as port:
        yield port


def connected(secret: str, port: int, *, namespace: str = NAMESPACE) -> Engine:
    """Return an engine with the URL of a Secret, by a port of this machine."""
    url = make_url(secret_values(secret, namespace)["url"]).set(host="127.0.0.1", port=port)
    return engine(url.render_as_string(hide_password=False))


@pytest.fixture
def database(port: int) -> Engine:
    """Return an engine with the URL servers of the namespace get."""
    return connected("taxon-postgres", port)


@pytest.fixture
def of_another_team(port: int) -> Iterator[str]:
    """Yield the name of a model and a data set of another namespace that have rows."""
    name = f"tenancy-{secrets.token_hex(4)}"
    owner = connected("taxon-database", port, namespace=SYSTEM)
    execute(owner, *(statement.format(name=name, other=OTHER) for statement in FILL))
    yield name
    execute(owner, *(statement.format(name=name, other=OTHER) for statement in EMPTY))


FILL = (
    (
        "INSERT INTO predictions (id, namespace, model, version, time, latency_seconds, outcome)"
        " VALUES (gen_random_uuid(), '{other}', '{name}', 'v', now(), 0.1, 'Failed')"
    ),
    (
        "INSERT INTO labels (id, namespace, model, request_id, label, observed_at, received_at)"
        " VALUES (gen_random_uuid(), '{other}', '{name}', 'r', '1', now(), now())"
    ),
    (
        "INSERT INTO signatures (namespace, model, version, features)"
        " VALUES ('{other}', '{name}', 'v', '[]')"
    ),
    (
        "INSERT INTO datasets (namespace, name, version, digest, format, rows, columns)"
        " VALUES ('{other}', '{name}', 1, 'sha256:0', 'csv', 1, '[]')"
    ),
    (
        "INSERT INTO training_data (dataset, namespace, row, cells)"
        " SELECT id, '{other}', 1, ARRAY['secret'] FROM datasets WHERE name = '{name}'"
    ),
)
EMPTY = (
    "DELETE FROM predictions WHERE model = '{name}'",
    "DELETE FROM labels WHERE model = '{name}'",
    "DELETE FROM signatures WHERE model = '{name}'",
    "DELETE FROM datasets WHERE name = '{name}'",
)
READABLE = {
    "taxon-postgres": ("predictions", "labels"),
    "taxon-datasets-read": ("datasets", "training_data"),
    "taxon-datasets": ("datasets", "training_data"),
}
"""What each use of the database reads of its own namespace."""


def rows_of(database: Engine, table: str, namespace: str) -> int:
    """Return how many rows of a namespace somebody sees."""
    query = text(f"SELECT count(*) FROM {table} WHERE namespace = :namespace")  # noqa: S608 - a name of this file
    with transaction(database) as connection:
        return int(connection.execute(query, {"namespace": namespace}).scalar_one())


@pytest.mark.usefixtures("of_another_team")
@pytest.mark.parametrize(
    ("secret", "table"),
    [(secret, table) for secret, tables in READABLE.items() for table in tables],
)
def test_nobody_sees_the_rows_of_another_namespace(secret: str, table: str, port: int) -> None:
    """They are there, and the monitor sees them; for a role of this namespace they are not."""
    monitor = connected("taxon-monitor-database", port, namespace=SYSTEM)
    assert rows_of(monitor, table, OTHER) >= 1
    assert rows_of(connected(secret, port), table, OTHER) == 0


@pytest.mark.parametrize(
    ("secret", "table"),
    [
        ("taxon-postgres", "datasets"),
        ("taxon-postgres", "training_data"),
        ("taxon-datasets-read", "predictions"),
        ("taxon-datasets-read", "labels"),
        ("taxon-datasets", "predictions"),
        ("taxon-datasets", "labels"),
    ],
)
def test_a_use_has_no_right_on_what_it_is_not_for(secret: str, table: str, port: int) -> None:
    """Servers read no training data, and trainers no predictions."""
    with pytest.raises(DatabaseUnavailable, match="permission denied"):
        rows_of(connected(secret, port), table, NAMESPACE)


@pytest.mark.parametrize("statement", FILL[:4], ids=lambda one: one.split()[2])
@pytest.mark.parametrize("secret", READABLE)
def test_nobody_adds_rows_to_another_namespace(secret: str, statement: str, port: int) -> None:
    """PostgreSQL refuses them, whichever use of the database they come from."""
    with pytest.raises(DatabaseUnavailable, match=r"row-level security|permission denied"):
        execute(connected(secret, port), statement.format(name="tenancy", other=OTHER))


def event(namespace: str) -> PredictionEvent:
    """Return a failed prediction."""
    missing = dict.fromkeys(
        ("request_id", "features", "label", "confidence", "probabilities"), None
    )
    document = {
        "id": uuid4(),
        "namespace": namespace,
        "model": f"tenancy-{secrets.token_hex(4)}",
        "version": "v0123456789",
        "time": datetime.now(UTC),
        "latency_seconds": 0.1,
        "outcome": "Failed",
    }
    return PredictionEvent.model_validate(document | missing)


def test_servers_log_as_a_role_of_their_namespace(database: Engine) -> None:
    """The role stores rows of its namespace, none of another, and makes no table."""
    own, other = event(NAMESPACE), event(OTHER)
    store_predictions(database, [own])
    found = recent_predictions(database, namespace=NAMESPACE, model=own.model, limit=2)
    assert found == [own]
    with pytest.raises(DatabaseUnavailable, match="row-level security"):
        store_predictions(database, [other])
    with pytest.raises(DatabaseUnavailable, match="permission denied"):
        execute(database, "CREATE TABLE mine (x integer)")


def test_the_daily_job_makes_partitions(release: str) -> None:
    """The CronJob's pod reaches the database as the schema's owner."""
    assert release
    name = f"tenancy-{secrets.token_hex(4)}"
    kubectl("create", "job", name, "-n", SYSTEM, "--from=cronjob/taxon-maintenance")
    words = ("-n", SYSTEM, "--for=condition=complete", "--timeout=60s")
    kubectl("wait", f"job/{name}", *words)
    kubectl("delete", "job", name, "-n", SYSTEM)

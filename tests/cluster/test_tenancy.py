"""The Secrets of a model namespace, as installed, open what is its own and nothing else."""

import base64
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import Engine, make_url
from support.databases import execute
from support.kubectl import find, forwarded, kubectl
from support.release import SYSTEM

from taxon_bundle.location import open_store
from taxon_bundle.storage import StorageDenied
from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.database import DatabaseUnavailable, engine
from taxon_datastore.predictions import recent_predictions, store_predictions

NAMESPACE, OTHER = "default", "another-team"

pytestmark = pytest.mark.usefixtures("object_store")


def values(name: str) -> dict[str, str]:
    """Return what a Secret of the model namespace holds."""
    secret = find("secret", name, NAMESPACE)
    assert secret
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


@pytest.fixture
def keys(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Use the keys of a Secret from now on, after the administrator has filled two folders."""
    for folder in (f"s3://taxon/{NAMESPACE}/tenancy/", f"s3://taxon/{OTHER}/tenancy/"):
        open_store(folder).write("object", b"1")
    name = str(request.param)
    for key, value in values(name).items():
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


@pytest.fixture
def database(release: str) -> Iterator[Engine]:
    """Yield an engine with the URL servers of the namespace get, by a port of this machine."""
    assert release
    url = make_url(values("taxon-postgres")["url"])
    with forwarded("taxon-postgres", SYSTEM, 5432) as port:
        local = url.set(host="127.0.0.1", port=port)
        yield engine(local.render_as_string(hide_password=False))


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

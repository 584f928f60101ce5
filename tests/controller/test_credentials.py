"""The credentials Job: what it makes once, what it brings where, and what it refuses."""

# ruff: noqa: S105, S106 - names of Secrets and made-up keys

import base64
import copy
import json
from typing import Any

import pytest

from taxon_contracts.names import DatabaseUse, database_role, monitor_role
from taxon_controller.commands.credentials import Settings, distribute
from taxon_controller.commands.identities import derived
from taxon_controller.commands.secret import BadSecret
from taxon_kube.api import AlreadyExists, Kind, Manifest

EVALUATION = Settings(
    release="taxon",
    namespace="taxon-system",
    model_namespaces=("fraud", "churn"),
    bundles="s3://bundles/all",
    s3_endpoint="http://store.taxon-system.svc:8333",
    s3_configuration="s3-1.json",
    postgres_host="postgres.taxon-system.svc",
)
EXTERNAL = Settings(
    release="taxon",
    namespace="taxon-system",
    model_namespaces=("fraud", "churn"),
    bundles="s3://bundles",
    write_secret="writer",
    read_secret="reader",
    database_secret="database",
)
KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "eu-west-1"}


class Secrets:
    """A cluster's Secrets, and how often they were written."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Manifest] = {}
        self.writes = 0

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return a copy of one."""
        assert kind.name == "Secret"
        return copy.deepcopy(self.kept.get((namespace, name)))

    def create(self, manifest: Manifest) -> Manifest:
        """Keep a new one."""
        place = (manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        if place in self.kept:
            raise AlreadyExists(str(place))
        return self._keep(manifest)

    def replace(self, manifest: Manifest, *, part: str = "") -> Manifest:
        """Keep one in the place of the version that was read."""
        assert not part
        metadata = manifest["metadata"]
        old = self.kept[metadata["namespace"], metadata["name"]]
        assert old["metadata"]["resourceVersion"] == metadata["resourceVersion"]
        return self._keep(manifest)

    def _keep(self, manifest: Manifest) -> Manifest:
        self.writes += 1
        kept = copy.deepcopy(manifest)
        kept["metadata"]["resourceVersion"] = str(self.writes)
        self.kept[kept["metadata"]["namespace"], kept["metadata"]["name"]] = kept
        return copy.deepcopy(kept)

    def given(self, namespace: str, name: str, values: dict[str, str]) -> None:
        """Keep one somebody else made."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self._keep({"metadata": {"namespace": namespace, "name": name}, "data": data})

    def values(self, namespace: str, name: str) -> dict[str, str]:
        """Return what one holds."""
        data = self.kept[namespace, name]["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def annotations(self, namespace: str, name: str) -> Any:
        """Return the annotations of one."""
        return self.kept[namespace, name]["metadata"]["annotations"]


def external() -> Secrets:
    """Return a cluster with the Secrets a person named."""
    secrets = Secrets()
    secrets.given("taxon-system", "writer", KEYS | {"AWS_ENDPOINT_URL": "https://s3.example.com"})
    secrets.given("taxon-system", "reader", KEYS)
    secrets.given("taxon-system", "database", {"url": "postgresql://u:p@db:5432/x"})
    return secrets


def test_every_namespace_gets_its_secrets() -> None:
    """Pods of models get theirs where they are; the release keeps what only its own pods need."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    store = ("taxon-s3-read", "taxon-s3-write", "taxon-tables")
    names = (*store, "taxon-postgres", "taxon-datasets", "taxon-datasets-read")
    wanted = {(namespace, name) for namespace in EVALUATION.model_namespaces for name in names}
    own = (
        *("credentials", "database", "evaluation"),
        *("monitor-database", "object-store", "s3-cleanup"),
    )
    assert set(secrets.kept) == wanted | {("taxon-system", f"taxon-{name}") for name in own}


def test_a_second_run_writes_nothing() -> None:
    """What was made at random is kept, so an upgrade or a GitOps sync changes no password."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    writes = secrets.writes
    distribute(secrets, EVALUATION)
    assert secrets.writes == writes


def test_two_installs_share_no_key_and_no_password() -> None:
    """Credentials are made at random, or follow from what was."""
    first, second = Secrets(), Secrets()
    distribute(first, EVALUATION)
    distribute(second, EVALUATION)
    for namespace, name in (
        ("taxon-system", "taxon-evaluation"),
        ("taxon-system", "taxon-credentials"),
        ("fraud", "taxon-postgres"),
    ):
        made = [set(one.values(namespace, name).values()) for one in (first, second)]
        assert not made[0] & made[1]
    keys = [
        one.values("fraud", "taxon-s3-read")["AWS_SECRET_ACCESS_KEY"] for one in (first, second)
    ]
    assert keys[0] != keys[1]


def test_no_two_secrets_have_the_same_keys() -> None:
    """Each namespace and each kind of pod has keys of its own."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    keys = [
        secrets.values(namespace, name)["AWS_SECRET_ACCESS_KEY"]
        for namespace, name in secrets.kept
        if name.startswith(("taxon-s3", "taxon-tables"))
    ]
    assert len(keys) == len(set(keys)) == 7


HOST = "postgres.taxon-system.svc:5432/postgres"


def made(secrets: Secrets) -> Any:
    """Return what the migrations learn about the roles."""
    return json.loads(secrets.values("taxon-system", "taxon-database")["roles"])


def test_the_migrations_get_the_owners_url() -> None:
    """And nobody else does."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    owner = secrets.values("taxon-system", "taxon-evaluation")["postgres-password"]
    url = f"postgresql://taxon:{owner}@{HOST}"
    holders = [
        place for place, one in secrets.kept.items()
        if base64.b64decode(one["data"].get("url", "")).decode() == url
    ]  # fmt: skip
    assert holders == [("taxon-system", "taxon-database")]


@pytest.mark.parametrize(
    ("use", "secret"),
    [
        ("servers", "taxon-postgres"),
        ("trainers", "taxon-datasets-read"),
        ("datasets", "taxon-datasets"),
    ],
)
def test_each_use_of_a_namespace_logs_in_with_its_own_role(use: DatabaseUse, secret: str) -> None:
    """The migrations learn each role's password, whoever logs in only its own."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    passwords = made(secrets)[use]
    role = database_role("fraud", database="postgres", use=use)
    assert set(passwords) == {"fraud", "churn"}
    assert secrets.values("fraud", secret) == {
        "url": f"postgresql://{role}:{passwords['fraud']}@{HOST}"
    }


def test_the_monitor_logs_in_with_a_role_of_its_own() -> None:
    """Its Secret is where the monitor runs, and in no model namespace."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    role = monitor_role(database="postgres")
    assert secrets.values("taxon-system", "taxon-monitor-database") == {
        "url": f"postgresql://{role}:{made(secrets)['monitor']}@{HOST}"
    }


def test_no_two_roles_have_the_same_password() -> None:
    """Who knows one password logs in as one role."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    roles = made(secrets)
    monitor = roles.pop("monitor")
    passwords = [monitor, *(one for uses in roles.values() for one in uses.values())]
    assert len(passwords) == len(set(passwords)) == 7


def test_servers_keep_the_password_of_earlier_releases() -> None:
    """An upgrade locks no server out, and a rollback none either."""
    secrets = Secrets()
    secrets.given("taxon-system", "taxon-credentials", {"seed": "ab" * 24})
    distribute(secrets, EVALUATION)
    assert made(secrets)["servers"]["fraud"] == derived("ab" * 24, "fraud/database", 48)


@pytest.mark.parametrize(
    ("owner", "own"),
    [
        ("postgresql://u:p%40@a:1,b:2/x?sslmode=require", "@a:1,b:2/x?sslmode=require"),
        ("postgresql://u:p@db/with%20space", "@db/with%20space"),
        ("postgresql://u:p@[fd00::1]:5432/x", "@[fd00::1]:5432/x"),
        ("postgresql://u:p@db", "@db/u"),
    ],
)
def test_the_rest_of_the_owners_url_stays(owner: str, own: str) -> None:
    """Hosts, database and options of a person's own database reach the servers unchanged."""
    secrets = external()
    secrets.given("taxon-system", "database", {"url": owner})
    distribute(secrets, EXTERNAL)
    url = secrets.values("fraud", "taxon-postgres")["url"]
    assert url.startswith("postgresql://taxon_fraud_")
    assert url.endswith(own)


def test_without_roles_everybody_is_the_owner() -> None:
    """Where the database's user cannot make roles, every Secret has its URL."""
    secrets = external()
    distribute(secrets, EXTERNAL.model_copy(update={"namespace_roles": False}))
    url = {"url": "postgresql://u:p@db:5432/x"}
    for name in ("taxon-postgres", "taxon-datasets", "taxon-datasets-read"):
        assert secrets.values("fraud", name) == url
    assert secrets.values("taxon-system", "taxon-monitor-database") == url
    assert secrets.values("taxon-system", "taxon-database") == url | {"roles": "{}"}


def test_the_store_keeps_its_last_configuration_for_a_rollback() -> None:
    """The pod of the release before finds the key it reads, and older ones go."""
    secrets = Secrets()
    for number in (1, 2, 3):
        changed = {"s3_configuration": f"s3-{number}.json"}
        distribute(secrets, EVALUATION.model_copy(update=changed))
    distribute(secrets, EVALUATION.model_copy(update={"s3_configuration": "s3-3.json"}))
    kept = secrets.values("taxon-system", "taxon-object-store")
    assert set(kept) == {"current", "s3-2.json", "s3-3.json"}


def test_what_an_earlier_release_made_is_kept() -> None:
    """Its store and database go on with their keys and password, and a rollback finds its own."""
    secrets = Secrets()
    old = {"postgres-password": "pw", "s3.json": "{}"} | {
        key: value for key, value in KEYS.items() if key != "AWS_REGION"
    }
    secrets.given("taxon-system", "taxon-evaluation", old)
    distribute(secrets, EVALUATION)
    assert secrets.values("taxon-system", "taxon-evaluation") == old
    configured = secrets.values("taxon-system", "taxon-object-store")["s3-1.json"]
    assert json.loads(configured)["identities"][0]["credentials"] == [
        {"accessKey": "id", "secretKey": "key"}
    ]
    assert "taxon:pw@" in secrets.values("taxon-system", "taxon-database")["url"]


def test_kserve_gets_the_endpoint_of_the_evaluation_store() -> None:
    """The annotations lead KServe's loader to the store: no scheme, no TLS."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    assert secrets.annotations("fraud", "taxon-s3-read") == {
        "serving.kserve.io/s3-endpoint": "store.taxon-system.svc:8333",
        "serving.kserve.io/s3-region": "us-east-1",
        "serving.kserve.io/s3-usehttps": "0",
    }


def test_named_secrets_are_brought_under_the_names_pods_ask_for() -> None:
    """What a person named is copied, with the endpoint in KServe's words."""
    secrets = external()
    distribute(secrets, EXTERNAL)
    assert secrets.values("fraud", "taxon-s3-write") == KEYS | {
        "AWS_ENDPOINT_URL": "https://s3.example.com",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    assert secrets.annotations("fraud", "taxon-s3-write") == {
        "serving.kserve.io/s3-endpoint": "s3.example.com",
        "serving.kserve.io/s3-region": "eu-west-1",
        "serving.kserve.io/s3-usehttps": "1",
    }
    cleanup = secrets.values("taxon-system", "taxon-s3-cleanup")
    assert cleanup == secrets.values("fraud", "taxon-s3-write")
    assert ("fraud", "taxon-tables") not in secrets.kept


def test_aws_itself_needs_no_endpoint() -> None:
    """Without AWS_ENDPOINT_URL neither trainers nor KServe get an endpoint."""
    secrets = external()
    distribute(secrets, EXTERNAL)
    assert "AWS_ENDPOINT_URL" not in secrets.values("fraud", "taxon-s3-read")
    assert "serving.kserve.io/s3-endpoint" not in secrets.annotations("fraud", "taxon-s3-read")


def test_a_changed_source_reaches_every_copy() -> None:
    """A rotated key is brought everywhere by the next run."""
    secrets = external()
    distribute(secrets, EXTERNAL)
    secrets.given("taxon-system", "reader", KEYS | {"AWS_SECRET_ACCESS_KEY": "rotated"})
    distribute(secrets, EXTERNAL)
    assert secrets.values("fraud", "taxon-s3-read")["AWS_SECRET_ACCESS_KEY"] == "rotated"


def test_a_source_that_has_the_right_name_is_left_as_it_is() -> None:
    """A person may name taxon-s3-read itself; it is the source, not a copy."""
    secrets = Secrets()
    secrets.given("taxon-system", "taxon-s3-read", KEYS)
    named = {"write_secret": None, "read_secret": "taxon-s3-read", "database_secret": None}
    places = {"model_namespaces": ("fraud", "taxon-system")}
    distribute(secrets, EXTERNAL.model_copy(update=named | places))
    assert secrets.values("taxon-system", "taxon-s3-read") == KEYS
    assert secrets.values("fraud", "taxon-s3-read").items() >= KEYS.items()


@pytest.mark.parametrize("name", ["taxon-postgres", "taxon-datasets", "taxon-monitor-database"])
def test_the_owners_url_has_a_name_of_its_own(name: str) -> None:
    """A Secret cannot hold the owner's URL and a role's under one name."""
    secrets = external()
    secrets.given("taxon-system", name, {"url": "postgresql://u:p@db:5432/x"})
    settings = EXTERNAL.model_copy(update={"database_secret": name})
    with pytest.raises(BadSecret, match="give it another name"):
        distribute(secrets, settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("writer", None), "Secret taxon-system/writer does not exist: create it"),
        (("database", {"uri": "x"}), "Secret taxon-system/database has no key url: add it"),
        (
            ("reader", {"AWS_ACCESS_KEY_ID": "id"}),
            "Secret taxon-system/reader has no key AWS_SECRET_ACCESS_KEY: add it",
        ),
    ],
)
def test_a_named_secret_that_cannot_be_used_is_refused(
    change: tuple[str, dict[str, str] | None], message: str
) -> None:
    """A missing Secret or key is named, with what to do."""
    secrets = external()
    name, values = change
    del secrets.kept["taxon-system", name]
    if values:
        secrets.given("taxon-system", name, values)
    with pytest.raises(BadSecret, match=message):
        distribute(secrets, EXTERNAL)


def test_a_secret_somebody_else_made_is_not_overwritten() -> None:
    """A Secret of a name pods ask for that is not Taxon's stays untouched, and is named."""
    secrets = Secrets()
    secrets.given("fraud", "taxon-s3-write", {"mine": "x"})
    with pytest.raises(BadSecret, match="Secret fraud/taxon-s3-write exists and is not Taxon's"):
        distribute(secrets, EVALUATION)
    assert secrets.values("fraud", "taxon-s3-write") == {"mine": "x"}

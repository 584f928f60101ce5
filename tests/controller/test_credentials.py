"""The credentials Job: what it makes once, what it brings where, and what it refuses."""

# ruff: noqa: S105, S106 - names of Secrets and made-up keys

import base64
import copy
import json
from typing import Any

import pytest

from taxon_controller.commands.credentials import BadSecret, Settings, distribute
from taxon_kube.api import AlreadyExists, Kind, Manifest

EVALUATION = Settings(
    namespace="taxon-system",
    targets=("fraud", "taxon-system"),
    evaluation_secret="taxon-evaluation",
    bucket="bundles",
    s3_endpoint="http://store.taxon-system.svc:8333",
    postgres_host="postgres.taxon-system.svc",
)
EXTERNAL = Settings(
    namespace="taxon-system",
    targets=("fraud", "taxon-system"),
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


def test_every_namespace_gets_every_secret() -> None:
    """From the evaluation's credentials, pods of every namespace get theirs."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    names = ("taxon-postgres", "taxon-s3-read", "taxon-s3-write")
    wanted = {(namespace, name) for namespace in EVALUATION.targets for name in names}
    assert set(secrets.kept) == wanted | {("taxon-system", "taxon-evaluation")}


def test_a_second_run_writes_nothing() -> None:
    """What was made at random is kept, so an upgrade or a GitOps sync changes no password."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    writes = secrets.writes
    distribute(secrets, EVALUATION)
    assert secrets.writes == writes


def test_two_installs_share_no_password() -> None:
    """Credentials are made at random."""
    first, second = Secrets(), Secrets()
    distribute(first, EVALUATION)
    distribute(second, EVALUATION)
    made = [one.values("taxon-system", "taxon-evaluation") for one in (first, second)]
    assert not set(made[0].values()) & set(made[1].values())


def test_the_database_url_has_the_made_password() -> None:
    """Servers log in with the password PostgreSQL was made with."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    password = secrets.values("taxon-system", "taxon-evaluation")["postgres-password"]
    url = secrets.values("fraud", "taxon-postgres")["url"]
    assert url == f"postgresql://taxon:{password}@postgres.taxon-system.svc:5432/postgres"


@pytest.mark.parametrize(
    ("identity", "actions"),
    [
        ("read", ["Read:bundles", "List:bundles"]),
        (
            "write",
            [
                "Read:samples", "List:samples", "Read:tables", "List:tables",
                "Read:bundles", "List:bundles", "Write:bundles", "Tagging:bundles",
            ],
        ),
    ],
)  # fmt: skip
def test_identities_may_do_only_what_their_pods_do(identity: str, actions: list[str]) -> None:
    """A server's key reads bundles; a trainer's also reads tables and writes bundles."""
    secrets = Secrets()
    distribute(secrets, EVALUATION)
    made = json.loads(secrets.values("taxon-system", "taxon-evaluation")["s3.json"])
    [found] = [one for one in made["identities"] if one["name"] == identity]
    assert found["actions"] == actions
    [keys] = found["credentials"]
    assert secrets.values("fraud", f"taxon-s3-{identity}") == {
        "AWS_ACCESS_KEY_ID": keys["accessKey"],
        "AWS_SECRET_ACCESS_KEY": keys["secretKey"],
        "AWS_ENDPOINT_URL": "http://store.taxon-system.svc:8333",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def test_kserve_is_told_where_the_evaluation_store_is() -> None:
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
    assert secrets.values("fraud", "taxon-postgres") == {"url": "postgresql://u:p@db:5432/x"}


def test_aws_itself_needs_no_endpoint() -> None:
    """Without AWS_ENDPOINT_URL neither trainers nor KServe are told an endpoint."""
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
    """A person may name taxon-postgres itself; it is the source, not a copy."""
    secrets = Secrets()
    secrets.given("taxon-system", "taxon-postgres", {"url": "postgresql://u:p@db:5432/x"})
    settings = EXTERNAL.model_copy(
        update={"write_secret": None, "read_secret": None, "database_secret": "taxon-postgres"}
    )
    distribute(secrets, settings)
    assert secrets.writes == 2
    assert secrets.values("fraud", "taxon-postgres") == {"url": "postgresql://u:p@db:5432/x"}


@pytest.mark.parametrize(
    ("change", "told"),
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
    change: tuple[str, dict[str, str] | None], told: str
) -> None:
    """A missing Secret or key is named, with what to do."""
    secrets = external()
    name, values = change
    del secrets.kept["taxon-system", name]
    if values:
        secrets.given("taxon-system", name, values)
    with pytest.raises(BadSecret, match=told):
        distribute(secrets, EXTERNAL)


def test_a_secret_somebody_else_made_is_not_overwritten() -> None:
    """A Secret of a name pods ask for that is not Taxon's stays untouched, and is named."""
    secrets = Secrets()
    secrets.given("fraud", "taxon-s3-write", {"mine": "x"})
    with pytest.raises(BadSecret, match="Secret fraud/taxon-s3-write exists and is not Taxon's"):
        distribute(secrets, EVALUATION)
    assert secrets.values("fraud", "taxon-s3-write") == {"mine": "x"}

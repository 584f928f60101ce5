"""Writes the Secrets that models need into every namespace models may live in.

A Job of the chart runs it after every install and upgrade. The controller itself reads no Secret.
What is made at random is made once and kept; everything else follows from that, or from the Secrets
a person named, so running it again changes nothing.
"""

import base64
import json
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from taxon_contracts import names
from taxon_kube.api import ApiError, Kind, Manifest

SECRET = Kind("Secret", "v1", "secrets")
WRITE_SECRET = "taxon-s3-write"  # noqa: S105 - a Secret's name, like the next two
READ_SECRET = "taxon-s3-read"  # noqa: S105
DATABASE_SECRET = "taxon-postgres"  # noqa: S105
MANAGER = "taxon-credentials"
REGION = "us-east-1"
TABLE_BUCKETS = ("samples", "tables")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class Settings(BaseSettings):
    """Settings from environment variables with the prefix ``TAXON_CREDENTIALS_``."""

    model_config = SettingsConfigDict(env_prefix="TAXON_CREDENTIALS_", frozen=True)

    namespace: str = Field(description="Namespace of the named Secrets and of the evaluation's.")
    targets: Annotated[tuple[str, ...], NoDecode] = Field(
        description="Namespaces whose pods need the Secrets, separated by commas."
    )
    evaluation_secret: str | None = Field(
        default=None, description="Secret of the evaluation back ends, made when it is absent."
    )
    bucket: str = Field(default="taxon", description="Bucket of the bundles.")
    s3_endpoint: str | None = Field(
        default=None, description="URL of the evaluation object store. Absent: there is none."
    )
    postgres_host: str | None = Field(
        default=None, description="Host of the evaluation database. Absent: there is none."
    )
    write_secret: str | None = Field(default=None, description="Secret that may write bundles.")
    read_secret: str | None = Field(default=None, description="Secret that may read bundles.")
    database_secret: str | None = Field(default=None, description="Secret of the database.")

    @field_validator("targets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value


class Secrets(Protocol):
    """What this needs of a cluster; see ``api.Api`` for what each call promises."""

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return one object, or None when there is none."""

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object."""

    def replace(self, manifest: Manifest, *, part: str = "") -> Manifest:
        """Replace an object over the version it names."""


class BadSecret(Exception):  # noqa: N818 - a state of the cluster, not a fault here
    """A Secret is not as it must be; the message names it and the remedy."""


@dataclass(frozen=True)
class Content:
    """What a Secret holds, and what KServe is told about it."""

    values: Mapping[str, str]
    annotations: Mapping[str, str]


def distribute(api: Secrets, settings: Settings) -> None:
    """Bring every Secret to where it is needed.

    Raises:
        BadSecret: a named one is missing or incomplete, or one that is in the way is not Taxon's.
        ApiError: the API server does not do as asked.
    """
    for name, content in _contents(api, settings):
        for namespace in settings.targets:
            if (namespace, name) not in _sources(settings):
                _bring(api, namespace, name, content)


def _sources(settings: Settings) -> frozenset[tuple[str, str | None]]:
    named = (settings.write_secret, settings.read_secret, settings.database_secret)
    return frozenset((settings.namespace, name) for name in named)


def _contents(api: Secrets, settings: Settings) -> Iterator[tuple[str, Content]]:
    """Yield each Secret models need, by its name."""
    if settings.evaluation_secret:
        made = _evaluation(api, settings, settings.evaluation_secret)
        if settings.s3_endpoint:
            yield WRITE_SECRET, _identity(made, "write", settings.s3_endpoint)
            yield READ_SECRET, _identity(made, "read", settings.s3_endpoint)
        if settings.postgres_host:
            yield DATABASE_SECRET, Content({"url": _url(made, settings.postgres_host)}, {})
    for name, source in (
        (WRITE_SECRET, settings.write_secret),
        (READ_SECRET, settings.read_secret),
    ):
        if source:
            yield name, _object_store(_named(api, settings.namespace, source, KEYS))
    if settings.database_secret:
        found = _named(api, settings.namespace, settings.database_secret, ("url",))
        yield DATABASE_SECRET, Content({"url": found["url"]}, {})


def _named(api: Secrets, namespace: str, name: str, keys: tuple[str, ...]) -> dict[str, str]:
    found = api.get(SECRET, namespace, name)
    if found is None:
        raise BadSecret(f"Secret {namespace}/{name} does not exist: create it")
    values = _decoded(found)
    for key in keys:
        if not values.get(key):
            raise BadSecret(f"Secret {namespace}/{name} has no key {key}: add it")
    return values


def _evaluation(api: Secrets, settings: Settings, name: str) -> dict[str, str]:
    """Return the evaluation's credentials; made the first time, by whoever is first."""
    found = api.get(SECRET, settings.namespace, name)
    if found is None:
        found = api.create(_secret(settings.namespace, name, Content(new_evaluation(settings), {})))
    return _decoded(found)


def new_evaluation(settings: Settings) -> dict[str, str]:
    """Return credentials nobody has: a password, and an administrator, a writer and a reader."""
    tables = [f"{right}:{bucket}" for bucket in TABLE_BUCKETS for right in ("Read", "List")]
    bundles = [f"{right}:{settings.bucket}" for right in ("Read", "List", "Write", "Tagging")]
    identities = [
        _new_identity("admin", ["Admin", "Read", "Write", "List", "Tagging"]),
        _new_identity("write", [*tables, *bundles]),
        _new_identity("read", bundles[:2]),
    ]
    [admin] = identities[0]["credentials"]
    return {
        "postgres-password": secrets.token_hex(24),
        "s3.json": json.dumps({"identities": identities}),
        KEYS[0]: admin["accessKey"],
        KEYS[1]: admin["secretKey"],
    }


def _new_identity(name: str, actions: list[str]) -> Manifest:
    keys = {"accessKey": secrets.token_hex(10), "secretKey": secrets.token_hex(24)}
    return {"name": name, "credentials": [keys], "actions": actions}


def _identity(made: Mapping[str, str], name: str, endpoint: str) -> Content:
    identities = json.loads(made["s3.json"])["identities"]
    [identity] = [one for one in identities if one["name"] == name]
    [keys] = identity["credentials"]
    return _object_store(
        {
            KEYS[0]: keys["accessKey"],
            KEYS[1]: keys["secretKey"],
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
        }
    )


def _url(made: Mapping[str, str], host: str) -> str:
    return f"postgresql://taxon:{made['postgres-password']}@{host}:5432/postgres"


def _object_store(values: dict[str, str]) -> Content:
    """Return keys as trainers read them, with the same in the words of KServe's loader."""
    endpoint, region = values.get("AWS_ENDPOINT_URL", ""), values.get("AWS_REGION", REGION)
    parts = urlsplit(endpoint)
    annotations = {
        "serving.kserve.io/s3-region": region,
        "serving.kserve.io/s3-usehttps": "0" if parts.scheme == "http" else "1",
    }
    if endpoint:
        annotations["serving.kserve.io/s3-endpoint"] = parts.netloc
    return Content(values | {"AWS_DEFAULT_REGION": region}, annotations)


def _bring(api: Secrets, namespace: str, name: str, content: Content) -> None:
    """Make a Secret, or bring Taxon's own up to date."""
    wanted = _secret(namespace, name, content)
    found = api.get(SECRET, namespace, name)
    if found is None:
        api.create(wanted)
        return
    labels = found["metadata"].get("labels") or {}
    if labels.get(names.LABEL_MANAGED_BY) != MANAGER:
        raise BadSecret(
            f"Secret {namespace}/{name} exists and is not Taxon's: delete it, or leave the"
            " namespace out of modelNamespaces"
        )
    same = all(
        (found["metadata"].get(key) or {}) == wanted["metadata"][key]
        for key in ("labels", "annotations")
    )
    if not same or found.get("data") != wanted["data"]:
        wanted["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
        api.replace(wanted)


def _secret(namespace: str, name: str, content: Content) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "taxon", names.LABEL_MANAGED_BY: MANAGER},
            "annotations": dict(content.annotations),
        },
        "data": {
            key: base64.b64encode(value.encode()).decode()
            for key, value in sorted(content.values.items())
        },
    }


def _decoded(secret: Manifest) -> dict[str, str]:
    data = secret.get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def main() -> None:
    """Run once; a failure is one sentence, and the Job tries again."""
    from taxon_kube.client import Cluster  # noqa: PLC0415 - the Kubernetes client takes a second; settings are refused at once

    settings = Settings()
    try:
        distribute(Cluster(), settings)
    except (ApiError, BadSecret) as error:
        sys.exit(f"{error}.")


if __name__ == "__main__":
    main()

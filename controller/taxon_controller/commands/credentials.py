"""Writes the Secrets that models need into every model namespace.

A Job of the chart runs it after every install and upgrade. The controller itself reads no Secret.
Random values are generated once and kept; everything else is derived from them, or copied from the
Secrets in the values, so running it again changes nothing.
"""

import json
import secrets
import sys
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, NamedTuple, TypedDict
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from taxon_contracts import names
from taxon_controller.commands import identities
from taxon_controller.commands.identities import Identity
from taxon_controller.commands.secret import (
    BadSecret,
    Content,
    Secrets,
    read,
    read_named,
    read_or_make,
    write,
)
from taxon_kube.api import ApiError

WRITE_SECRET = "taxon-s3-write"  # noqa: S105 - a Secret's name, like the next three
READ_SECRET = "taxon-s3-read"  # noqa: S105
TABLES_SECRET = "taxon-tables"  # noqa: S105
CLEANUP_SECRET = "taxon-s3-cleanup"  # noqa: S105
REGION = "us-east-1"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
CURRENT = "current"
"""Key of the object store's Secret that names the configuration written last."""


class Settings(BaseSettings):
    """Settings from environment variables with the prefix ``TAXON_CREDENTIALS_``."""

    model_config = SettingsConfigDict(env_prefix="TAXON_CREDENTIALS_", frozen=True)

    release: str = Field(description="Name of the release, which begins its Secrets' names.")
    namespace: str = Field(description="Namespace of the release and of the named Secrets.")
    model_namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        description="Namespaces whose pods need the Secrets, separated by commas."
    )
    bundles: str = Field(description="Root of the bundles, as s3://bucket[/prefix].")
    s3_endpoint: str | None = Field(
        default=None, description="URL of the evaluation object store. Absent: there is none."
    )
    s3_configuration: str = Field(
        default="s3.json", description="Key under which the object store's pod reads who may what."
    )
    postgres_host: str | None = Field(
        default=None, description="Host of the evaluation database. Absent: there is none."
    )
    write_secret: str | None = Field(default=None, description="Secret that may write bundles.")
    read_secret: str | None = Field(default=None, description="Secret that may read bundles.")
    database_secret: str | None = Field(default=None, description="Secret of the database's owner.")
    namespace_roles: bool = Field(
        default=True,
        description="Give each namespace, and the monitor, database roles of their own.",
    )

    @field_validator("model_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @property
    def has_evaluation(self) -> bool:
        """Return whether there is an evaluation back end."""
        return bool(self.s3_endpoint or self.postgres_host)


class Wanted(NamedTuple):
    """A Secret to write: its namespace, name and values."""

    namespace: str
    name: str
    content: Content


def distribute(api: Secrets, settings: Settings) -> None:
    """Write every Secret.

    Raises:
        BadSecret: a named one is missing or incomplete, or an existing one is not Taxon's.
        ApiError: a request to the API server failed.
    """
    sources = {
        (settings.namespace, name)
        for name in (settings.write_secret, settings.read_secret, settings.database_secret)
    }
    for wanted in _wanted(api, settings):
        if (wanted.namespace, wanted.name) not in sources:
            write(api, *wanted)


def _wanted(api: Secrets, settings: Settings) -> Iterator[Wanted]:
    seed = _random(api, settings, "credentials", {"seed": secrets.token_hex(24)})["seed"]
    made = (
        _random(api, settings, "evaluation", _new_evaluation()) if settings.has_evaluation else {}
    )
    if settings.s3_endpoint:
        yield from _evaluation_store(api, settings, seed, made, settings.s3_endpoint)
    yield from _named_store(api, settings)
    url = _owner_url(api, settings, made)
    if url:
        yield from _database(settings, seed, url)


def _random(api: Secrets, settings: Settings, name: str, made: Mapping[str, str]) -> dict[str, str]:
    """Return the random values for a purpose; generate them the first time."""
    return read_or_make(api, settings.namespace, f"{settings.release}-{name}", made)


def _new_evaluation() -> dict[str, str]:
    """Return the owner's password and the administrator's keys of new evaluation back ends."""
    return {
        "postgres-password": secrets.token_hex(24),
        KEYS[0]: secrets.token_hex(10),
        KEYS[1]: secrets.token_hex(24),
    }


def _evaluation_store(
    api: Secrets, settings: Settings, seed: str, made: Mapping[str, str], endpoint: str
) -> Iterator[Wanted]:
    """Yield each namespace's own keys, after the configuration with their rights."""
    bundles, name = settings.bundles, f"{settings.release}-object-store"
    configured = identities.configuration(seed, settings.model_namespaces, bundles, made)
    yield Wanted(settings.namespace, name, Content(_kept(api, settings, name) | {
        CURRENT: settings.s3_configuration, settings.s3_configuration: configured,
    }))  # fmt: skip
    yield Wanted(
        settings.namespace, CLEANUP_SECRET, _keys(identities.cleanup(seed, bundles), endpoint)
    )
    for namespace in settings.model_namespaces:
        for secret, identity in (
            (WRITE_SECRET, identities.trainer(seed, namespace, bundles)),
            (READ_SECRET, identities.server(seed, namespace, bundles)),
            (TABLES_SECRET, identities.tables(seed, namespace)),
        ):
            yield Wanted(namespace, secret, _keys(identity, endpoint))


def _kept(api: Secrets, settings: Settings, name: str) -> dict[str, str]:
    """Return the configuration of the release before, to which Helm may roll back."""
    found = read(api, settings.namespace, name) or {}
    current = found.get(CURRENT, "")
    if current == settings.s3_configuration:
        return {key: value for key, value in found.items() if key != CURRENT}
    return {current: found[current]} if current in found else {}


def _keys(identity: Identity, endpoint: str) -> Content:
    return _object_store(
        {
            KEYS[0]: identity.access_key,
            KEYS[1]: identity.secret_key,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
        }
    )


def _named_store(api: Secrets, settings: Settings) -> Iterator[Wanted]:
    """Yield copies of the Secrets in the values: the same keys in every namespace."""
    if settings.read_secret:
        content = _object_store(read_named(api, settings.namespace, settings.read_secret, KEYS))
        for namespace in settings.model_namespaces:
            yield Wanted(namespace, READ_SECRET, content)
    if settings.write_secret:
        content = _object_store(read_named(api, settings.namespace, settings.write_secret, KEYS))
        yield Wanted(settings.namespace, CLEANUP_SECRET, content)
        for namespace in settings.model_namespaces:
            yield Wanted(namespace, WRITE_SECRET, content)


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


def _owner_url(api: Secrets, settings: Settings, made: Mapping[str, str]) -> str | None:
    """Return the URL of the database's owner, if there is a database."""
    if settings.postgres_host:
        return (
            f"postgresql://taxon:{made['postgres-password']}@{settings.postgres_host}:5432/postgres"
        )
    if settings.database_secret:
        return read_named(api, settings.namespace, settings.database_secret, ("url",))["url"]
    return None


def _database(settings: Settings, seed: str, url: str) -> Iterator[Wanted]:
    """Yield what the migrations need to create the roles, and the URL of each role."""
    roles = _roles(settings, seed) if settings.namespace_roles else None
    values = {"url": url, "roles": json.dumps(roles or {}, sort_keys=True)}
    yield Wanted(settings.namespace, f"{settings.release}-database", Content(values))
    taken = (*names.DATABASE_SECRETS.values(), names.MONITOR_DATABASE_SECRET)
    if roles and settings.database_secret in taken:
        raise BadSecret(
            f"Secret {settings.namespace}/{settings.database_secret} holds the owner's URL under"
            " the name of a Secret with the URL of a role: give it another name and set"
            " database.secretName"
        )
    database = _database_name(url)
    own = _as_role(url, names.monitor_role(database=database), roles["monitor"]) if roles else url
    yield Wanted(settings.namespace, names.MONITOR_DATABASE_SECRET, Content({"url": own}))
    for namespace, (use, secret) in product(settings.model_namespaces, _SECRETS):
        role = names.database_role(namespace, database=database, use=use)
        own = _as_role(url, role, roles[use][namespace]) if roles else url
        yield Wanted(namespace, secret, Content({"url": own}))


_SECRETS = tuple(names.DATABASE_SECRETS.items())


class Roles(TypedDict):
    """Passwords of the database's roles, by use and namespace, as the migrations read them."""

    servers: dict[str, str]
    trainers: dict[str, str]
    datasets: dict[str, str]
    monitor: str


def _roles(settings: Settings, seed: str) -> Roles:
    def passwords(purpose: str) -> dict[str, str]:
        return {
            namespace: identities.derived(seed, f"{namespace}/{purpose}", 48)
            for namespace in settings.model_namespaces
        }

    return Roles(
        servers=passwords("database"),  # as in releases that had no other use
        trainers=passwords("database/trainers"),
        datasets=passwords("database/datasets"),
        monitor=identities.derived(seed, "database/monitor", 48),
    )


def _database_name(url: str) -> str:
    """Return the database of a URL; without a path it is named after the user."""
    parts = urlsplit(url)
    return unquote(parts.path.lstrip("/") or parts.username or "")


def _as_role(url: str, role: str, password: str) -> str:
    """Return a URL for a role in the place of the owner."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    login = f"{quote(role)}:{quote(password)}@{host}"
    return parts._replace(netloc=login, path=f"/{quote(_database_name(url))}").geturl()


def main() -> None:
    """Run once; a failure is one sentence, and the Job retries."""
    from taxon_kube.client import Cluster  # noqa: PLC0415 - the Kubernetes client takes a second; settings are refused at once

    settings = Settings()
    try:
        distribute(Cluster(), settings)
    except (ApiError, BadSecret) as error:
        sys.exit(f"{error}.")


if __name__ == "__main__":
    main()

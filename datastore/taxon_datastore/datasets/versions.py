"""Which versions data sets have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from taxon_contracts.datasets import DatasetVersion, DatasetVersions
from taxon_datastore.database import transaction

Format = Literal["csv", "parquet"]
_VERSIONS = text(
    "SELECT version, digest, rows, created_at FROM datasets"
    " WHERE namespace = :namespace AND name = :name ORDER BY version DESC"
)


class DatasetMissing(Exception):  # noqa: N818 - a state; the message names the data set and the remedy
    """There is no such data set, or no such version."""


@dataclass(frozen=True)
class Description:
    """One version of a data set; ``columns`` have name, SQL type and, from Parquet, stored type."""

    id: int
    name: str
    version: int
    digest: str
    format: Format
    rows: int
    columns: Sequence[dict[str, Any]]
    created_at: datetime
    created_by: str


def dataset_versions(engine: Engine, *, namespace: str, name: str) -> DatasetVersions:
    """Return a data set's versions, newest first; none if it does not exist.

    Raises:
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine) as connection:
        found = connection.execute(_VERSIONS, {"namespace": namespace, "name": name}).mappings()
        return DatasetVersions(versions=tuple(DatasetVersion(**row) for row in found))


def descriptions(engine: Engine, *, namespace: str, name: str | None = None) -> list[Description]:
    """Return every version of one or all data sets of a namespace: by name, newest first.

    Raises:
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine) as connection:
        return described(connection, namespace=namespace, name=name)


def described(
    connection: Connection, *, namespace: str, name: str | None = None, version: int | None = None
) -> list[Description]:
    """Return the versions found in a transaction: by name, newest first."""
    found = connection.execute(
        text(
            "SELECT id, name, version, digest, format, rows, columns, created_at, created_by"
            " FROM datasets WHERE namespace = :namespace"
            " AND (CAST(:name AS text) IS NULL OR name = :name)"
            " AND (CAST(:version AS integer) IS NULL OR version = :version)"
            " ORDER BY name, version DESC"
        ),
        {"namespace": namespace, "name": name, "version": version},
    )
    return [Description(**row) for row in found.mappings()]


def described_one(
    connection: Connection, *, namespace: str, name: str, version: int
) -> Description:
    """Return one version.

    Raises:
        DatasetMissing: there is none; the message names those there are.
    """
    found = described(connection, namespace=namespace, name=name, version=version)
    if found:
        return found[0]
    others = described(connection, namespace=namespace, name=name)
    if not others:
        raise DatasetMissing(
            f"namespace {namespace} has no data set {name}: load it with `taxon dataset load`"
        )
    raise DatasetMissing(
        f"data set {name} has no version {version}: its newest is {others[0].version}"
    )

"""Which versions data sets have."""

from sqlalchemy import Engine, text

from taxon_contracts.datasets import DatasetVersion, DatasetVersions
from taxon_datastore.database import transaction

_VERSIONS = text(
    "SELECT version, digest, rows, created_at FROM datasets"
    " WHERE namespace = :namespace AND name = :name ORDER BY version DESC"
)


def dataset_versions(engine: Engine, *, namespace: str, name: str) -> DatasetVersions:
    """Return a data set's versions, newest first; none if it does not exist.

    Raises:
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine) as connection:
        found = connection.execute(_VERSIONS, {"namespace": namespace, "name": name}).mappings()
        return DatasetVersions(versions=tuple(DatasetVersion(**row) for row in found))

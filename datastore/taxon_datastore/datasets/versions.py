"""Which versions data sets have."""

from sqlalchemy import Engine

from taxon_contracts.datasets import DatasetVersions


def dataset_versions(engine: Engine, *, namespace: str, name: str) -> DatasetVersions:
    """Return a data set's versions, newest first; none if it does not exist.

    Raises:
        DatabaseUnavailable: worth trying again.
    """
    raise NotImplementedError

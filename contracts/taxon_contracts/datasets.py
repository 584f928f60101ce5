"""Data sets in the database: how they are named, and what the monitor says about them."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from taxon_contracts.document import Digest, Document

DATASET_NAME_PATTERN = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
DatasetName = Annotated[str, StringConstraints(pattern=DATASET_NAME_PATTERN, max_length=63)]
DATASET_VERSION_MAX = 1_000_000
SOURCE = re.compile(r"dataset://(?P<name>[a-z]([-a-z0-9]{0,61}[a-z0-9])?)/(?P<version>[1-9][0-9]*)")


class DatasetReference(Document):
    """One version of a data set of the model's namespace."""

    name: DatasetName
    version: Annotated[int, Field(ge=1)]

    @property
    def source(self) -> str:
        """Return how a run request names it as the source of its table."""
        return f"dataset://{self.name}/{self.version}"

    @property
    def token(self) -> str:
        """Return what a version of a data set that is not in the spec adds to a run's token."""
        return f"dataset:{self.version}"


def dataset_of(source: str) -> DatasetReference | None:
    """Return the data set a run's source names; None for a file."""
    found = SOURCE.fullmatch(source)
    return DatasetReference(name=found["name"], version=int(found["version"])) if found else None


class DatasetVersion(Document):
    """One version as the monitor reports it."""

    version: Annotated[int, Field(ge=1)]
    digest: Digest
    rows: int
    created_at: datetime


class DatasetVersions(Document):
    """Answer to ``GET /v1/namespaces/{namespace}/datasets/{name}``: versions, newest first.

    It is empty for a data set that does not exist, which is an answer like any other.
    """

    versions: tuple[DatasetVersion, ...] = ()

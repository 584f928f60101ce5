"""A version of a data set as the file it was loaded from would read."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Engine

Format = Literal["csv", "parquet"]


class DatasetMissing(Exception):  # noqa: N818 - a state; the message names the data set and the remedy
    """There is no such data set, or no such version."""


@dataclass(frozen=True)
class StoredTable:
    """A table of the database: a file's content that reads like the one loaded.

    ``digest`` is of the file that was loaded, so a run of the data set and a run of the file agree.
    """

    content: bytes
    format: Format
    digest: str


def fetch_table(engine: Engine, *, namespace: str, name: str, version: int) -> StoredTable:
    """Return a version of a data set.

    Raises:
        DatasetMissing: it does not exist.
        DatabaseUnavailable: worth trying again.
    """
    raise NotImplementedError

"""Reading a table: bytes from storage to columns, with errors that name the line."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from taxon_bundle.location import read_object
from taxon_bundle.storage import BadURI, ObjectMissing
from taxon_contracts.canonical import sha256_digest
from taxon_contracts.datasets import DatasetReference, dataset_of
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine
from taxon_datastore.datasets.fetch import DatasetMissing, Format, StoredTable, fetch_table
from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.parquet_table import parquet_columns
from taxon_training_job.failure import RunFailed

READERS = {"csv": csv_columns, "parquet": parquet_columns}
SUFFIXES: dict[str, Format] = {".csv": "csv", ".parquet": "parquet"}


@dataclass(frozen=True)
class Table:
    """A table as it was read; ``digest`` is of its bytes.

    ``frame`` has the columns of numbers and booleans, of text, and pandas categoricals; ``other``
    names the remaining columns and says what they hold.
    """

    frame: pd.DataFrame
    digest: str
    other: Mapping[str, str] = field(default_factory=dict)

    def only(self, rows: NDArray[np.intp]) -> Self:
        """Return the table of some rows; each keeps its number in messages."""
        return replace(self, frame=self.frame.iloc[rows])


def read_table(
    source: str,
    target: str,
    text: Collection[str] = (),
    *,
    namespace: str = "",
    database_url: str | None = None,
) -> Table:
    """Read a CSV (UTF-8, header line, comma) or Parquet table, or a data set.

    Args:
        source: its URI or path, or ``dataset://NAME/VERSION``.
        target: the column of labels, which a CSV file's text decides and no guess at its type.
        text: columns that stay as they are written, even where they look like numbers.
        namespace: of the data set.
        database_url: PostgreSQL's, with the data set.

    Raises:
        RunFailed: it does not exist, or is not such a table; the message names the line.
        StorageError: storage did not answer.
    """
    dataset = dataset_of(source)
    stored = _file(source) if dataset is None else _fetched(dataset, namespace, database_url)
    try:
        frame, other = READERS[stored.format](stored.content, target, text)
    except (ValueError, OSError, pa.ArrowException) as error:
        sentence = " ".join(str(error).split()).rstrip(".")
        raise RunFailed("DatasetUnreadable", f"{source}: {sentence}: fix the table") from error
    return Table(frame, stored.digest, other)


def _file(source: str) -> StoredTable:
    """Return a file of object storage or of this machine."""
    suffix = source[source.rfind(".") :].lower()
    if suffix not in SUFFIXES:
        raise RunFailed("DatasetUnreadable", f"{source}: name it .csv or .parquet as its format is")
    try:
        content = read_object(source)
    except (BadURI, ObjectMissing) as error:
        raise RunFailed("DatasetNotFound", str(error)) from error
    return StoredTable(content, SUFFIXES[suffix], sha256_digest(content))


def _fetched(dataset: DatasetReference, namespace: str, database_url: str | None) -> StoredTable:
    """Return a version of a data set as the file it was loaded from would read."""
    if not database_url:
        raise RunFailed(
            "InvalidRun",
            f"the run trains on data set {dataset.name}, and the trainer has no database: set"
            " DATABASE_URL to its URL",
        )
    try:
        return fetch_table(
            engine(database_url), namespace=namespace, name=dataset.name, version=dataset.version
        )
    except DatasetMissing as error:
        raise RunFailed("DatasetNotFound", str(error)) from error
    except (DatabaseUnavailable, DatabaseRefused) as error:
        raise RunFailed(
            "DatabaseUnavailable",
            f"data set {dataset.name} cannot be read ({error}): check the database and"
            " DATABASE_URL",
        ) from error
    except ValueError as error:
        raise RunFailed("InvalidRun", f"DATABASE_URL: {error}") from error

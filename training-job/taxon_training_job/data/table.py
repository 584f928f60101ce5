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
from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.parquet_table import parquet_columns
from taxon_training_job.failure import RunFailed

READERS = {".csv": csv_columns, ".parquet": parquet_columns}


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


def read_table(source: str, target: str, text: Collection[str] = ()) -> Table:
    """Read a CSV (UTF-8, header line, comma) or Parquet table from a URI or path.

    Args:
        source: the URI or path.
        target: the column of labels, which a CSV file's text decides and no guess at its type.
        text: columns that stay as they are written, even where they look like numbers.

    Raises:
        RunFailed: it does not exist, or is not such a table; the message names the line.
        StorageError: storage did not answer.
    """
    suffix = source[source.rfind(".") :].lower()
    if suffix not in READERS:
        raise RunFailed("DatasetUnreadable", f"{source}: name it .csv or .parquet as its format is")
    try:
        content = read_object(source)
    except (BadURI, ObjectMissing) as error:
        raise RunFailed("DatasetNotFound", str(error)) from error
    try:
        frame, other = READERS[suffix](content, target, text)
    except (ValueError, OSError, pa.ArrowException) as error:
        sentence = " ".join(str(error).split()).rstrip(".")
        raise RunFailed("DatasetUnreadable", f"{source}: {sentence}: fix the table") from error
    return Table(frame, sha256_digest(content), other)

"""A table on this machine's disk."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from taxon_cli.resource_file import BadFile

TABLE_SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class TableFile:
    """A table from disk."""

    file: Path
    content: bytes

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def read_table_file(file: Path) -> TableFile:
    """Return a table from disk.

    Raises:
        BadFile: it cannot be read, or its suffix is not of a supported format.
    """
    if file.suffix.lower() not in TABLE_SUFFIXES:
        raise BadFile(f"{file}: the name must end with .csv or .parquet, after its format")
    try:
        return TableFile(file, file.read_bytes())
    except OSError as error:
        raise BadFile(f"{file}: {error.strerror}: check the path") from error

"""A table as a file of this machine, wherever it is."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from taxon_bundle.location import copy_object


@contextlib.contextmanager
def on_disk(source: str) -> Iterator[Path]:
    """Yield a path; what is in object storage is copied there for as long.

    Raises:
        BadURI: object storage knows no such URI.
        StorageError: it did not answer, or has no such object.
    """
    if "://" not in source:
        yield Path(source)
        return
    with tempfile.NamedTemporaryFile(suffix=Path(source).suffix) as copy:
        copy_object(source, copy)
        copy.flush()
        yield Path(copy.name)

"""What a database of the tests is filled with, and how it fails."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text
from support.databases import execute
from support.processes import descendants

from taxon_datastore.database import engine, transaction

DATASET = (
    "INSERT INTO datasets (namespace, name, version, digest, format, rows, columns)"
    " VALUES ('{}', '{}', {}, 'sha256:{:064x}', 'csv', 7, '[]')"
)


def load(url: str, namespace: str, name: str, version: int) -> None:
    """Add a version of a data set."""
    execute(engine(url), DATASET.format(namespace, name, version, version))


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """Freeze every process of PostgreSQL: it accepts connections and says nothing."""
    with transaction(engine(url)) as connection:
        data = connection.execute(text("SHOW data_directory")).scalar_one()
    first = int(Path(data, "postmaster.pid").read_text().split()[0])
    pids = first, *descendants(first)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

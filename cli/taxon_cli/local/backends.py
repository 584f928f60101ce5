"""The back ends a model needs: a migrated database, and an object store with the sample tables."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taxon_bundle.commands.provision import provision
from taxon_bundle.location import open_store
from taxon_cli.environment import leading_to
from taxon_cli.local.object_store import ObjectStore, running_object_store
from taxon_cli.local.ports import HOST, PortBlock
from taxon_cli.local.postgres import Postgres, running_postgres
from taxon_cli.table_file import TableFile
from taxon_datastore.schema import migrate

SAMPLES_FOLDER = Path(__file__).parents[3] / "manifests/samples"
"""Absent where the command was installed without the repository."""
SAMPLES_BUCKET = "samples"
TABLES_BUCKET = "tables"
BUNDLES_BUCKET = "taxon"


@dataclass(frozen=True)
class Backends:
    """The running back ends."""

    postgres: Postgres
    store: ObjectStore


@contextlib.contextmanager
def running_backends(state: Path, ports: PortBlock) -> Iterator[Backends]:
    """Yield the back ends of a state folder; meanwhile the environment points at them.

    Raises:
        ProcessFailed: one did not start.
    """
    with running_object_store(state, ports) as store, leading_to(store.environment, host=HOST):
        tables = SAMPLES_FOLDER if SAMPLES_FOLDER.exists() else None
        provision((SAMPLES_BUCKET, TABLES_BUCKET, BUNDLES_BUCKET), tables, SAMPLES_BUCKET)
        with running_postgres(state, ports.take()) as postgres:
            migrate(postgres.url)
            yield Backends(postgres, store)


def store_table(table: TableFile) -> str:
    """Put a table into the object store; return its URI, under the digest of its content."""
    name = f"{table.digest[:16]}{table.file.suffix.lower()}"
    open_store(f"s3://{TABLES_BUCKET}/").write(name, table.content)
    return f"s3://{TABLES_BUCKET}/{name}"

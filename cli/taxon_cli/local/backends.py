"""The back ends a model needs: a migrated database, and an object store with the sample tables."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taxon_bundle.commands.provision import provision
from taxon_bundle.location import open_store
from taxon_cli.local.object_store import ObjectStore, running_object_store
from taxon_cli.local.ports import HOST, PortBlock
from taxon_cli.local.postgres import Postgres, running_postgres
from taxon_cli.resource_file import BadFile
from taxon_datastore.schema import migrate

SAMPLES_FOLDER = Path(__file__).parents[3] / "manifests/samples"
"""Absent where the command was installed without the repository."""
SAMPLES_BUCKET = "samples"
TABLES_BUCKET = "tables"
BUNDLES_BUCKET = "taxon"
TABLE_SUFFIXES = (".csv", ".parquet")
OWN_PREFIXES = ("AWS_", "TAXON_")


@dataclass(frozen=True)
class Backends:
    """Where everything is."""

    postgres: Postgres
    store: ObjectStore


@contextlib.contextmanager
def running_backends(state: Path, ports: PortBlock) -> Iterator[Backends]:
    """Yield the back ends over a state folder; meanwhile the environment leads to them.

    Raises:
        ProcessFailed: one did not start.
    """
    with running_object_store(state, ports) as store, _environment(store.environment):
        tables = SAMPLES_FOLDER if SAMPLES_FOLDER.exists() else None
        provision((SAMPLES_BUCKET, TABLES_BUCKET, BUNDLES_BUCKET), tables, SAMPLES_BUCKET)
        with running_postgres(state, ports.take()) as postgres:
            migrate(postgres.url)
            yield Backends(postgres, store)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Lead this process and all it starts to the object store, past any proxy and other Taxon."""
    before = dict(os.environ)
    kept = {name: value for name, value in before.items() if not name.startswith(OWN_PREFIXES)}
    past_proxy = {
        name: ",".join(filter(None, (before.get(name), HOST))) for name in ("NO_PROXY", "no_proxy")
    }
    os.environ.clear()
    os.environ.update(kept | past_proxy | variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True)
class TableFile:
    """A table from disk."""

    file: Path
    content: bytes

    @property
    def uri(self) -> str:
        """Return where it is stored: under the digest of its content."""
        digest = hashlib.sha256(self.content).hexdigest()
        return f"s3://{TABLES_BUCKET}/{digest[:16]}{self.file.suffix.lower()}"

    def store(self) -> None:
        """Put it into the object store."""
        folder, _, name = self.uri.rpartition("/")
        open_store(folder).write(name, self.content)


def read_table_file(file: Path) -> TableFile:
    """Return a table from disk.

    Raises:
        BadFile: it cannot be read, or its name does not say what it is.
    """
    if file.suffix.lower() not in TABLE_SUFFIXES:
        raise BadFile(f"{file}: name it .csv or .parquet as its format is")
    try:
        return TableFile(file, file.read_bytes())
    except OSError as error:
        raise BadFile(f"{file}: {error.strerror}: check the path") from error

"""The data set a local model is trained on: loaded from a file, or as the database has it."""

from dataclasses import dataclass
from pathlib import Path

from taxon_cli.resource_file import BadFile
from taxon_contracts.datasets import DatasetReference
from taxon_contracts.resource import ClassifierModel, DatasetTable
from taxon_datastore.database import engine
from taxon_datastore.datasets.csv_lines import BadTable
from taxon_datastore.datasets.load import Loaded, load
from taxon_datastore.datasets.versions import dataset_versions


@dataclass(frozen=True)
class UsedDataset:
    """The version a run uses, and what loading a file did, if one was loaded."""

    version: DatasetReference
    rows: int
    digest: str
    loaded: Loaded | None = None


def used_dataset(
    model: ClassifierModel, table: DatasetTable, file: Path | None, database_url: str
) -> UsedDataset:
    """Return the version of a data set to train on, after loading a file into it, if given.

    Raises:
        BadFile: the file is not a table, or the version does not exist.
        DatabaseUnavailable: worth trying again.
    """
    database, namespace = engine(database_url), model.metadata.namespace
    loaded = None
    if file:
        try:
            loaded = load(database, file, namespace=namespace, name=table.name)
        except BadTable as error:
            raise BadFile(f"{file}: {error}") from error
    known = dataset_versions(database, namespace=namespace, name=table.name).versions
    for one in known:
        if table.version in (None, one.version):
            version = DatasetReference(name=table.name, version=one.version)
            return UsedDataset(version, one.rows, one.digest, loaded)
    which = f"version {table.version} of data set" if table.version else "data set"
    raise BadFile(
        f"{which} {table.name} is not in the local database: load a CSV or Parquet file into it"
        " with --data TABLE, or with `taxon dataset load`"
    )

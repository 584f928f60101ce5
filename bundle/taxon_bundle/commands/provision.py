"""`python -m taxon_bundle.commands.provision`: make buckets, and put tables into one of them.

A Job of the chart prepares the evaluation object store with it. Running it again changes nothing.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from taxon_bundle.location import open_store
from taxon_bundle.s3 import create_bucket
from taxon_bundle.storage import StorageDenied, StorageError

TABLE_SUFFIXES = (".csv", ".parquet")
"""What the trainer reads."""


def provision(buckets: Sequence[str], tables: Path | None, into: str) -> None:
    """Make the buckets that are missing, then write every table of a folder into one of them.

    Raises:
        StorageDenied: the credentials do not allow it.
        StorageUnavailable: storage does not answer.
    """
    for bucket in buckets:
        create_bucket(bucket)
    if tables is None:
        return
    store = open_store(f"s3://{into}/")
    for path in sorted(tables.iterdir()):
        if path.suffix.lower() in TABLE_SUFFIXES:
            store.write(path.name, path.read_bytes())


def patiently(action: Callable[[], None], *, seconds: float, pause: float) -> None:
    """Do ``action`` until storage lets it, for at most ``seconds``.

    Raises:
        StorageError: storage did not in time, or refuses the credentials.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except StorageError as error:
            if isinstance(error, StorageDenied) or time.monotonic() >= deadline:
                raise
        time.sleep(pause)


def main() -> None:
    """Run the command; a failure is one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m taxon_bundle.commands.provision", description=__doc__
    )
    parser.add_argument("buckets", nargs="+", help="buckets to make")
    parser.add_argument("--tables", type=Path, help="folder whose tables are written")
    parser.add_argument("--into", default="samples", help="bucket they are written into")
    parser.add_argument("--patience", type=float, default=120, help="seconds storage may take")
    parser.add_argument("--pause", type=float, default=2, help="seconds between two tries")
    chosen = parser.parse_args()
    try:
        patiently(
            lambda: provision(chosen.buckets, chosen.tables, chosen.into),
            seconds=chosen.patience,
            pause=chosen.pause,
        )
    except StorageError as error:
        sys.exit(f"{error}.")


if __name__ == "__main__":
    main()

"""`python -m taxon_bundle.commands.provision`: create buckets, and store tables in one of them.

A Job of the chart prepares the evaluation object store with it. Running it again changes nothing.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import tenacity
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from taxon_bundle.location import open_store
from taxon_bundle.s3 import create_bucket
from taxon_bundle.storage import BadURI, StorageDenied, StorageError
from taxon_contracts import logs

logger = logging.getLogger(__name__)

TABLE_SUFFIXES = (".csv", ".parquet")
"""What the trainer reads."""


class Settings(BaseSettings):
    """Settings from environment variables with the prefix ``TAXON_PROVISION_``."""

    model_config = SettingsConfigDict(env_prefix="TAXON_PROVISION_", frozen=True)

    patience_seconds: float = Field(
        default=120, ge=0, description="Seconds storage may take to answer."
    )
    pause_seconds: float = Field(default=2, gt=0, description="Seconds between two tries.")


def provision(buckets: Sequence[str], tables: Path | None, into: str) -> None:
    """Create the buckets that are missing, then write every table of a folder into one of them.

    Raises:
        BadURI: storage does not accept the name of a bucket.
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


def main() -> None:
    """Run the command; a failure is one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m taxon_bundle.commands.provision", description=__doc__
    )
    parser.add_argument("buckets", nargs="+", help="buckets to create")
    parser.add_argument("--tables", type=Path, help="folder whose tables are written")
    parser.add_argument("--into", default="samples", help="bucket they are written into")
    chosen = parser.parse_args()
    logs.configure()
    settings = Settings()
    try:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=tenacity.stop_after_delay(settings.patience_seconds),
            wait=tenacity.wait_fixed(settings.pause_seconds),
            before_sleep=tenacity.before_sleep_log(logger, logging.WARNING),
            reraise=True,
        )
        retrying(provision, chosen.buckets, chosen.tables, chosen.into)
    except (StorageError, BadURI) as error:
        sys.exit(f"{error}.")


def _may_pass(error: BaseException) -> bool:
    """Return whether another try may succeed: wrong credentials stay wrong."""
    return isinstance(error, StorageError) and not isinstance(error, StorageDenied)


if __name__ == "__main__":
    main()

"""`python -m taxon_datastore.commands.migrate`: bring the schema up to date, once it answers."""

import sys
import time

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from taxon_datastore import database


class Settings(BaseSettings):
    """Settings from environment variables with the prefix ``TAXON_DATABASE_``."""

    model_config = SettingsConfigDict(env_prefix="TAXON_DATABASE_", frozen=True)

    url: str = Field(description="PostgreSQL URL of a user that may change the schema.")
    patience_seconds: float = Field(
        default=120, ge=0, description="Seconds the database may take to answer."
    )
    pause_seconds: float = Field(default=2, gt=0, description="Seconds between two tries.")


def main() -> None:
    """Migrate; a failure is one sentence."""
    settings = Settings()
    deadline = time.monotonic() + settings.patience_seconds
    while True:
        try:
            database.migrate(settings.url)
        except ValueError as error:
            sys.exit(f"{error}.")
        except database.DatabaseRefused as error:
            sys.exit(f"the schema cannot be brought up to date: {error}.")
        except database.DatabaseUnavailable as error:
            if time.monotonic() >= deadline:
                sys.exit(f"PostgreSQL does not answer ({error}): look at its pod or its URL.")
            time.sleep(settings.pause_seconds)
        else:
            return


if __name__ == "__main__":
    main()

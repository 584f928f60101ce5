"""`python -m taxon_datastore.commands.migrate`: migrate the schema, once the database answers."""

import logging
import sys
from collections.abc import Callable

import tenacity
from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from taxon_contracts import logs
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable
from taxon_datastore.retention import RETENTION_DAYS
from taxon_datastore.roles import DatabaseRoles
from taxon_datastore.schema import migrate

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.2


class Settings(BaseSettings):
    """Settings from environment variables with the prefix ``TAXON_DATABASE_``."""

    model_config = SettingsConfigDict(env_prefix="TAXON_DATABASE_", frozen=True)

    url: str = Field(
        validation_alias=AliasChoices("TAXON_DATABASE_URL", "DATABASE_URL"),
        description="PostgreSQL URL of a user that may change the schema; DATABASE_URL is read"
        " where TAXON_DATABASE_URL is absent.",
    )
    roles: DatabaseRoles = Field(
        default=DatabaseRoles(),
        description="JSON object with the passwords of the roles: by namespace for servers,"
        " trainers and datasets, and the monitor's.",
    )
    retention_days: int = Field(
        default=RETENTION_DAYS,
        ge=1,
        description="Days that predictions and labels are kept; a model's own retention may be"
        " shorter.",
    )
    patience_seconds: float = Field(
        default=120, ge=0, description="Seconds the database may take to answer."
    )
    pause_seconds: float = Field(
        default=2, gt=0, description="Longest pause between two tries, in seconds."
    )


def read_settings() -> Settings:
    """Return the settings; one that is missing or wrong ends the program with one sentence."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        sys.exit(f"{first['loc'][0]}: {first['msg']}: set it in the environment.")


def until_it_answers(action: Callable[[], None], settings: Settings) -> None:
    """Run ``action``, again and again as long as the database does not answer.

    Raises:
        DatabaseUnavailable: it did not answer in time.
        DatabaseRefused: it never will.
        ValueError: its URL is not one of PostgreSQL.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(DatabaseUnavailable),
        stop=tenacity.stop_after_delay(settings.patience_seconds),
        wait=tenacity.wait_exponential(FIRST_PAUSE_SECONDS, max=settings.pause_seconds),
        before_sleep=tenacity.before_sleep_log(logger, logging.WARNING),
        reraise=True,
    )
    retrying(action)


def main() -> None:
    """Migrate; a failure is one sentence."""
    logs.configure()
    settings = read_settings()
    try:
        until_it_answers(lambda: migrate(settings.url, settings.roles), settings)
    except ValueError as error:
        sys.exit(f"{error}.")
    except DatabaseRefused as error:
        sys.exit(f"the schema cannot be migrated: {error}.")
    except DatabaseUnavailable as error:
        sys.exit(f"PostgreSQL does not answer ({error}): check its pod or its URL.")


if __name__ == "__main__":
    main()

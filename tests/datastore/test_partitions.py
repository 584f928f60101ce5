"""The partitions of the prediction log are made ahead, by the schema's owner."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from support.databases import execute

from taxon_datastore.commands import maintain
from taxon_datastore.database import engine, transaction
from taxon_datastore.partitions import DAYS_AHEAD
from taxon_datastore.schema import migrate

INSERT = (
    "INSERT INTO predictions (id, namespace, model, version, time, latency_seconds, outcome)"
    " VALUES (gen_random_uuid(), 'x', 'iris', 'v', now() + interval '{days} days', 1, 'Failed')"
)


@pytest.fixture
def database(empty_database: str) -> Engine:
    """Return an engine over a migrated database."""
    migrate(empty_database)
    return engine(empty_database)


def partitions(database: Engine) -> dict[str, int]:
    """Return how many rows each partition has, by its name."""
    with transaction(database) as connection:
        names = connection.execute(
            text(
                "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
                " WHERE inhparent = 'predictions'::regclass ORDER BY name"
            )
        )
        return {
            name: len(connection.execute(text(f"TABLE {name}")).all()) for name in names.scalars()
        }


def days() -> list[str]:
    """Return the names of the partitions from today on."""
    today = datetime.now(UTC).date()
    ahead = [today + timedelta(days=offset) for offset in range(DAYS_AHEAD)]
    return [f"predictions_{day:%Y%m%d}" for day in ahead]


def test_a_migration_makes_the_partitions_of_the_next_days(database: Engine) -> None:
    """Today's rows have a partition from the first moment on."""
    execute(database, INSERT.format(days=0))
    assert partitions(database) == dict.fromkeys(days(), 0) | {
        days()[0]: 1,
        "predictions_default": 0,
    }


def test_the_daily_job_makes_what_is_missing(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever day has no partition yet gets one, and nothing else changes."""
    execute(database, *(f"DROP TABLE {name}" for name in days()[3:]))
    url = database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("TAXON_DATABASE_URL", url)

    maintain.main()
    maintain.main()

    assert sorted(partitions(database)) == sorted([*days(), "predictions_default"])


def test_rows_without_a_partition_of_their_own_are_kept(database: Engine) -> None:
    """A row that waited for weeks, or of a day beyond, goes to the default partition."""
    execute(database, INSERT.format(days=-40), INSERT.format(days=DAYS_AHEAD + 1))
    assert partitions(database)["predictions_default"] == 2


def test_a_day_with_rows_in_the_default_partition_stays_there(database: Engine) -> None:
    """A clock that ran ahead does not stop later days from getting their partitions."""
    execute(database, f"DROP TABLE {days()[5]}", INSERT.format(days=5))

    migrate(database.url.render_as_string(hide_password=False))

    assert sorted(partitions(database)) == sorted({*days(), "predictions_default"} - {days()[5]})


def test_a_job_that_cannot_says_why(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database without the schema ends the job with one sentence."""
    monkeypatch.setenv("TAXON_DATABASE_URL", empty_database)
    monkeypatch.setenv("TAXON_DATABASE_PATIENCE_SECONDS", "0.05")
    with pytest.raises(SystemExit, match="prediction log cannot be maintained"):
        maintain.main()

"""The daily partitions of the prediction log, created in advance by the schema's owner."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, text

DAYS_AHEAD = 14
"""Days that have a partition. The job that makes them runs daily, so it may fail for two weeks."""
PARTITION_LOCK = 0x7461786F6F
"""Advisory lock under which partitions are made, because two jobs may run at once."""


def make_partitions(connection: Connection) -> None:
    """Create the missing partitions from today on.

    A day that already has rows in the default partition is left there.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
    today = datetime.now(UTC).date()
    for day in (today + timedelta(days=offset) for offset in range(DAYS_AHEAD)):
        if not _exists(connection, day) and not _is_taken(connection, day):
            connection.execute(
                text(
                    f"CREATE TABLE {_name(day)} PARTITION OF predictions"
                    f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
                )
            )


def _name(day: date) -> str:
    return f"predictions_{day:%Y%m%d}"


def _exists(connection: Connection, day: date) -> bool:
    found = connection.execute(text("SELECT to_regclass(:name)"), {"name": _name(day)})
    return found.scalar() is not None


def _is_taken(connection: Connection, day: date) -> bool:
    """Return whether the default partition has rows of a day."""
    rows = text("SELECT 1 FROM predictions_default WHERE time >= :start AND time < :end LIMIT 1")
    bounds = {"start": day, "end": day + timedelta(days=1)}
    return connection.execute(rows, bounds).first() is not None

"""The daily partitions of the prediction log, created in advance by the schema's owner."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, text

DEFAULT = "predictions_default"
"""The partition of all other days."""
DAYS_AHEAD = 14
"""Days that have a partition. The job that makes them runs daily, so it may fail for two weeks."""
PARTITION_LOCK = 0x7461786F6F
"""Advisory lock under which partitions are made and dropped, because two jobs may run at once."""
LOCK_TIMEOUT = "1s"
"""Longest wait for a lock on the log: servers that store queue behind whoever waits for it."""


def hold_lock(connection: Connection) -> None:
    """Keep other jobs out until the transaction ends, and bound what it waits for from here on."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
    connection.execute(
        text("SELECT set_config('lock_timeout', :time, true)"), {"time": LOCK_TIMEOUT}
    )


def make_partitions(connection: Connection) -> list[str]:
    """Create the missing partitions from today on; return their names.

    A day that already has rows in the default partition is left there.
    """
    hold_lock(connection)
    today = datetime.now(UTC).date()
    days = (today + timedelta(days=offset) for offset in range(DAYS_AHEAD))
    missing = [day for day in days if not (_exists(connection, day) or _is_taken(connection, day))]
    for day in missing:
        connection.execute(
            text(
                f"CREATE TABLE {_name(day)} PARTITION OF predictions"
                f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
            )
        )
    return [_name(day) for day in missing]


def partitions(connection: Connection) -> list[str]:
    """Return the names of the partitions that have a day, the oldest first."""
    found = text(
        "SELECT relname FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid"
        " WHERE inhparent = 'predictions'::regclass AND relname ~ '^predictions_[0-9]{8}$'"
        " ORDER BY relname"
    )
    return list(connection.execute(found).scalars())


def day_of(partition: str) -> date:
    """Return the day (UTC) of a partition's rows."""
    return datetime.strptime(partition[-8:], "%Y%m%d").replace(tzinfo=UTC).date()


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

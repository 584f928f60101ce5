"""How much of the prediction log there is, and how far ahead its partitions reach."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, Engine, text

from taxon_datastore.database import transaction

_PARTITIONS = text(
    "SELECT child.relname AS name, pg_total_relation_size(child.oid) AS bytes"
    " FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
    " WHERE inhparent = CAST('predictions' AS regclass)"
)
_BEFORE = text("SELECT min(time) FROM predictions WHERE time < :start")
_DAY = "predictions_%Y%m%d"


@dataclass(frozen=True)
class LogSize:
    """The log as a whole: its oldest day (None: it has none), its bytes, and the coming days."""

    oldest: datetime | None
    bytes: int
    days_ahead: int


def log_size(engine: Engine) -> LogSize:
    """Return the log's size; any role may ask.

    Raises:
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine) as connection:
        tables = {row.name: row.bytes for row in connection.execute(_PARTITIONS)}
        days = {day for name in tables if (day := _day(name))}
        return LogSize(
            oldest=_oldest(connection, days),
            bytes=sum(tables.values()),
            days_ahead=_days_ahead(days, today=datetime.now(UTC).date()),
        )


def _day(table: str) -> date | None:
    """Return the day of a partition; None for the default one."""
    try:
        return datetime.strptime(table, _DAY).replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _oldest(connection: Connection, days: set[date]) -> datetime | None:
    """Return the start of the oldest partition, or the oldest row where the default one has it."""
    start = datetime.combine(min(days), time(), tzinfo=UTC) if days else None
    before: datetime | None = connection.execute(
        _BEFORE, {"start": start or datetime.now(UTC)}
    ).scalar()  # reads the default partition only
    return before or start


def _days_ahead(days: set[date], *, today: date) -> int:
    """Return how many days after today have a partition, without a gap."""
    ahead = 0
    while today + timedelta(days=ahead + 1) in days:
        ahead += 1
    return ahead

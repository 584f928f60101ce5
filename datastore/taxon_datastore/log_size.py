"""How much of the prediction log there is, and how far ahead its partitions reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, Engine, text

from taxon_datastore.database import transaction
from taxon_datastore.partitions import day_of, partitions

_BYTES = text(
    "SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint FROM pg_inherits"
    " WHERE inhparent = CAST('predictions' AS regclass)"
)
_BEFORE = text("SELECT min(time) FROM predictions WHERE time < :start")


@dataclass(frozen=True)
class LogSize:
    """The log as a whole: its oldest day (None: it has none), its bytes, and the coming days."""

    oldest: datetime | None
    bytes: int
    days_ahead: int


def log_size(engine: Engine) -> LogSize:
    """Return the log's size; any role that may read the log may ask.

    Raises:
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine) as connection:
        days = [day_of(name) for name in partitions(connection)]
        return LogSize(
            oldest=_oldest(connection, days),
            bytes=connection.execute(_BYTES).scalar_one(),
            days_ahead=_days_ahead(days, today=datetime.now(UTC).date()),
        )


def _oldest(connection: Connection, days: Sequence[date]) -> datetime | None:
    """Return the start of the oldest partition, or the oldest row where the default one has it."""
    start = datetime.combine(days[0], time(), tzinfo=UTC) if days else None
    before: datetime | None = connection.execute(
        _BEFORE, {"start": start or datetime.now(UTC)}
    ).scalar()  # reads the default partition only
    return before or start


def _days_ahead(days: Sequence[date], *, today: date) -> int:
    """Return how many days after today have a partition, without a gap."""
    ahead = 0
    while today + timedelta(days=ahead + 1) in days:
        ahead += 1
    return ahead

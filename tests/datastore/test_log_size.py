from datetime import UTC, datetime, timedelta

from support.databases import execute

from taxon_datastore.database import engine
from taxon_datastore.log_size import log_size
from taxon_datastore.schema import migrate

ROW = (
    "INSERT INTO predictions (id, namespace, model, version, time, latency_seconds, outcome)"
    " VALUES (gen_random_uuid(), 'a', 'm', 'v', '{}', 0.1, 'Failed')"
)


def test_a_new_log_begins_today_and_reaches_two_weeks(empty_database: str) -> None:
    """Every day has a partition; indexes count, so even an empty log has bytes."""
    migrate(empty_database)
    size = log_size(engine(empty_database))

    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert size.oldest == midnight
    assert size.days_ahead == 13
    assert size.bytes > 0


def test_days_ahead_end_at_the_first_gap(empty_database: str) -> None:
    """A missing day is one whose rows no partition takes."""
    migrate(empty_database)
    gap = datetime.now(UTC) + timedelta(days=4)
    execute(engine(empty_database), f"DROP TABLE predictions_{gap:%Y%m%d}")

    assert log_size(engine(empty_database)).days_ahead == 3


def test_the_oldest_row_counts_where_no_partition_was_made_for_it(empty_database: str) -> None:
    """A row of a day that has no partition is in the default one."""
    migrate(empty_database)
    execute(engine(empty_database), ROW.format("2020-02-03T04:05:06Z"))

    assert log_size(engine(empty_database)).oldest == datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_the_size_grows_with_the_rows(empty_database: str) -> None:
    """Bytes are those of all partitions."""
    migrate(empty_database)
    before = log_size(engine(empty_database)).bytes
    execute(engine(empty_database), *[ROW.format(datetime.now(UTC).isoformat())] * 50)

    assert log_size(engine(empty_database)).bytes > before

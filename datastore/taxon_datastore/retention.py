"""How long predictions and their labels are kept: whole days are dropped, single models' deleted.

Each step is a transaction under the lock of the partitions, so jobs at once take turns. A step
that waits for a lock gives up soon, because servers that store wait behind it; the job tries again.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine, text

from taxon_datastore.database import transaction
from taxon_datastore.partitions import DEFAULT, day_of, hold_lock, make_partitions, partitions

RETENTION_DAYS = 90
BATCH_ROWS = 5000
"""Rows one transaction deletes."""
logger = structlog.get_logger(__name__)

OLD_ROWS = "namespace = :namespace AND model = :model AND time < :bound"
OLD_LABELS = "(prediction_id < first_id_of(:bound) OR received_at < :bound)"
"""A label goes with its prediction, whose id has its time; one by request id by its own."""
SHORTER = text("""
    SELECT namespace, model, days FROM (
        SELECT DISTINCT ON (namespace, model) namespace, model, days
        FROM retentions ORDER BY namespace, model, since DESC
    ) AS newest WHERE days < :days ORDER BY namespace, model
""")


def maintain(engine: Engine, *, retention_days: int = RETENTION_DAYS) -> None:
    """Make the partitions of the next days and remove what is kept long enough; log each step.

    Args:
        engine: of the owner of the schema; it need not be a superuser.
        retention_days: longest time that rows are kept; a model's own retention may be shorter.

    Raises:
        DatabaseUnavailable: worth trying again; what was removed stays removed.
    """
    now = datetime.now(UTC)
    with transaction(engine) as connection:
        made = make_partitions(connection)
    logger.info("partitions are made ahead", made=made)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    bound = today - timedelta(days=retention_days)
    _drop_days(engine, bound)
    deleted = _delete(engine, DEFAULT, "time < :bound", bound=bound)
    logger.info("old rows without a partition of their own are deleted", rows=deleted)
    deleted = _delete(engine, "labels", OLD_LABELS, bound=bound)
    logger.info("old labels are deleted", rows=deleted)
    with transaction(engine) as connection:
        shorter = connection.execute(SHORTER, {"days": retention_days}).all()
    for namespace, model, days in shorter:
        _delete_of_model(engine, namespace, model, now - timedelta(days=days))


def _drop_days(engine: Engine, bound: datetime) -> None:
    """Drop the partitions of the days before a midnight, one after the other."""
    with transaction(engine) as connection:
        old = [name for name in partitions(connection) if day_of(name) < bound.date()]
    for name in old:
        with transaction(engine) as connection:
            hold_lock(connection)
            connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
        logger.info("the partition of an old day is dropped", partition=name)


def _delete_of_model(engine: Engine, namespace: str, model: str, bound: datetime) -> None:
    """Delete a model's predictions and labels from before a time."""
    whose = {"namespace": namespace, "model": model}
    with transaction(engine) as connection:
        old = [name for name in partitions(connection) if day_of(name) <= bound.date()]
    rows = sum(_delete(engine, name, OLD_ROWS, bound=bound, **whose) for name in (*old, DEFAULT))
    labels = f"namespace = :namespace AND model = :model AND {OLD_LABELS}"
    deleted = _delete(engine, "labels", labels, bound=bound, **whose)
    logger.info("old rows of a model are deleted", **whose, rows=rows, labels=deleted)


def _delete(engine: Engine, table: str, condition: str, **values: object) -> int:
    """Delete rows in small transactions; return how many there were."""
    return sum(_batches(engine, table, condition, values))


def _batches(
    engine: Engine, table: str, condition: str, values: dict[str, object]
) -> Iterator[int]:
    """Delete a batch of rows after the other; yield the size of each."""
    statement = text(
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608 - names and text of this package
        f"SELECT ctid FROM {table} WHERE {condition} LIMIT {BATCH_ROWS}))"
    )
    deleted = BATCH_ROWS
    while deleted == BATCH_ROWS:
        with transaction(engine) as connection:
            hold_lock(connection)
            there = _there(connection, table)
            deleted = connection.execute(statement, values).rowcount if there else 0
        yield deleted


def _there(connection: Connection, table: str) -> bool:
    """Return whether no other job dropped a table since it was found."""
    return bool(connection.scalar(text("SELECT to_regclass(:name)"), {"name": table}))

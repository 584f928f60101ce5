"""The prediction log: storing events in bulk and exactly once, and reading them back."""

import io
import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, text

from taxon_contracts.document import salvage
from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.database import transaction

COLUMNS = tuple(PredictionEvent.model_fields)
DAYS_AHEAD = 7
PARTITION_LOCK = 0x7461786F6F
"""Advisory lock under which partitions are made; servers of several models do it at once."""
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
"""What COPY's text format writes otherwise."""


def store_predictions(engine: Engine, events: Sequence[PredictionEvent]) -> int:
    """Store events in one transaction; return how many were new.

    Events already stored are left as they are, so a batch may be sent again after any failure.
    Columns of a newer release than this one get their defaults.

    Raises:
        DatabaseUnavailable: worth trying again, a schema that lacks something among others.
        DatabaseRefused: PostgreSQL will never take these events.
    """
    if not events:
        return 0
    columns = ", ".join(COLUMNS)
    with transaction(engine) as connection:
        _make_partitions(connection, datetime.now(UTC).date())
        connection.execute(
            text(
                "CREATE TEMPORARY TABLE staging ON COMMIT DROP"  # noqa: S608 - the names are the contract's own fields
                f" AS SELECT {columns} FROM predictions WITH NO DATA"
            )
        )
        with closing(connection.connection.cursor()) as cursor:
            cursor.copy_expert(f"COPY staging ({columns}) FROM STDIN", _copy_text(events))
        stored = connection.execute(
            text(
                f"INSERT INTO predictions ({columns}) SELECT {columns} FROM staging"  # noqa: S608 - the names are the contract's own fields
                " ON CONFLICT DO NOTHING"
            )
        )
        return stored.rowcount


def recent_predictions(
    engine: Engine, *, namespace: str, model: str, limit: int
) -> list[PredictionEvent]:
    """Return a model's latest events, newest first, whatever release stored them.

    A row this release cannot read is left out.

    Raises:
        DatabaseUnavailable: worth trying again.
    """
    query = text(
        "SELECT * FROM predictions WHERE namespace = :namespace AND model = :model"
        " ORDER BY time DESC, id DESC LIMIT :limit"
    )
    with transaction(engine) as connection:
        rows = connection.execute(
            query, {"namespace": namespace, "model": model, "limit": limit}
        ).mappings()
        return [event for row in rows if (event := _event(dict(row))) is not None]


def _event(row: dict[str, Any]) -> PredictionEvent | None:
    try:
        return salvage(PredictionEvent, row)
    except ValidationError:
        return None


def _make_partitions(connection: Connection, today: date) -> None:
    """Make the partitions from today on that do not exist yet.

    A day that already has rows in the default partition is left there.
    """
    days = [today + timedelta(days=offset) for offset in range(DAYS_AHEAD)]
    names = {f"predictions_{day:%Y%m%d}": day for day in days}
    absent = connection.execute(
        text("SELECT name FROM unnest(:names) AS name WHERE to_regclass(name) IS NULL"),
        {"names": list(names)},
    )
    missing = sorted(absent.scalars())
    if not missing:
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
    for name in missing:
        start, end = names[name], names[name] + timedelta(days=1)
        taken = text(
            "SELECT 1 FROM predictions_default WHERE time >= :start AND time < :end LIMIT 1"
        )
        if connection.execute(taken, {"start": start, "end": end}).first() is None:
            connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF predictions"
                    f" FOR VALUES FROM ('{start}') TO ('{end}')"
                )
            )


def _copy_text(events: Sequence[PredictionEvent]) -> io.StringIO:
    """Return events in the text format of COPY."""
    lines = []
    for event in events:
        values = event.model_dump()
        if event.label is not None:
            label = event.label
            values["label"] = json.dumps(_storable(label) if isinstance(label, str) else label)
        lines.append("\t".join(map(_field, values.values())) + "\n")
    return io.StringIO("".join(lines))


def _field(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, tuple):
        return "{" + ",".join(map(repr, value)) + "}"
    return _storable(str(value)).translate(COPY_ESCAPES)


def _storable(value: str) -> str:
    """Return text PostgreSQL can hold: no NUL, no half of a surrogate pair."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()

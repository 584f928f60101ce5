"""The prediction log: storing events in bulk and exactly once, and reading them back."""

import io
import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, text

from taxon_contracts.document import salvage
from taxon_contracts.prediction import PredictionEvent
from taxon_datastore.database import transaction

COLUMNS = tuple(PredictionEvent.model_fields)
INPUTS = "inputs"
"""Has the features, as a JSON array, of a row that is not numbers alone."""
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
"""What COPY's text format writes otherwise."""


def store_predictions(engine: Engine, events: Sequence[PredictionEvent]) -> int:
    """Store events in one transaction; return how many were new.

    Events already stored do not change, so a batch may be sent again after any failure.
    Columns of a newer release get their defaults, and only events with other values than numbers
    need the column for them.

    Raises:
        DatabaseUnavailable: retry later, also if the schema lacks a table or a column.
        DatabaseRefused: PostgreSQL will never accept these events.
    """
    if not events:
        return 0
    rows = [_row(event) for event in events]
    mixed = any(row[INPUTS] is not None for row in rows)
    names = (*COLUMNS, INPUTS) if mixed else COLUMNS
    columns = ", ".join(names)
    with transaction(engine) as connection:
        connection.execute(
            text(
                "CREATE TEMPORARY TABLE staging ON COMMIT DROP"  # noqa: S608 - the names are the contract's own fields
                f" AS SELECT {columns} FROM predictions WITH NO DATA"
            )
        )
        with closing(connection.connection.cursor()) as cursor:
            cursor.copy_expert(f"COPY staging ({columns}) FROM STDIN", _copy_text(rows, names))
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
    """Return a model's latest events, newest first, stored by any release.

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
    if row.get(INPUTS) is not None:
        row["features"] = row[INPUTS]
    try:
        return salvage(PredictionEvent, row)
    except ValidationError:
        return None


def _row(event: PredictionEvent) -> dict[str, Any]:
    """Return an event's values by column."""
    row = event.model_dump() | {INPUTS: None}
    if event.label is not None:
        row["label"] = _json(event.label)
    if event.features is not None:
        values = [None if value != value else value for value in event.features]  # noqa: PLR0124 - NaN
        if any(isinstance(value, (bool, str)) for value in values):
            row |= {"features": None, INPUTS: _json(values)}
        else:
            row["features"] = tuple(values)
    return row


def _json(value: object) -> str:
    """Return JSON that PostgreSQL can store."""
    if isinstance(value, list):
        value = [_storable(one) if isinstance(one, str) else one for one in value]
    return json.dumps(_storable(value) if isinstance(value, str) else value)


def _copy_text(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> io.StringIO:
    """Return rows in the text format of COPY."""
    return io.StringIO(
        "".join("\t".join(_field(row[column]) for column in columns) + "\n" for row in rows)
    )


def _field(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, tuple):
        return "{" + ",".join("NULL" if one is None else repr(one) for one in value) + "}"
    return _storable(str(value)).translate(COPY_ESCAPES)


def _storable(value: str) -> str:
    """Return text PostgreSQL can store: no NUL, no half of a surrogate pair."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()

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
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
"""What COPY's text format writes otherwise."""


def store_predictions(engine: Engine, events: Sequence[PredictionEvent]) -> int:
    """Store events in one transaction; return how many were new.

    Events already stored do not change, so a batch may be sent again after any failure.
    Columns of a newer release get their defaults.

    Raises:
        DatabaseUnavailable: retry later, also if the schema lacks a table or a column.
        DatabaseRefused: PostgreSQL will never accept these events.
    """
    if not events:
        return 0
    columns = ", ".join(COLUMNS)
    with transaction(engine) as connection:
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
    try:
        return salvage(PredictionEvent, row)
    except ValidationError:
        return None


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
    """Return text PostgreSQL can store: no NUL, no half of a surrogate pair."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()

"""The prediction log as events: storing those of earlier releases, and reading all of them."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, text

from taxon_contracts.document import salvage
from taxon_contracts.prediction import FeatureValue, PredictionEvent
from taxon_datastore.database import transaction
from taxon_datastore.intake import copy_into

INPUTS = "inputs"
"""Has the features, as a JSON array, of an event that is not numbers alone."""
STORED = (*PredictionEvent.model_fields, INPUTS)
RECENT = text("""
    SELECT made.*, (
        SELECT jsonb_path_query_array(features, '$[*].type') FROM signatures AS known
        WHERE known.namespace = made.namespace AND known.model = made.model
            AND known.version = made.version
    ) AS types
    FROM predictions AS made WHERE namespace = :namespace AND model = :model
    ORDER BY time DESC, id DESC LIMIT :limit
""")
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
"""What COPY's text format writes otherwise."""


def store_predictions(engine: Engine, events: Sequence[PredictionEvent]) -> None:
    """Store events in one transaction.

    Events already stored do not change, so a batch may be sent again after any failure.
    Segments that an earlier release left come this way; this one's are rows already.

    Raises:
        DatabaseUnavailable: retry later, also if the schema lacks a table or a column.
        DatabaseRefused: PostgreSQL will never accept these events.
    """
    if not events:
        return
    rows = [_row(event) for event in events]
    content = "".join(
        "\t".join(_field(row[column]) for column in STORED) + "\n" for row in rows
    ).encode()
    with transaction(engine) as connection:
        copy_into(connection, "predictions", STORED, content)


def recent_predictions(
    engine: Engine, *, namespace: str, model: str, limit: int
) -> list[PredictionEvent]:
    """Return a model's latest events, newest first, stored by any release.

    A row this release cannot read is left out.

    Raises:
        DatabaseUnavailable: worth trying again.
    """
    with transaction(engine) as connection:
        rows = connection.execute(
            RECENT, {"namespace": namespace, "model": model, "limit": limit}
        ).mappings()
        return [event for row in rows if (event := _event(dict(row))) is not None]


def _event(row: dict[str, Any]) -> PredictionEvent | None:
    if row.get(INPUTS) is not None:
        row["features"] = row[INPUTS]
    elif row["features"] is not None and row["types"] is not None:
        row["features"] = _typed(row["features"], row["categories"] or (), row["types"])
    try:
        return salvage(PredictionEvent, row)
    except ValidationError:
        return None


def _typed(
    numbers: Sequence[float | None], categories: Sequence[str | None], types: Sequence[str]
) -> list[FeatureValue]:
    """Return a row's values, each of its feature's type, in the signature's order."""
    texts = iter(categories)
    row: list[FeatureValue] = []
    for number, kind in zip(numbers, types, strict=False):
        if kind == "Categorical":
            row.append(next(texts, None))
        else:
            row.append(bool(number) if kind == "Boolean" and number is not None else number)
    return row


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


def _field(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, tuple):
        return "{" + ",".join("NULL" if one is None else repr(one) for one in value) + "}"
    return _storable(str(value)).translate(COPY_ESCAPES)


def _storable(value: str) -> str:
    """Return text PostgreSQL can store: no NUL, no half of a surrogate pair."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()

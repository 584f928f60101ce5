"""Labels as rows of the database, in its binary COPY format."""

import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from taxon_datastore.copy_binary import EPOCH, NULL, field
from taxon_datastore.rows import LABEL_COLUMNS, Rows
from taxon_model_server.labels.items import Observation

LABEL_IDS = UUID("a3b6c6a4-6e0f-5d6c-9a55-0d1f6f0c3b1e")
"""Namespace of the UUIDs of labels."""
JSONB = b"\x01"
"""Version of jsonb's binary form, which is text."""
MICROSECOND = timedelta(microseconds=1)


def label_id(namespace: str, model: str, seen: Observation) -> UUID:
    """Return the id of a label: the same whenever a client sends the same again."""
    if seen.prediction_id is None:
        name = ["request_id", seen.request_id]
    else:
        name = ["prediction_id", str(seen.prediction_id)]
    moment = "" if seen.observed_at is None else seen.observed_at.isoformat()
    return uuid5(LABEL_IDS, json.dumps([namespace, model, *name, seen.label, moment]))


def label_rows(
    namespace: str,
    model: str,
    observations: Sequence[tuple[Observation, UUID | None]],
    received_at: datetime,
) -> Rows:
    """Return observations as rows, each with the prediction it is of, None for that of its request.

    Of labels of one moment a later one is received a microsecond later, so that it counts.
    """
    payload = b"".join(
        _row(namespace, model, seen, prediction, received_at + place * MICROSECOND)
        for place, (seen, prediction) in enumerate(observations)
    )
    return Rows("labels", LABEL_COLUMNS, len(observations), payload)


def _row(
    namespace: str, model: str, seen: Observation, prediction: UUID | None, received: datetime
) -> bytes:
    values = (
        field(label_id(namespace, model, seen).bytes),
        field(namespace.encode()),
        field(model.encode()),
        NULL if prediction is None else field(prediction.bytes),
        NULL if prediction is not None else field((seen.request_id or "").encode()),
        field(JSONB + json.dumps(seen.label, ensure_ascii=False).encode()),
        _moment(seen.observed_at or received),
        _moment(received),
        NULL if seen.submitter is None else field(seen.submitter.encode()),
    )
    return struct.pack(">h", len(values)) + b"".join(values)


def _moment(moment: datetime) -> bytes:
    return field(struct.pack(">q", (moment.astimezone(UTC) - EPOCH) // MICROSECOND))

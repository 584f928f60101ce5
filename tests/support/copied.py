"""Rows in the binary format of COPY, written one value at a time, as its manual says."""

import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from taxon_datastore.rows import LABEL_COLUMNS, PREDICTION_COLUMNS, Rows, Signature, SignatureColumn

FLOAT8, TEXT = 701, 25
POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SIGNATURE = Signature(
    "fraud",
    "iris",
    "v0123456789",
    (
        SignatureColumn("width", "Numeric"),
        SignatureColumn("city", "Categorical"),
        SignatureColumn("is new", "Boolean"),
    ),
)
PREDICTION: dict[str, Any] = {
    "namespace": "fraud",
    "model": "iris",
    "version": "v0123456789",
    "request_id": "r1",
    "features": [1.5, None, 1.0],
    "categories": ["Cork"],
    "label": "setosa",
    "confidence": 0.75,
    "probabilities": [0.75, 0.25],
    "latency_seconds": 0.001,
    "outcome": "Answered",
    "transport": "http",
    "mirrored": False,
}
LABEL: dict[str, Any] = {
    "namespace": "fraud",
    "model": "iris",
    "request_id": None,
    "label": "virginica",
    "submitter": None,
}


def predictions(
    *changes: dict[str, Any],
    signatures: Sequence[Signature] = (SIGNATURE,),
    columns: tuple[str, ...] = PREDICTION_COLUMNS,
) -> Rows:
    """Return predictions of now, each with its changes."""
    made = [PREDICTION | {"id": uuid4(), "time": datetime.now(UTC)} | one for one in changes]
    payload = b"".join(_row(one, columns) for one in made)
    return Rows("predictions", columns, len(made), payload, signatures)


def labels(*changes: dict[str, Any]) -> Rows:
    """Return labels of now, each with its changes."""
    now = datetime.now(UTC)
    names = {"observed_at": now, "received_at": now, "prediction_id": uuid4()}
    made = [LABEL | names | {"id": uuid4()} | one for one in changes]
    payload = b"".join(_row(one, LABEL_COLUMNS) for one in made)
    return Rows("labels", LABEL_COLUMNS, len(made), payload)


def _row(values: dict[str, Any], columns: Sequence[str]) -> bytes:
    fields = (_field(_content(name, values[name])) for name in columns)
    return struct.pack(">h", len(columns)) + b"".join(fields)


def _field(content: bytes | None) -> bytes:
    return struct.pack(">i", -1 if content is None else len(content)) + (content or b"")


def _content(name: str, value: Any) -> bytes | None:
    match value:
        case None | UUID():
            return value.bytes if value else None
        case datetime():
            return struct.pack(">q", (value - POSTGRES_EPOCH) // timedelta(microseconds=1))
        case bool() | float():
            return struct.pack(">?" if isinstance(value, bool) else ">d", value)
        case list():
            return _array(value, TEXT if name == "categories" else FLOAT8)
    if name == "label":  # jsonb, whose first byte is its version
        return b"\1" + json.dumps(value).encode()
    return str(value).encode()


def _array(values: list[Any], kind: int) -> bytes:
    """Return an array: dimensions, whether it has gaps, type, length, first index, elements."""
    header = struct.pack(">iiiii", 1, int(None in values), kind, len(values), 1)
    return header + b"".join(_field(_content("", one)) for one in values)

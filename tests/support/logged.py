"""Rows of the log and of labels, inserted one by one."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, text

from taxon_datastore.database import transaction

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
"""When answers are made, unless a test says otherwise."""


def id_at(moment: datetime) -> UUID:
    """Return a new UUIDv7 of a moment."""
    random = int.from_bytes(os.urandom(10), "big")
    bits = int(moment.timestamp() * 1000) << 80 | random
    return UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


def predict(database: Engine, label: str | int = "benign", **changes: Any) -> UUID:
    """Store an answer; return its id."""
    time = changes.get("time", NOON)
    row = {
        "id": id_at(time),
        "namespace": "default",
        "model": "tumours",
        "version": "v0123456789",
        "time": time,
        "label": label,
        "latency_seconds": 0.001,
        "outcome": "Answered",
    } | changes
    _insert(database, "predictions", row)
    return UUID(str(row["id"]))


def observe(database: Engine, label: str | int, **changes: Any) -> None:
    """Store a label of an answer, seen an hour after it was made."""
    row = {
        "id": uuid4(),
        "namespace": "default",
        "model": "tumours",
        "label": label,
        "observed_at": NOON + timedelta(hours=1),
        "received_at": NOON + timedelta(hours=2),
    }
    _insert(database, "labels", row | changes)


def _insert(database: Engine, table: str, row: dict[str, Any]) -> None:
    row |= {"label": None if row["label"] is None else json.dumps(row["label"])}
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    with transaction(database) as connection:
        connection.execute(
            text(f"INSERT INTO {table} ({columns}) VALUES ({values})"),  # noqa: S608 - a test's own names
            row,
        )

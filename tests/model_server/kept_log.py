"""A prediction log whose database is in memory."""

import json
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from model_server.kept_labels import fields

from taxon_bundle.codec import Codec, Encoded
from taxon_contracts.manifest import Classes, SignatureFeature
from taxon_contracts.prediction import FeatureValue, PredictionEvent
from taxon_datastore.copy_binary import EPOCH_MICROSECONDS, rows_of
from taxon_datastore.rows import Rows, Signature
from taxon_model_server.prediction_log.batches import Batch, LoggedVersion
from taxon_model_server.prediction_log.ids import prediction_ids
from taxon_model_server.prediction_log.log import PredictionLog
from taxon_model_server.prediction_log.spool import Spool
from taxon_model_server.prediction_log.store import Refused, TryLater
from taxon_model_server.telemetry import Telemetry

SECONDS = 20.0
CODEC = Codec((SignatureFeature(name="length"), SignatureFeature(name="width")))
VERSION = "v0123456789"
CLASSES = ("benign", "malignant")
LOGGED = LoggedVersion(VERSION, CODEC, CLASSES)
ARRAY_HEAD_BYTES = 20


class MemoryStore:
    """A database that keeps events by id, and can be down or refuse a request's events."""

    def __init__(self) -> None:
        self.events: dict[UUID, PredictionEvent] = {}
        self.other: list[Rows] = []
        self.down = threading.Event()
        self.refuses: str | None = None
        self.fault: Exception | None = None
        self.tries = 0

    def load(self) -> None:
        """Load nothing."""

    def store_rows(self, rows: Rows) -> None:
        """Store rows; those of other tables as they are."""
        if rows.table == "predictions":
            self.store_events(events_of(rows))
        else:
            self.store_events(())
            self.other.append(rows)

    def store_events(self, events: Sequence[PredictionEvent]) -> None:
        """Store events."""
        self.tries += 1
        fault, self.fault = self.fault, None
        if fault:
            raise fault
        if self.down.is_set():
            raise TryLater("the database is down")
        if self.refuses and any(event.request_id == self.refuses for event in events):
            raise Refused("no such value")
        self.events.update({event.id: event for event in events})

    def ids(self) -> list[str]:
        """Return the ids as clients see them."""
        return [str(one) for one in self.events]


def events_of(rows: Rows) -> list[PredictionEvent]:
    """Return the events in some rows, as the database reads them."""
    [signature] = rows.signatures
    return [
        _event(dict(zip(rows.columns, fields(row), strict=True)), signature)
        for row in rows_of(rows.payload)
    ]


def _event(row: dict[str, bytes | None], signature: Signature) -> PredictionEvent:
    def text(name: str) -> str | None:
        content = row[name]
        return None if content is None else content.decode()

    def number(name: str) -> float | None:
        content = row[name]
        return None if content is None else float(struct.unpack(">d", content)[0])

    label, moment = text("label"), row["time"]
    assert moment is not None
    microseconds = int.from_bytes(moment, "big", signed=True) + EPOCH_MICROSECONDS
    probabilities = row["probabilities"]
    return PredictionEvent.model_validate(
        {
            "id": UUID(bytes=row["id"]),
            "namespace": text("namespace"),
            "model": text("model"),
            "version": text("version"),
            "time": datetime.fromtimestamp(microseconds / 1_000_000, UTC),
            "request_id": text("request_id"),
            "features": _features(row, signature),
            "label": None if label is None else json.loads(label.removeprefix("\x01")),
            "confidence": number("confidence"),
            "probabilities": None if probabilities is None else tuple(_numbers(probabilities)),
            "latency_seconds": number("latency_seconds"),
            "outcome": text("outcome"),
            "transport": text("transport"),
            "mirrored": row["mirrored"] == b"\x01",
        }
    )


def _features(
    row: dict[str, bytes | None], signature: Signature
) -> tuple[FeatureValue, ...] | None:
    numbers, texts = row["features"], row["categories"]
    if numbers is None:
        return None
    categories = iter(_elements(texts) if texts is not None else ())
    values: list[FeatureValue] = []
    for feature, value in zip(signature.features, _numbers(numbers), strict=True):
        if feature.type == "Categorical":
            content = next(categories)
            values.append(None if content is None else content.decode())
        else:
            boolean = feature.type == "Boolean" and value is not None
            values.append(bool(value) if boolean else value)
    return tuple(values)


def _numbers(array: bytes) -> list[float | None]:
    return [
        None if content is None else float(struct.unpack(">d", content)[0])
        for content in _elements(array)
    ]


def _elements(array: bytes) -> list[bytes | None]:
    """Return the elements of an array, which are written as the fields of a row are."""
    return fields(b"\0\0" + array[ARRAY_HEAD_BYTES:])


@contextmanager
def running(
    folder: Path,
    store: MemoryStore,
    telemetry: Telemetry,
    *,
    max_bytes: int = 2**20,
    seconds: float = SECONDS,
) -> Iterator[PredictionLog]:
    """Yield a started log; close it afterwards, within some seconds."""
    log = new_log(folder, store, telemetry, max_bytes=max_bytes)
    log.start()
    yield log
    log.close(seconds)


def new_log(
    folder: Path, store: MemoryStore, telemetry: Telemetry, *, max_bytes: int = 2**20
) -> PredictionLog:
    """Return a log that has not started."""
    return PredictionLog("default", "small", Spool(folder, max_bytes=max_bytes), store, telemetry)


def batch(rows: int = 1, **changes: Any) -> Batch:
    """Return the answers to some rows."""
    known: dict[str, Any] = {
        "ids": prediction_ids(rows),
        "of": LOGGED,
        "time": 1_700_000_000.25,
        "request_id": "r1",
        "latency_seconds": 0.002,
        "transport": "http",
        "inputs": Encoded(np.full((rows, 2), 1.5)),
        "chosen": np.zeros(rows, np.intp),
        "probabilities": np.tile([0.75, 0.25], (rows, 1)),
    }
    return Batch(**known | changes)


def logged_version(codec: Codec, classes: Classes = CLASSES, *excluded: str) -> LoggedVersion:
    """Return a version with other features or classes."""
    return LoggedVersion(VERSION, codec, classes, frozenset(excluded))


def old_line(request_id: str = "old", **changes: Any) -> str:
    """Return an event as releases wrote it that had one line of JSON for each."""
    event = PredictionEvent(
        id=UUID(bytes=prediction_ids(1)),
        namespace="default",
        model="small",
        version=VERSION,
        time=datetime.fromtimestamp(1_700_000_000.25, UTC),
        request_id=request_id,
        features=(1.5, 1.5),
        label="benign",
        confidence=0.75,
        probabilities=(0.75, 0.25),
        latency_seconds=0.002,
        outcome="Answered",
    )
    return event.model_copy(update=changes).model_dump_json(exclude={"transport", "mirrored"})

"""The logged record of every prediction."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import PlainSerializer, Strict

from taxon_contracts.document import UNKNOWN_WHEN_SALVAGING, Document

PredictionOutcome = Literal["Answered", "Failed", "Unknown"]
"""``Unknown`` is how a value of another release is read; it is never written."""


FeatureValue = (
    Annotated[bool, Strict()] | Annotated[float, Strict()] | Annotated[str, Strict()] | None
)
"""One value of a row as the log keeps it."""


def _as_it_is(features: object) -> object:
    """Return features to write by the types they have: three times as fast as trying each type."""
    return features


class PredictionEvent(Document):
    """One row's prediction, or one failed request.

    ``id`` is a UUIDv7: it orders by time and makes a repeated insert harmless. ``features`` is
    the row in the signature's order, as the client sent it: numbers, booleans, categories as text,
    None for a missing value; None as a whole if the log's mode leaves it out. ``label``,
    ``confidence`` (the probability of the label) and ``probabilities`` (in the order of the
    classes) are None for a failed request. ``latency_seconds`` is the whole request's.
    ``transport`` is how it came (``http``), ``mirrored`` marks a copy whose answer went to nobody.
    """

    id: UUID
    namespace: str
    model: str
    version: str
    time: datetime
    request_id: str | None = None
    features: Annotated[tuple[FeatureValue, ...] | None, PlainSerializer(_as_it_is)] = None
    label: str | int | None = None
    confidence: float | None = None
    probabilities: tuple[float, ...] | None = None
    latency_seconds: float
    outcome: Annotated[PredictionOutcome, UNKNOWN_WHEN_SALVAGING]
    transport: str | None = None
    mirrored: bool = False

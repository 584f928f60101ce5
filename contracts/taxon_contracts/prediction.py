"""The record that is kept of every prediction."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from taxon_contracts.document import Document

PredictionOutcome = Literal["Answered", "Failed"]


class PredictionEvent(Document):
    """One row's prediction, or one failed request.

    ``id`` is a UUIDv7: it orders by time and makes a repeated insert harmless. ``features`` holds
    the row in the signature's order, None where the log's mode leaves it out. ``label``,
    ``confidence`` (the probability of the label) and ``probabilities`` (in the order of the
    classes) are None for a failed request. ``latency_seconds`` is the whole request's.
    """

    id: UUID
    namespace: str
    model: str
    version: str
    time: datetime
    request_id: str | None
    features: tuple[float, ...] | None
    label: str | int | None
    confidence: float | None
    probabilities: tuple[float, ...] | None
    latency_seconds: float
    outcome: PredictionOutcome

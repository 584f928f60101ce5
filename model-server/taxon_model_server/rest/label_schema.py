"""Requests and answers of the endpoints for labels as types, for the API's description."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from taxon_model_server.labels.intake import Outcome
from taxon_model_server.labels.items import LONGEST_TEXT, MOST_ITEMS
from taxon_model_server.state import ServerState

EXAMPLE_ID = "01933b5e-6b7c-7c3d-9a55-0d1f6f0c3b1e"


class Label(BaseModel):
    """What was observed of one prediction, named by its id or by that of its request."""

    prediction_id: UUID | None = Field(default=None, description="The id its answer had.")
    request_id: str | None = Field(
        default=None, description="The id the client gave the request, if it had one row."
    )
    label: str | int = Field(description="The class; an integer may be sent as its text.")
    observed_at: datetime | None = Field(
        default=None, description="When it was observed, with an offset; absent: now."
    )
    submitter: str | None = Field(
        default=None, max_length=LONGEST_TEXT, description="Who says so: a person or a program."
    )


class Labels(BaseModel):
    """A request with labels."""

    labels: list[Label] = Field(min_length=1, max_length=MOST_ITEMS)


class LabelResult(BaseModel):
    """What became of one label."""

    index: int = Field(description="Its place in the request, from 0.")
    outcome: Outcome = Field(
        description="accepted: its prediction is known; pending: kept, and counts once it is;"
        " refused: not kept."
    )
    reason: str | None = Field(default=None, description="Absent where it is accepted.")


class LabelResults(BaseModel):
    """The answer to labels, all of which are on disk unless they are refused."""

    accepted: int
    pending: int
    refused: int
    results: list[LabelResult]


def labels_schema(state: ServerState, reference: dict[str, str]) -> dict[str, Any]:
    """Return the schema of a request, with an example that the loaded model takes."""
    if state.loaded is None:
        return reference
    label = state.loaded.classifier.classes[0]
    return reference | {"example": {"labels": [{"prediction_id": EXAMPLE_ID, "label": label}]}}

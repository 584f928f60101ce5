"""Responses of the plain endpoints as types; the API's description is generated from them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from taxon_contracts.resource import FeatureType
from taxon_model_server import exchange


class Answered(BaseModel):
    """The prediction for one row."""

    prediction: str | int = Field(description="The class that was chosen.")
    confidence: float = Field(description="Probability of the chosen class.")
    probabilities: dict[str, float] = Field(description="Probability of every class, by its name.")
    probability_class_0: float | None = Field(
        default=None, description="Binary models only: probability of the first class of /info."
    )
    probability_class_1: float | None = Field(
        default=None, description="Binary models only: probability of the second class of /info."
    )
    prediction_id: str | None = Field(
        default=None, description="Id of the logged prediction; absent if nothing is logged."
    )
    warnings: list[str] | None = Field(
        default=None,
        description="A sentence per category that was not in the training rows; absent if none.",
    )


class Origin(BaseModel):
    """What answered, and when."""

    model: str
    version: str
    timestamp: datetime = Field(description="When the response was made, UTC.")


class Prediction(Answered, Origin):
    """The response of /predict."""


class Predictions(Origin):
    """The response of /predict-batch to rows under a key, in their order."""

    predictions: list[Answered]


class FieldProblem(BaseModel):
    """One wrong part of a request."""

    loc: list[str | int] = Field(description='"body", then the path to the field.')
    msg: str
    type: str


class InvalidRequest(BaseModel):
    """The response to a request with missing, unknown or wrong fields."""

    detail: list[FieldProblem]


class Failure(BaseModel):
    """Why a request failed."""

    detail: str


class Health(BaseModel):
    """Whether requests should be sent here."""

    status: exchange.Health = Field(
        description="healthy with a 200; loading, draining or unhealthy (threads hang) with a 503."
    )
    model_loaded: bool
    model: str
    version: str | None
    timestamp: datetime = Field(description="When the response was made, UTC.")


class Feature(BaseModel):
    """One input; dropped ones were constant in training: required, and ignored."""

    name: str
    dropped: bool
    type: FeatureType
    gaps: bool = Field(description="Whether null is accepted.")
    categories: list[str] | None = Field(
        default=None, description="Of the training rows, the most frequent first; at most 100."
    )
    category_count: int | None = Field(default=None, description="How many there are in all.")


class Info(BaseModel):
    """A description of the model."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    namespace: str
    version: str
    classifier: str
    classes: list[str] | list[int]
    positive_class: str | int | None
    threshold: float | None
    features: list[Feature]
    metrics: list[dict[str, Any]]
    manifest_digest: str
    dataset_digest: str
    libraries: dict[str, str]

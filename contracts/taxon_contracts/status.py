"""The observed side of a ClassifierModel, in the sense of kstatus."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from taxon_contracts.document import UNKNOWN_WHEN_SALVAGING, Digest, Version, cut_when_salvaging
from taxon_contracts.resource import Part, list_map


def _time(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time needs its offset from UTC")
    return text


def _number(text: str) -> str:
    float(text)
    return text


Trigger = Literal["Spec", "Schedule", "NewDataset", "Manual", "Unknown"]
Outcome = Literal["Accepted", "Refused", "Failed", "Abandoned", "Unknown"]
ReadTrigger = Annotated[Trigger, UNKNOWN_WHEN_SALVAGING]
ReadOutcome = Annotated[Outcome, UNKNOWN_WHEN_SALVAGING]
Time = Annotated[str, StringConstraints(max_length=32), AfterValidator(_time)]
Reason = Annotated[str, StringConstraints(max_length=64)]
Message = Annotated[str, StringConstraints(max_length=1024), cut_when_salvaging(1024)]
Figure = Annotated[str, StringConstraints(max_length=32)]
ExactFigure = Annotated[Figure, AfterValidator(_number)]
Token = Annotated[str, StringConstraints(max_length=100)]

VERSIONS_AT_MOST = 60
"""Largest number of records in a status: the longest history and what is still being removed."""


class Condition(Part):
    """One condition of the model, in the form of Kubernetes' own."""

    type: Annotated[str, StringConstraints(max_length=64)] = Field(
        description="Ready, Trained, GatePassed and Serving are True when all is well;"
        " Reconciling and Stalled are absent then."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether the condition holds.")
    reason: Reason = Field(description="Stable CamelCase word for programs.")
    message: Message = Field(description="Sentence for people, with what to do next.")
    observed_generation: int = Field(ge=0, description="Generation the condition is about.")
    last_transition_time: Time = Field(description="When status last changed, RFC 3339.")


class Address(Part):
    """Address of the live version inside the cluster."""

    url: Annotated[str, StringConstraints(max_length=272)] = Field(
        description="Base URL of the Open Inference Protocol for clients inside the cluster."
    )


class TrainedDataset(Part):
    """The data set of a run."""

    name: Annotated[str, StringConstraints(max_length=63)] = Field(description="Name.")
    version: int = Field(ge=1, description="Version of the data set.")


class Run(Part):
    """The training in progress."""

    version: Version = Field(description="Id of the run and of the version it makes.")
    trigger: ReadTrigger = Field(description="What started it.")
    token: Token | None = Field(
        default=None,
        description="What made another version of the same spec: schedule slot, annotation value,"
        " version of the data set. Absent for the spec alone.",
    )
    dataset: TrainedDataset | None = Field(
        default=None, description="Data set it trains on. Absent for a table in object storage."
    )
    attempt: int = Field(ge=1, description="Number of the attempt.")
    start_time: Time = Field(description="When the run's first attempt began, RFC 3339.")


class ServedVersion(Part):
    """A version that has servers."""

    version: Version = Field(description="Id of the version.")
    weight: int = Field(ge=0, le=100, description="Share of the traffic in percent.")
    score: Figure = Field(description="Value of spec.metric on the held-out rows.")
    since_time: Time = Field(description="When it took this role, RFC 3339.")


class VersionMetric(Part):
    """A metric of the held-out rows with its 95 % interval."""

    name: Annotated[str, StringConstraints(max_length=32)] = Field(description="Name.")
    value: ExactFigure = Field(description="Value on the held-out rows.")
    low: ExactFigure = Field(description="Lower end of the 95 % interval.")
    high: ExactFigure = Field(description="Upper end of the 95 % interval.")


class VersionParameter(Part):
    """A hyperparameter of the classifier that was fitted."""

    name: Annotated[str, StringConstraints(max_length=64)] = Field(description="Name.")
    value: Annotated[str, StringConstraints(max_length=64)] = Field(
        description="Value, as a Python literal."
    )


class VersionRecord(Part):
    """Result of one run."""

    version: Version = Field(description="Id of the version.")
    trigger: ReadTrigger = Field(description="What started it.")
    token: Token | None = Field(
        default=None,
        description="What made another version of the same spec: schedule slot, annotation value,"
        " version of the data set. Absent for the spec alone.",
    )
    dataset: TrainedDataset | None = Field(
        default=None, description="Data set it trained on. Absent for a table in object storage."
    )
    outcome: ReadOutcome = Field(
        description="Accepted: may be rolled out. Refused: by the gate. Failed: the run made no"
        " version. Abandoned: it did not become ready in time. Unknown: another release of"
        " Taxon wrote this, or the result is lost; the run is judged again before a rollout."
    )
    reason: Reason = Field(description="Stable CamelCase word for programs.")
    message: Message = Field(description="Sentence for people, with what to do next.")
    bundle_uri: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, alias="bundleURI", description="Folder of the bundle in object storage."
    )
    manifest_digest: Digest | None = Field(
        default=None,
        description="SHA-256 of the bundle's manifest, which holds the digest of every file.",
    )
    metrics: (
        Annotated[
            tuple[VersionMetric, ...],
            Field(max_length=16, json_schema_extra=list_map("name")),
        ]
        | None
    ) = Field(default=None, description="Metrics of the held-out rows.")
    parameters: (
        Annotated[
            tuple[VersionParameter, ...],
            Field(max_length=20, json_schema_extra=list_map("name")),
        ]
        | None
    ) = Field(
        default=None, description="Hyperparameters of the fitted classifier, the search's choice."
    )
    start_time: Time | None = Field(
        default=None, description="When the run's first attempt began, RFC 3339."
    )
    completion_time: Time = Field(description="When the run ended, RFC 3339.")


class Status(Part):
    """Observed state of a model."""

    observed_generation: int | None = Field(
        default=None, description="Generation of the spec this status is about."
    )
    conditions: (
        Annotated[
            tuple[Condition, ...],
            Field(max_length=16, json_schema_extra=list_map("type")),
        ]
        | None
    ) = Field(default=None, description="Conditions of the model.")
    url: Annotated[str, StringConstraints(max_length=272)] | None = Field(
        default=None,
        description="Base URL of the live version through the Gateway. Absent without Gateway API.",
    )
    address: Address | None = Field(
        default=None, description="Address of the live version inside the cluster."
    )
    run: Run | None = Field(
        default=None, description="The training in progress. Absent when there is none."
    )
    live: ServedVersion | None = Field(
        default=None, description="The version that receives the traffic. Absent before the first."
    )
    candidate: ServedVersion | None = Field(
        default=None, description="The version that is being rolled out. Absent when there is none."
    )
    previous: ServedVersion | None = Field(
        default=None,
        description="The version kept warm for an instant rollback. Absent when there is none.",
    )
    versions: (
        Annotated[
            tuple[VersionRecord, ...],
            Field(max_length=VERSIONS_AT_MOST, json_schema_extra=list_map("version")),
        ]
        | None
    ) = Field(default=None, description="Results of the runs, newest first.")

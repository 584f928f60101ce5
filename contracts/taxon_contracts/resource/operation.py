"""How runs are carried out, how versions are served, and when they are trained again."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, StringConstraints, model_validator

from taxon_contracts.resource.part import (
    ColumnName,
    CronSchedule,
    Flag,
    ObjectName,
    Part,
    Quantity,
    Whole,
    amount,
    published,
    rule,
)

REQUESTS_WITHIN_LIMITS = "requests must be at most limits: lower requests or raise limits"


class Amounts(Part):
    """Processor and memory, as Kubernetes writes them."""

    cpu: Quantity | None = Field(default=None, description='Cores, as "2" or "500m".')
    memory: Quantity | None = Field(default=None, description='Bytes, as "512Mi" or "2Gi".')


class Resources(Part):
    """Resources a container requests, and their limits."""

    model_config = published(
        *(
            rule(
                f"!has(self.requests) || !has(self.requests.{name}) || !has(self.limits)"
                f" || !has(self.limits.{name}) || quantity(self.requests.{name})"
                f".compareTo(quantity(self.limits.{name})) <= 0",
                REQUESTS_WITHIN_LIMITS,
            )
            for name in Amounts.model_fields
        )
    )

    requests: Amounts | None = Field(
        default=None, description="Resources reserved for the container."
    )
    limits: Amounts | None = Field(
        default=None, description="Resources the container may use at most."
    )

    @model_validator(mode="after")
    def _requests_are_within_limits(self) -> Self:
        for name in Amounts.model_fields:
            request = getattr(self.requests, name, None)
            limit = getattr(self.limits, name, None)
            if request and limit and amount(request) > amount(limit):
                raise ValueError(REQUESTS_WITHIN_LIMITS)
        return self


class SecretReference(Part):
    """A Secret in the model's namespace. Pods read it; the controller never does."""

    name: ObjectName = Field(description="Name of the Secret.")


class Wandb(Part):
    """Where a run is logged in Weights & Biases."""

    project: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", max_length=128)] = (
        Field(description="Project the run is logged to.")
    )
    secret_ref: SecretReference | None = Field(
        default=None,
        description="Secret whose key WANDB_API_KEY allows the upload. Default: the run is recorded"
        " in the pod only.",
    )


class Tracking(Part):
    """Experiment trackers."""

    wandb: Wandb | None = Field(
        default=None, description="Weights & Biases. It never fails or delays a run. Default: off."
    )


class Training(Part):
    """How a run is carried out."""

    resources: Resources | None = Field(
        default=None,
        description="Resources of the training container. Default: requests of 500m and 512Mi,"
        " limits of 2 and 2Gi.",
    )
    deadline_seconds: Whole = Field(
        default=3600,
        ge=60,
        le=604800,
        description="Seconds one attempt may take. After that the run has failed.",
    )
    service_account_name: ObjectName | None = Field(
        default=None, description="ServiceAccount of the training pod. Default: taxon-trainer."
    )
    secret_ref: SecretReference | None = Field(
        default=None,
        description="Secret whose keys become the training container's environment (AWS_*): it"
        " reads the table and writes the bundle. Default: taxon-s3-write.",
    )
    tracking: Tracking = Field(default=Tracking(), description="Experiment trackers.")


class PredictionLog(Part):
    """What is kept of every prediction."""

    mode: Literal["Full", "WithoutFeatures", "Disabled"] = Field(
        default="Full",
        description="Full logs the row and the answer, WithoutFeatures the answer only.",
    )
    retention_days: Annotated[int, Strict(), Field(ge=1, le=3650)] | None = Field(
        default=None,
        description="Days predictions and their labels are kept. Default: the platform's bound,"
        " which also limits this; it is 90 unless the platform changed it.",
    )
    exclude_features: (
        Annotated[
            tuple[ColumnName, ...],
            Field(max_length=300, json_schema_extra={"x-kubernetes-list-type": "set"}),
        ]
        | None
    ) = Field(
        default=None,
        description="Features whose values are never logged. A name that is not a feature of the"
        " version keeps all features out of the log.",
    )

    def server_variables(self) -> dict[str, str]:
        """Return the server's environment variables for these fields."""
        variables: dict[str, str] = {"TAXON_SERVER_LOG_MODE": self.mode}
        if self.retention_days is not None:
            variables["TAXON_SERVER_LOG_RETENTION_DAYS"] = str(self.retention_days)
        if self.exclude_features:
            variables["TAXON_SERVER_LOG_EXCLUDE"] = json.dumps(self.exclude_features)
        return variables


Origin = Annotated[
    str, StringConstraints(pattern=r"^(\*|https?://[A-Za-z0-9.:\[\]-]+)$", max_length=256)
]


class Http(Part):
    """Limits and options of a server's HTTP interface. Absent fields use the platform's values."""

    rate_limit: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$", max_length=16),
        ]
        | None
    ) = Field(
        default=None,
        description='Prediction requests per client address and server, as "100/second".'
        " Default: the platform's setting, or no limit.",
    )
    cors_origins: (
        Annotated[
            tuple[Origin, ...],
            Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"}),
        ]
        | None
    ) = Field(
        default=None,
        description='Origins whose pages may call from a browser, as "https://app.example.com", or'
        ' "*" for all. Default: the platform\'s setting, or none.',
    )
    access_log: Flag | None = Field(
        default=None,
        description="Whether a server logs one JSON line per request. Default: the platform's"
        " setting, or false.",
    )
    max_body_bytes: Annotated[int, Strict(), Field(ge=1024, le=2**28)] | None = Field(
        default=None,
        description="Bytes of the largest request body. Default: the platform's setting, or"
        " 16 MiB.",
    )
    max_rows: Annotated[int, Strict(), Field(ge=1, le=10_000_000)] | None = Field(
        default=None,
        description="Largest number of rows in one request. Default: the platform's setting, or"
        " 100000.",
    )

    def server_variables(self) -> dict[str, str]:
        """Return the server's environment variables for the fields that are set."""
        texts = {
            name: _variable(value)
            for name in Http.model_fields
            if (value := getattr(self, name)) is not None
        }
        return {f"TAXON_SERVER_{name.upper()}": text for name, text in texts.items()}


def _variable(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


class Rollout(Part):
    """How the traffic moves to another version."""

    progress_deadline_seconds: Whole = Field(
        default=600,
        ge=30,
        le=86400,
        description="Seconds for a version to become ready, and then for its URL to answer with"
        " it. After that it is abandoned, and the live version stays. An edit in place without"
        " progress for this long is Stalled.",
    )
    scale_down_delay_seconds: Whole = Field(
        default=3600,
        ge=0,
        le=2592000,
        description="Seconds the previous version stays warm after a switch.",
    )


REPLICAS_IN_ORDER = "minReplicas must be at most maxReplicas"


class Serving(Part):
    """How a version is served."""

    model_config = published(
        rule(
            "!has(self.maxReplicas)"
            " || (has(self.minReplicas) ? self.minReplicas : 1) <= self.maxReplicas",
            REPLICAS_IN_ORDER,
        )
    )

    min_replicas: Whole = Field(
        default=1, ge=1, le=100, description="Servers of each version that always run."
    )
    max_replicas: Annotated[int, Strict(), Field(ge=1, le=100)] | None = Field(
        default=None,
        description="Servers of each version that may run under load. Default: minReplicas.",
    )
    resources: Resources | None = Field(
        default=None,
        description="Resources of one server. Default: requests of 100m and 256Mi, limits of 1 and"
        " 1Gi.",
    )
    service_account_name: ObjectName | None = Field(
        default=None, description="ServiceAccount of the servers. Default: taxon-server."
    )
    prediction_log: PredictionLog = Field(
        default=PredictionLog(), description="What is kept of every prediction."
    )
    http: Http | None = Field(
        default=None, description="Limits and options of a server's HTTP interface."
    )
    rollout: Rollout = Field(
        default=Rollout(), description="How the traffic moves to another version."
    )

    @model_validator(mode="after")
    def _replicas_are_in_order(self) -> Self:
        if self.max_replicas is not None and self.min_replicas > self.max_replicas:
            raise ValueError(REPLICAS_IN_ORDER)
        return self


class Retrain(Part):
    """When an unchanged spec is trained again."""

    schedule: CronSchedule | None = Field(
        default=None,
        description='Five cron fields in UTC, as "0 3 * * 1". A missed slot runs once. Default:'
        " off.",
    )

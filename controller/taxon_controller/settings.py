"""What the controller's environment decides; what a model wants is in its resource."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from taxon_contracts import names


class Settings(BaseSettings):
    """Settings from environment variables with the prefix ``TAXON_CONTROLLER_``."""

    model_config = SettingsConfigDict(env_prefix="TAXON_CONTROLLER_", frozen=True)

    namespace: str = Field(description="Namespace of the controller, its Lease and its Jobs.")
    identity: str = Field(description="Name of this process in the Lease: the pod's name.")
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Namespaces whose models are reconciled, separated by commas. Empty: all.",
    )
    trainer_image: str = Field(description="Image of training and clean-up Jobs.")
    bundle_root: str = Field(description="Root of the bundles: s3://bucket[/prefix].")
    runtime: str = Field(
        default="taxon", description="ClusterServingRuntime of new versions; old ones keep theirs."
    )
    server_port: int = Field(default=8080, description="Port the servers listen on for HTTP.")
    trainer_account: str = Field(
        default="taxon-trainer", description="ServiceAccount of training pods."
    )
    trainer_secret: str = Field(
        default="taxon-s3-write",
        description="Secret whose keys are the environment of training containers.",
    )
    dataset_secret: str = Field(
        default=names.DATABASE_SECRETS["trainers"],
        description="Secret whose key url is the database's URL for training on data sets.",
    )
    monitor_url: str | None = Field(
        default=None,
        description="Base URL of the monitor, which knows the versions of data sets. Absent:"
        " models cannot follow the newest version of one.",
    )
    cleanup_secret: str = Field(
        default="taxon-s3-write",
        description="Secret whose keys are the environment of clean-up containers, in the"
        " controller's own namespace.",
    )
    server_account: str = Field(default="taxon-server", description="ServiceAccount of servers.")
    database_secret: str | None = Field(
        default="taxon-postgres",
        description="Secret whose key url is the prediction log's database. Absent: no log.",
    )
    gateway: str | None = Field(
        default=None,
        description="Gateway of the HTTPRoutes, as namespace/name. Absent: inside only.",
    )
    gateway_listener: str | None = Field(
        default=None,
        description="Listener of the Gateway the routes attach to. Absent: any that accepts them.",
    )
    gateway_url: str | None = Field(
        default=None,
        description="Base URL the controller reaches the Gateway at. Absent: the address in the"
        " Gateway's status.",
    )
    domain: str = Field(default="example.com", description="Domain of the models' host names.")
    workers: int = Field(default=4, ge=1, description="Models reconciled at a time.")
    resync_seconds: float = Field(
        default=600, gt=0, description="Seconds after which every model is reconciled again."
    )
    attempts: int = Field(default=5, ge=1, description="Attempts of a run that may be retried.")
    retry_seconds: float = Field(
        default=30, gt=0, description="Pause after the first attempt; each further one doubles it."
    )
    cleanup_seconds: float = Field(
        default=600,
        gt=0,
        description="Seconds a deleted model waits for its bundles to be removed; then it is"
        " deleted and they are left behind.",
    )
    lease_seconds: float = Field(
        default=20, gt=0, description="Seconds the Lease holds without being renewed."
    )
    heartbeat_seconds: float = Field(
        default=180,
        gt=0,
        description="Seconds without a sight of its own heartbeat after which it is not alive.",
    )
    port: int = Field(default=8081, ge=0, le=65535, description="Port of metrics and probes.")

    @field_validator("watch_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

"""What the trainer's environment decides; a run request decides the rest."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings from environment variables with the prefix ``TAXON_``."""

    model_config = SettingsConfigDict(env_prefix="TAXON_", frozen=True)

    run: str | None = Field(default=None, description="The run request, as a JSON document.")
    result: Path = Field(
        default=Path("/dev/termination-log"), description="File the result is written to."
    )
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL URL of the data sets; a run of a file needs none.",
    )
    tracking_folder: Path = Field(
        default=Path("/tmp/taxon-tracking"),  # noqa: S108 - a pod's writable emptyDir; the name is the trainer's own
        description="Folder Weights & Biases runs are recorded in before they are synced.",
    )
    tracking_record_seconds: float = Field(
        default=18.0, gt=0, description="Most seconds to record a run offline in."
    )
    tracking_sync_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Most seconds to sync it in; both together stay below the 30 s a run may wait.",
    )

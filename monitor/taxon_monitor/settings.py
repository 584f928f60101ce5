"""The monitor's settings: every field is a variable."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings from environment variables with the prefix ``TAXON_MONITOR_``."""

    model_config = SettingsConfigDict(
        env_prefix="TAXON_MONITOR_", env_ignore_empty=True, frozen=True
    )

    database_url: SecretStr = Field(
        description="PostgreSQL URL of a role that reads every namespace."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8082, ge=0, le=65535, description="Port; 0: the kernel chooses.")
    interval_seconds: float = Field(
        default=30, gt=0, description="Shortest pause between two readings of a metric, in seconds."
    )
    answer_seconds: float = Field(
        default=5,
        gt=0,
        description="Seconds a request may wait for the database before it is answered with 503.",
    )

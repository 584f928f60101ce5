"""What the server's environment decides; every field is a variable and a command-line flag."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from taxon_contracts.document import Digest

VARIABLE_PREFIX = "TAXON_SERVER_"
POSTGRESQL_SCHEMES = ("postgresql:", "postgresql+psycopg2:", "postgres:")


class Settings(BaseSettings):
    """Serves one bundle. Every flag is also a variable: TAXON_SERVER_ and the name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=VARIABLE_PREFIX,
        frozen=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_prog_name="taxon-server",
        cli_hide_none_type=True,
    )

    bundle: str = Field(min_length=1, description="Bundle: s3:// URI, file:// URI or folder.")
    digest: Digest = Field(description="Digest of the bundle's manifest, as sha256:...")
    name: str = Field(min_length=1, description="Name clients call the model by.")
    version: str | None = Field(
        default=None, description="Version the bundle must be of. Absent: whichever it is."
    )
    namespace: str = Field(default="default", description="Namespace of the model, for the log.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port; 0 lets the kernel choose.")
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL URL of the prediction log. Absent: no log."
    )
    log_mode: Literal["Full", "WithoutFeatures", "Disabled"] = Field(
        default="Full", description="What is kept of every prediction."
    )
    spool_folder: Path = Field(
        default=Path("/tmp/taxon-spool"),  # noqa: S108 - a pod's emptyDir; the folder is the server's own
        description="Folder that holds predictions until the database has them.",
    )
    spool_max_bytes: int = Field(
        default=256 * 2**20,
        ge=2**20,
        description="Bytes the spool may hold; beyond, predictions are not logged but counted.",
    )
    max_body_bytes: int = Field(default=16 * 2**20, ge=1024, description="Largest request body.")
    max_rows: int = Field(default=100_000, ge=1, description="Most rows of one request.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins browsers may call from, separated by commas. Absent: none."
    )
    rate_limit: (
        Annotated[str, StringConstraints(pattern=r"^[1-9]\d*/(second|minute|hour|day)$")] | None
    ) = Field(
        default=None,
        description="Prediction requests per client address, as 100/second. Absent: no limit.",
    )
    trusted_proxies: str | None = Field(
        default=None,
        description=(
            "Addresses or networks, separated by commas, whose X-Forwarded-For names the client;"
            " * for all. Absent: none."
        ),
    )
    access_log: bool = Field(default=False, description="Write one JSON line per request.")
    drain_seconds: float = Field(
        default=5.0, ge=0, description="Seconds to go on accepting after SIGTERM, while unready."
    )
    termination_log: Path = Field(
        default=Path("/dev/termination-log"),
        description="File the reason of a refusal to start goes to, if it exists.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(origin.strip() for origin in value.split(",") if origin.strip())

    @field_validator("database_url")
    @classmethod
    def _names_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(POSTGRESQL_SCHEMES):
            raise ValueError("must be like postgresql://user:password@host:port/database")
        return value


class InvalidSettings(Exception):  # noqa: N818 - it names the settings that are wrong
    """A setting is missing or wrong; the message names its flag and its variable."""


def read_settings(arguments: Sequence[str]) -> Settings:
    """Return the settings of the environment and, over them, of the command line.

    Raises:
        InvalidSettings: one is missing or wrong.
        SystemExit: the command line has an unknown flag, or asks for help.
    """
    try:
        return Settings(_cli_parse_args=list(arguments))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise InvalidSettings("; ".join(_told(one["loc"], one["msg"]) for one in found)) from None


def _told(path: tuple[str | int, ...], message: str) -> str:
    """Return one sentence that never repeats a value: it may be a password."""
    name = str(path[0])
    flag, variable = name.replace("_", "-"), f"{VARIABLE_PREFIX}{name.upper()}"
    if message == "Field required":
        return f"set --{flag} or {variable}"
    return f"--{flag} ({variable}): {message.removeprefix('Value error, ')}"

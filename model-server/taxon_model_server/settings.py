"""The server's settings: every field is a variable and a command-line flag."""

import os
import re
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    CliApp,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from taxon_contracts.document import Digest

VARIABLE_PREFIX = "TAXON_SERVER_"
COMMON_VARIABLES = {"database_url": "DATABASE_URL", "cors_origins": "ALLOWED_ORIGINS"}
"""Variables other software uses for the same; read where the server's own are absent."""
POSTGRESQL_SCHEMES = ("postgresql:", "postgresql+psycopg2:", "postgres:")
ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/\s]+", re.IGNORECASE)
RATE = re.compile(r"[1-9]\d*/(second|minute|hour|day)")


class Settings(BaseSettings):
    """Serves one bundle. Every flag is also a variable: TAXON_SERVER_ and the name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=VARIABLE_PREFIX,
        env_ignore_empty=True,
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
        default=None, description="Version the bundle must have. Absent: any."
    )
    namespace: str = Field(default="default", description="Namespace of the model, for the log.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port; 0 lets the kernel choose.")
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL URL of the prediction log. Absent: no log."
    )
    log_mode: Literal["Full", "WithoutFeatures", "Disabled"] = Field(
        default="Full", description="What is logged of every prediction."
    )
    log_retention_days: int | None = Field(
        default=None, ge=1, description="Days the log is kept. Absent: as the platform decides."
    )
    log_exclude: tuple[str, ...] = Field(
        default=(),
        description="Features whose values are never logged, as a JSON array. A name that is not a"
        " feature keeps all of them out.",
    )
    spool_folder: Path = Field(
        default=Path("/tmp/taxon-spool"),  # noqa: S108 - a pod's emptyDir; the folder is the server's own
        description="Folder for predictions until they are stored in the database.",
    )
    spool_max_bytes: int = Field(
        default=256 * 2**20,
        ge=2**20,
        description="Bytes of the largest spool. Beyond, predictions are dropped and counted.",
    )
    max_body_bytes: int = Field(default=16 * 2**20, ge=1024, description="Largest request body.")
    max_rows: int = Field(default=100_000, ge=1, description="Most rows of one request.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins browsers may call from, separated by commas. Absent: none."
    )
    rate_limit: str | None = Field(
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
        default=5.0, ge=0, description="Seconds to accept requests after SIGTERM, while unready."
    )
    termination_log: Path = Field(
        default=Path("/dev/termination-log"),
        description="File that gets the reason for not starting, if it exists.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is given
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the common variables below the server's own."""
        common = {
            field: os.environ[variable]
            for field, variable in COMMON_VARIABLES.items()
            if os.environ.get(variable)
        }
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=common)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(origin.strip() for origin in value.split(",") if origin.strip())

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("use origins such as https://app.example.com, without a path, or *")
        return value

    @field_validator("rate_limit")
    @classmethod
    def _is_rate(cls, value: str | None) -> str | None:
        if value is not None and not RATE.fullmatch(value):
            raise ValueError("use a number per second, minute, hour or day, such as 100/second")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str | None) -> str | None:
        if value is not None and value != "*":
            try:
                for network in value.split(","):
                    ip_network(network.strip())
            except ValueError:
                raise ValueError(
                    "use addresses and networks such as 10.0.0.0/8, separated by commas, or *"
                ) from None
        return value

    @field_validator("database_url")
    @classmethod
    def _names_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(POSTGRESQL_SCHEMES):
            raise ValueError("use a URL like postgresql://user:password@host:port/database")
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
        return CliApp.run(Settings, cli_args=list(arguments))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        sentences = [_sentence(str(one["loc"][0]), one["msg"]) for one in found]
        raise InvalidSettings("; ".join(sentences)) from None


def _sentence(field: str, message: str) -> str:
    """Return one sentence that never repeats a value: it may be a password."""
    flag, variable = field.replace("_", "-"), f"{VARIABLE_PREFIX}{field.upper()}"
    if message == "Field required":
        return f"set --{flag} or {variable}"
    if field in COMMON_VARIABLES:
        variable += f" or {COMMON_VARIABLES[field]}"
    if field == "digest":
        message = "use sha256: and 64 hexadecimal digits, in small letters"
    return f"--{flag} ({variable}): {message.removeprefix('Value error, ')}"

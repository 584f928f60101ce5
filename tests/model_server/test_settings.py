from pathlib import Path

import pytest
import yaml

from taxon_contracts.resource import Http
from taxon_model_server.settings import InvalidSettings, Settings, read_settings

FULL_SERVICE = Path(__file__).parents[1] / "controller/golden/inference-service-full.yaml"
DIGEST = "sha256:" + "a" * 64
LEAST = ("--bundle", "/b", "--digest", DIGEST, "--name", "iris")
EVERYTHING = {
    "bundle": "s3://models/iris/",
    "digest": DIGEST,
    "name": "iris",
    "namespace": "flowers",
    "host": "::",
    "version": "v0123456789",
    "port": "8080",
    "database_url": "postgresql://user:secret@db/taxon",
    "log_mode": "WithoutFeatures",
    "log_retention_days": "30",
    "log_exclude": '["age", "name"]',
    "spool_folder": "/spool",
    "spool_max_bytes": "2000000",
    "max_body_bytes": "4096",
    "max_rows": "10",
    "cors_origins": "https://a.example, https://b.example",
    "rate_limit": "100/second",
    "trusted_proxies": "10.0.0.0/8",
    "drain_seconds": "0.5",
    "termination_log": "/log",
}


def test_three_settings_are_enough() -> None:
    """Bundle, digest and name are all that must be said."""
    settings = read_settings(LEAST)

    assert (settings.host, settings.port, settings.log_mode) == ("127.0.0.1", 8000, "Full")
    assert settings.cors_origins == ()
    assert settings.database_url is None
    assert not settings.access_log


def test_every_setting_is_a_variable_and_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same values by variables and by flags give the same settings."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in EVERYTHING.items()]
    by_flags = read_settings([*flags, "--access-log"])
    for name, value in EVERYTHING.items():
        monkeypatch.setenv(f"TAXON_SERVER_{name.upper()}", value)
    monkeypatch.setenv("TAXON_SERVER_ACCESS_LOG", "true")
    by_variables = read_settings([])

    assert by_flags == by_variables
    assert set(EVERYTHING) | {"access_log"} == set(Settings.model_fields)
    assert by_flags.cors_origins == ("https://a.example", "https://b.example")
    assert by_flags.spool_folder == Path("/spool")


def test_a_flag_is_above_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command line says counts more than the environment."""
    monkeypatch.setenv("TAXON_SERVER_NAME", "other")

    assert read_settings(LEAST).name == "iris"


def test_common_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_URL and ALLOWED_ORIGINS are understood where nothing else says so."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://common/taxon")
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://a.example,https://b.example")
    settings = read_settings(LEAST)

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://common/taxon"
    assert settings.cors_origins == ("https://a.example", "https://b.example")


def test_the_servers_own_variables_are_above_common_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefixed variable counts more than the common one."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://common/taxon")
    monkeypatch.setenv("TAXON_SERVER_DATABASE_URL", "postgresql://own/taxon")
    monkeypatch.setenv("ALLOWED_ORIGINS", "*")
    settings = read_settings([*LEAST, "--cors-origins", "https://own.example"])

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://own/taxon"
    assert settings.cors_origins == ("https://own.example",)


def test_an_empty_variable_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable leaves its setting at the default: charts and shells make such."""
    for name in ("RATE_LIMIT", "TRUSTED_PROXIES", "CORS_ORIGINS", "DATABASE_URL", "MAX_ROWS"):
        monkeypatch.setenv(f"TAXON_SERVER_{name}", "")
    monkeypatch.setenv("DATABASE_URL", "")

    assert read_settings(LEAST) == read_settings([*LEAST, "--max-rows", "100000"])
    assert read_settings(LEAST).database_url is None


def test_what_the_controller_sets_is_what_the_resource_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every variable of a full InferenceService is a setting, and has the resource's meaning."""
    manifest = yaml.safe_load(FULL_SERVICE.read_text())
    given = manifest["spec"]["predictor"]["model"]["env"]
    for variable in given:
        monkeypatch.setenv(variable["name"], variable.get("value", "postgresql://db/taxon"))
    settings = read_settings(LEAST)
    names = {variable["name"].removeprefix("TAXON_SERVER_").lower() for variable in given}

    assert names <= set(Settings.model_fields)
    assert set(Http.model_fields) <= names
    assert (settings.rate_limit, settings.access_log) == ("100/second", True)
    assert settings.cors_origins == ("https://app.example.com", "http://[::1]:3000")
    assert (settings.max_body_bytes, settings.max_rows) == (2**20, 1000)


def test_the_password_is_not_shown() -> None:
    """Settings as text do not show the database's password."""
    settings = read_settings([*LEAST, "--database-url", EVERYTHING["database_url"]])

    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--digest", "sha256:1", "--digest (TAXON_SERVER_DIGEST): use sha256: and 64 hexadecimal"),
        ("--port", "70000", "--port (TAXON_SERVER_PORT): Input should be less than or equal"),
        ("--log-mode", "Some", "--log-mode (TAXON_SERVER_LOG_MODE): Input should be 'Full'"),
        ("--rate-limit", "fast", "--rate-limit (TAXON_SERVER_RATE_LIMIT): use a number per second"),
        (
            "--trusted-proxies",
            "10.0.0.0/8, proxy",
            "--trusted-proxies (TAXON_SERVER_TRUSTED_PROXIES)",
        ),
        (
            "--cors-origins",
            "people.example",
            "--cors-origins (TAXON_SERVER_CORS_ORIGINS or ALLOWED_ORIGINS): use origins such as",
        ),
        (
            "--cors-origins",
            "https://people.example/",
            "--cors-origins (TAXON_SERVER_CORS_ORIGINS or ALLOWED_ORIGINS): use origins such as",
        ),
        (
            "--database-url",
            "mysql://user:secret@host/db",
            "--database-url (TAXON_SERVER_DATABASE_URL or DATABASE_URL): use a URL like postgresql://",
        ),
    ],
)
def test_a_wrong_value_names_its_flag_but_not_itself(flag: str, value: str, said: str) -> None:
    """An error names the flag and the variable, and does not repeat a value that may be secret."""
    with pytest.raises(InvalidSettings) as caught:
        read_settings([*LEAST, flag, value])

    assert str(caught.value).startswith(said)
    assert "secret" not in str(caught.value)


def test_an_unknown_flag_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag that does not exist ends the command with its name."""
    with pytest.raises(SystemExit):
        read_settings([*LEAST, "--frobnicate"])

    assert "unrecognized arguments: --frobnicate" in capsys.readouterr().err


def test_every_http_field_of_the_resource_is_a_setting_of_the_server() -> None:
    """What serving.http names reaches the server under the same name."""
    assert set(Http.model_fields) <= set(Settings.model_fields)

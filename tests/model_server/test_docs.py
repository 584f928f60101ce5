"""The page about the API says what the server does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from model_server.client import Client

from taxon_contracts.metrics import SERVER_METRICS
from taxon_model_server.rest.failures import STATUS
from taxon_model_server.settings import Settings
from taxon_model_server.telemetry import DROP_REASONS

PAGE = (Path(__file__).parents[2] / "docs" / "server-api.md").read_text()
SERVERS = {
    "## Text, booleans and missing values\n": "mixed_client",
    "## Labels\n": "labelled_client",
}
"""Sections whose examples are of another server, by their beginning."""
EXCHANGE = re.compile(r"```http\n(GET|POST) (\S+)\n(.*?)```\n```json\n(.*?)```", re.DOTALL)
ELIDED = "..."


def rows(heading: str) -> dict[str, list[str]]:
    """Return the first table below a heading: the cells of each row by its first."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip().strip("`") for cell in line] for line in lines[1:]]
    return {line[0]: line[1:] for line in cells}


def same(shown: Any, real: Any) -> bool:
    """Compare what the page shows with a real answer; floats are another model's the next day."""
    if shown == ELIDED:
        return True
    if isinstance(shown, dict) and isinstance(real, dict):
        return shown.keys() == real.keys() and all(same(shown[key], real[key]) for key in shown)
    if isinstance(shown, list) and isinstance(real, list):
        return len(shown) == len(real) and all(map(same, shown, real))
    if isinstance(shown, float) and isinstance(real, float):
        return True
    return bool(shown == real)


def examples() -> list[tuple[str, tuple[str, str, str, str]]]:
    """Return every example with the fixture of the server that answers it."""
    return [
        (fixture, example)
        for section in re.split(r"^(?=## )", PAGE, flags=re.MULTILINE)
        for fixture in [SERVERS.get(section[: section.find("\n") + 1], "client")]
        for example in EXCHANGE.findall(section)
    ]


@pytest.mark.parametrize(("fixture", "example"), examples())
def test_every_example_is_a_real_exchange(
    request: pytest.FixtureRequest, fixture: str, example: tuple[str, str, str, str]
) -> None:
    """Sent to a server, each example gets the answer the page shows."""
    client: Client = request.getfixturevalue(fixture)
    method, path, body, shown = example
    real = client.request(method, path, content=body).json()

    assert same(json.loads(shown), real), real


def test_every_setting_is_on_the_page() -> None:
    """The table of settings has each one, with its default."""
    shown = {name: cells[0] for name, cells in rows("Settings").items()}
    real = {
        name: "" if field.is_required() or field.default in (None, ()) else str(field.default)
        for name, field in Settings.model_fields.items()
    }

    assert shown == real


def test_every_code_is_on_the_page() -> None:
    """The table of errors has each status an error is answered with."""
    assert {str(int(status)) for status in STATUS.values()} <= set(rows("Errors"))


def test_every_metric_is_on_the_page() -> None:
    """The table of metrics has each one with its labels."""
    shown = {name: cells[0] for name, cells in rows("Metrics").items()}

    assert shown == {metric.name: ", ".join(metric.labels) for metric in SERVER_METRICS}


def test_every_reason_to_drop_is_on_the_page() -> None:
    """The table of dropped events has each reason."""
    assert set(rows("The prediction log")) == set(DROP_REASONS)

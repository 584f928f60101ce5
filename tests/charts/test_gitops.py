"""The health checks in docs/argocd.md, run as Argo CD and Flux run them."""

import re
from typing import Any

import cel
import lupa
import pytest
import yaml
from support import charts

DOCS = charts.ROOT / "docs"
LUA = (DOCS / "argocd-health.lua").read_text()
[FLUX] = re.findall(r"```yaml\n(.*?)```", (DOCS / "argocd.md").read_text(), re.DOTALL)


def model(*conditions: tuple[str, str, str], seen: int = 3) -> dict[str, Any]:
    """Return a model of generation 3 with these conditions."""
    return {
        "metadata": {"generation": 3},
        "status": {
            "observedGeneration": seen,
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": "so it is"}
                for kind, status, reason in conditions
            ],
        },
    }


FRESH: dict[str, Any] = {"metadata": {"generation": 1}}
READY = model(("Trained", "True", "Succeeded"), ("Ready", "True", "VersionLive"))
TRAINING = model(("Ready", "False", "Training"), ("Reconciling", "True", "Training"))
STALE = model(("Ready", "True", "VersionLive"), seen=2)
STALLED = model(("Ready", "False", "DatasetNotFound"), ("Stalled", "True", "DatasetNotFound"))
SUSPENDED = model(("Ready", "False", "Suspended"))
NOT_SERVING = model(("Ready", "False", "ServersNotReady"))


def argo(body: dict[str, Any]) -> dict[str, str]:
    """Return what the Lua says of a resource."""
    lua = lupa.LuaRuntime()
    run = lua.eval(f"function(obj)\n{LUA}\nend")
    return dict(run(lua.table_from(body, recursive=True)))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(FRESH, "Progressing", id="not-looked-at-yet"),
        pytest.param(READY, "Healthy", id="ready"),
        pytest.param(TRAINING, "Progressing", id="training"),
        pytest.param(STALE, "Progressing", id="ready-for-an-older-generation"),
        pytest.param(STALLED, "Degraded", id="stalled"),
        pytest.param(SUSPENDED, "Suspended", id="suspended"),
        pytest.param(NOT_SERVING, "Degraded", id="no-ready-server"),
    ],
)
def test_argo_cd_reads_a_models_health(body: dict[str, Any], status: str) -> None:
    """Healthy is what this generation asks for being live, and nothing older."""
    assert argo(body)["status"] == status


def test_argo_cd_shows_the_reason() -> None:
    """The message is the condition's own."""
    assert argo(STALLED)["message"] == "so it is"


@pytest.mark.parametrize(
    ("body", "current", "failed"),
    [
        pytest.param(READY, True, False, id="ready"),
        pytest.param(TRAINING, False, False, id="training"),
        pytest.param(STALLED, False, True, id="stalled"),
        pytest.param(FRESH | {"status": {}}, False, False, id="not-looked-at-yet"),
    ],
)
def test_flux_reads_a_models_health(body: dict[str, Any], *, current: bool, failed: bool) -> None:
    """Flux waits while a model is on its way, and stops waiting for one that is stalled."""
    [expressions] = yaml.safe_load(FLUX)["spec"]["healthCheckExprs"]
    assert cel.evaluate(expressions["current"], body) is current
    assert cel.evaluate(expressions["failed"], body) is failed

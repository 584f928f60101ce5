"""How models are served: probes, what pods reserve, HTTP settings, and the Gateway's retries."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support import charts
from support.charts import Manifest

from taxon_model_server.settings import Settings

MAXIMAL = yaml.safe_load((Path(__file__).parent / "values" / "evaluation.yaml").read_text())
POLICY = "gateway.envoyproxy.io/v1alpha1/BackendTrafficPolicy"
HUNG_SECONDS = 3


def found(kind: str, values: dict[str, Any], *kinds: str) -> list[Manifest]:
    """Return the objects of a kind."""
    manifests = charts.objects(charts.render(values, kinds=kinds))
    return [one for one in manifests if one["kind"] == kind]


def server(values: dict[str, Any]) -> Manifest:
    """Return the container of a server."""
    [runtime] = found("ClusterServingRuntime", values)
    [container] = runtime["spec"]["containers"]
    return dict(container)


def test_a_hung_server_is_unready_within_three_seconds() -> None:
    """The last probe that must fail has failed by then, wherever the hang began between two."""
    probe = server({})["readinessProbe"]
    assert (
        probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] <= HUNG_SECONDS
    )


def test_a_loader_reserves_nothing_beyond_its_server() -> None:
    """A pod reserves the larger request of loader and server, so it is always the server's."""
    [loader] = found("ClusterStorageContainer", {})
    assert loader["spec"]["container"]["resources"]["requests"] == {"cpu": "1m", "memory": "1Mi"}


def test_http_values_are_settings_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator writes under serving.http reaches the server as it was meant."""
    for variable in server(MAXIMAL)["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", "v1"))
    monkeypatch.setenv("TAXON_SERVER_DIGEST", f"sha256:{'0' * 64}")
    settings = Settings()
    assert settings.trusted_proxies == "10.0.0.0/8,fd00::/8"
    assert settings.rate_limit == "100/second"
    assert settings.cors_origins == ("https://app.example.com", "https://b.example.com")
    assert settings.access_log
    assert settings.max_body_bytes == 2**20
    assert settings.max_rows == 1000


@pytest.mark.parametrize(
    ("gateway", "kinds", "count"),
    [
        pytest.param({"name": "infra/public"}, (POLICY,), 2, id="where-it-is-understood"),
        pytest.param({"name": "infra/public"}, (), 0, id="another-gateway"),
        pytest.param({"name": "infra/public", "retries": "EnvoyGateway"}, (), 2, id="always"),
        pytest.param({"name": "infra/public", "retries": "None"}, (POLICY,), 0, id="never"),
        pytest.param({"retries": "EnvoyGateway"}, (POLICY,), 0, id="no-gateway"),
    ],
)
def test_each_model_namespace_has_one_policy_of_retries(
    gateway: dict[str, str], kinds: tuple[str, ...], count: int
) -> None:
    """The policy is rendered where the Gateway understands it, or where a person says so."""
    values = {"gateway": gateway, "modelNamespaces": ["fraud", "churn"]}
    assert len(found("BackendTrafficPolicy", values, *kinds)) == count


def test_the_policy_retries_and_ejects() -> None:
    """Two more tries of bounded time, and five seconds without the server that failed."""
    [policy, _] = found("BackendTrafficPolicy", MAXIMAL)
    retry, passive = policy["spec"]["retry"], policy["spec"]["healthCheck"]["passive"]
    assert retry["numRetries"] == 2
    assert {"connect-failure", "refused-stream", "reset"} <= set(retry["retryOn"]["triggers"])
    assert retry["retryOn"]["httpStatusCodes"] == [503]
    assert retry["perRetry"] == {"timeout": "5s"}
    assert passive["baseEjectionTime"] == "5s"
    assert passive["consecutive5XxErrors"] == passive["consecutiveLocalOriginFailures"] == 1

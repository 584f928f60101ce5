"""What the Prometheus Operator scrapes: each process once, and under its own labels."""

from typing import Any

import pytest
from support import charts
from support.charts import Manifest

LABELS = {"release": "prometheus"}
MONITORED = {
    "modelNamespaces": ["fraud", "churn"],
    "monitoring": {"enabled": True, "labels": LABELS},
}


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    """Return the chart's objects with monitoring."""
    return charts.objects(charts.render(MONITORED))


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Say whether labels fit a selector."""
    return selector.items() <= labels.items()


def test_the_monitor_of_the_controller_selects_its_service_alone(
    manifests: list[Manifest],
) -> None:
    """One Service fits, so the controller is scraped once."""
    monitor = charts.named(manifests, "ServiceMonitor", "taxon-controller")
    selector = monitor["spec"]["selector"]["matchLabels"]
    services = [one for one in manifests if one["kind"] == "Service"]
    fitting = [one for one in services if selected(selector, one["metadata"]["labels"])]
    assert [charts.title(one) for one in fitting] == ["Service/taxon-system/taxon-controller"]


def test_the_service_leads_to_the_port_with_the_metrics(manifests: list[Manifest]) -> None:
    """Monitor, Service and pod name the same port, and the Service selects the controller's pod."""
    monitor = charts.named(manifests, "ServiceMonitor", "taxon-controller")
    service = charts.named(manifests, "Service", "taxon-controller")
    pod = charts.named(manifests, "Deployment", "taxon-controller")["spec"]["template"]
    [endpoint], [port] = monitor["spec"]["endpoints"], service["spec"]["ports"]
    [opened] = pod["spec"]["containers"][0]["ports"]
    assert endpoint["port"] == port["name"]
    assert (port["targetPort"], port["port"]) == (opened["name"], opened["containerPort"])
    assert selected(service["spec"]["selector"], pod["metadata"]["labels"])


def test_servers_are_scraped_as_pods_of_the_model_namespaces(manifests: list[Manifest]) -> None:
    """A server is behind several Services; as a pod it counts once."""
    monitors = [one for one in manifests if one["kind"] in ("PodMonitor", "ServiceMonitor")]
    [servers] = [one for one in monitors if one["kind"] == "PodMonitor"]
    assert servers["metadata"]["name"] == "taxon-servers"
    assert servers["spec"]["namespaceSelector"] == {"matchNames": ["fraud", "churn"]}
    assert len(monitors) == 2


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule", "ServiceMonitor"])
def test_prometheus_finds_them_by_the_labels_it_looks_for(
    manifests: list[Manifest], kind: str
) -> None:
    """monitoring.labels stand on everything a Prometheus may select by them."""
    [found] = [one for one in manifests if one["kind"] == kind]
    assert selected(LABELS, found["metadata"]["labels"])


def test_labels_of_ours_win_over_those_of_the_target(manifests: list[Manifest]) -> None:
    """A metric's namespace is the model's and its endpoint the route's, not the scraper's."""
    controller = charts.named(manifests, "ServiceMonitor", "taxon-controller")["spec"]
    servers = charts.named(manifests, "PodMonitor", "taxon-servers")["spec"]
    for endpoint in (*controller["endpoints"], *servers["podMetricsEndpoints"]):
        assert endpoint["honorLabels"] is True


def test_without_monitoring_there_is_no_service() -> None:
    """Nobody but Prometheus asks the controller anything."""
    manifests = charts.objects(charts.render({}))
    assert not [one for one in manifests if one["kind"] in ("Service", "ServiceMonitor")]

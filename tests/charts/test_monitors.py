"""What the Prometheus Operator scrapes: each process once, and under its own labels."""

from itertools import chain
from typing import Any

import pytest
from support import charts
from support.charts import Manifest

LABELS = {"release": "prometheus"}
MONITORED = {
    "modelNamespaces": ["fraud", "churn"],
    "database": {"evaluation": True},
    "monitoring": {"enabled": True, "labels": LABELS},
}


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    """Return the chart's objects with monitoring."""
    return charts.objects(charts.render(MONITORED))


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Say whether labels fit a selector."""
    return selector.items() <= labels.items()


every_part = pytest.mark.parametrize("part", ["controller", "monitor"])


@every_part
def test_a_part_is_scraped_by_its_own_service_alone(manifests: list[Manifest], part: str) -> None:
    """One Service fits, so it is scraped once."""
    monitor = charts.named(manifests, "ServiceMonitor", f"taxon-{part}")
    selector = monitor["spec"]["selector"]["matchLabels"]
    services = [one for one in manifests if one["kind"] == "Service"]
    fitting = [one for one in services if selected(selector, one["metadata"]["labels"])]
    assert [charts.title(one) for one in fitting] == [f"Service/taxon-system/taxon-{part}"]


@every_part
def test_the_service_leads_to_the_port_with_the_metrics(
    manifests: list[Manifest], part: str
) -> None:
    """ServiceMonitor, Service and pod name one port, and the Service selects the part's pod."""
    monitor = charts.named(manifests, "ServiceMonitor", f"taxon-{part}")
    service = charts.named(manifests, "Service", f"taxon-{part}")
    pod = charts.named(manifests, "Deployment", f"taxon-{part}")["spec"]["template"]
    [endpoint], [port] = monitor["spec"]["endpoints"], service["spec"]["ports"]
    [opened] = pod["spec"]["containers"][0]["ports"]
    assert endpoint["port"] == port["name"]
    assert (port["targetPort"], port["port"]) == (opened["name"], opened["containerPort"])
    assert selected(service["spec"]["selector"], pod["metadata"]["labels"])


def test_the_controller_knows_where_the_monitor_listens(manifests: list[Manifest]) -> None:
    """The URL is that of the Service."""
    service = charts.named(manifests, "Service", "taxon-monitor")
    pod = charts.named(manifests, "Deployment", "taxon-controller")["spec"]["template"]["spec"]
    given = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    expected = f"http://{host}:{service['spec']['ports'][0]['port']}"
    assert given["TAXON_CONTROLLER_MONITOR_URL"] == expected


def test_helm_waits_for_no_database() -> None:
    """The migrations run once every pod is ready, and make the role the monitor logs in with."""
    manifests = charts.objects(charts.render({"database": {"evaluation": True}}))
    pod = charts.named(manifests, "Deployment", "taxon-monitor")["spec"]["template"]["spec"]
    probe = pod["containers"][0]["readinessProbe"]["httpGet"]["path"]
    assert probe == "/healthz"


def test_servers_are_scraped_as_pods_of_the_model_namespaces(manifests: list[Manifest]) -> None:
    """A server is behind several Services; as a pod it counts once."""
    monitors = [one for one in manifests if one["kind"] in ("PodMonitor", "ServiceMonitor")]
    [servers] = [one for one in monitors if one["kind"] == "PodMonitor"]
    assert servers["metadata"]["name"] == "taxon-servers"
    assert servers["spec"]["namespaceSelector"] == {"matchNames": ["fraud", "churn"]}
    assert len(monitors) == 3


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule", "ServiceMonitor"])
def test_prometheus_finds_them_by_the_labels_it_looks_for(
    manifests: list[Manifest], kind: str
) -> None:
    """monitoring.labels stand on everything a Prometheus may select by them."""
    found = [one for one in manifests if one["kind"] == kind]
    assert found
    assert all(selected(LABELS, one["metadata"]["labels"]) for one in found)


def test_labels_of_ours_win_over_those_of_the_target(manifests: list[Manifest]) -> None:
    """A metric's namespace is the model's and its endpoint the route's, not the scraper's."""
    own = [
        charts.named(manifests, "ServiceMonitor", f"taxon-{part}")["spec"]["endpoints"]
        for part in ("controller", "monitor")
    ]
    servers = charts.named(manifests, "PodMonitor", "taxon-servers")["spec"]
    for endpoint in (*chain(*own), *servers["podMetricsEndpoints"]):
        assert endpoint["honorLabels"] is True


def test_without_monitoring_and_database_there_is_no_service() -> None:
    """Nobody but Prometheus asks the controller anything, and without a database nothing does."""
    manifests = charts.objects(charts.render({}))
    assert not [one for one in manifests if one["kind"] in ("Service", "ServiceMonitor")]

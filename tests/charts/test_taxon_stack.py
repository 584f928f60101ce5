"""The umbrella: Taxon and its monitoring, wired to each other.

The monitoring's own chart cannot be had everywhere: a stand-in shows the values it would get.
CI on a connected machine builds the real one.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import charts
from support.charts import Manifest

STACK = charts.ROOT / "charts" / "taxon-stack"
MONITORING = "kube-prometheus-stack"
RENDERED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: rendered}
data:
  values: {{ .Values | toJson | quote }}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the umbrella with Taxon's chart and a stand-in for the monitoring's."""
    folder = tmp_path_factory.mktemp("charts") / "taxon-stack"
    shutil.copytree(STACK, folder, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    parts = folder / "charts"
    parts.mkdir()
    charts.package(parts)
    stand_in = parts / MONITORING
    (stand_in / "templates").mkdir(parents=True)
    chart = {"apiVersion": "v2", "name": MONITORING, "version": "92.11.0"}
    (stand_in / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (stand_in / "templates" / "rendered.yaml").write_text(RENDERED)
    return folder


@pytest.fixture(scope="module")
def manifests(stack: Path) -> list[Manifest]:
    """Return the objects of the umbrella with its own values."""
    return charts.objects(charts.render({}, chart=stack))


@pytest.fixture(scope="module")
def rendered(manifests: list[Manifest]) -> Any:
    """Return the values the monitoring's chart gets."""
    return json.loads(charts.named(manifests, "ConfigMap", "rendered")["data"]["values"])


def dashboards(manifests: list[Manifest]) -> list[Manifest]:
    """Return the ConfigMaps that hold dashboards."""
    return [
        one
        for one in manifests
        if one["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "dashboards"
    ]


def test_it_holds_all_of_taxon(manifests: list[Manifest]) -> None:
    """The umbrella installs what the chart alone would, with its monitors, rules and dashboards."""
    values = {"monitoring": {"enabled": True, "dashboards": {"enabled": True}}}
    alone = {charts.title(one) for one in charts.objects(charts.render(values))}
    assert alone <= {charts.title(one) for one in manifests}


def test_prometheus_obeys_monitors_and_rules_without_a_label_of_its_release(rendered: Any) -> None:
    """The monitoring's chart selects only its own release unless it is set otherwise."""
    spec = rendered["prometheus"]["prometheusSpec"]
    for kind in ("podMonitor", "rule", "serviceMonitor"):
        assert spec[f"{kind}SelectorNilUsesHelmValues"] is False


def test_grafanas_sidecar_looks_for_the_label_the_dashboards_carry(
    rendered: Any, manifests: list[Manifest]
) -> None:
    """Label, value and folder annotation are the same on both sides."""
    sidecar = rendered["grafana"]["sidecar"]["dashboards"]
    found = dashboards(manifests)
    assert sidecar["enabled"]
    assert found
    for one in found:
        assert one["metadata"]["labels"][sidecar["label"]] == sidecar["labelValue"]
        assert one["metadata"]["annotations"][sidecar["folderAnnotation"]] == "Taxon"


def test_grafana_has_prometheus_as_its_default_data_source(rendered: Any) -> None:
    """Dashboards choose the default data source, which is the stack's Prometheus."""
    datasources = rendered["grafana"]["sidecar"]["datasources"]
    assert datasources["enabled"]
    assert datasources["defaultDatasourceEnabled"]


def test_a_misspelt_value_is_refused_at_either_level(stack: Path) -> None:
    """Neither the umbrella nor Taxon's chart within takes a key nobody knows."""
    with pytest.raises(charts.Refused, match="'taxn' not allowed"):
        charts.render({"taxn": {}}, chart=stack)
    with pytest.raises(charts.Refused, match="'registy' not allowed"):
        charts.render({"taxon": {"image": {"registy": "a/b"}}}, chart=stack)


def test_it_brings_the_chart_of_its_own_version() -> None:
    """Umbrella and chart are released together."""
    chart = yaml.safe_load((STACK / "Chart.yaml").read_text())
    taxon = yaml.safe_load((charts.TAXON / "Chart.yaml").read_text())
    [dependency] = [one for one in chart["dependencies"] if one["name"] == "taxon"]
    assert chart["version"] == dependency["version"] == taxon["version"]


def test_notes_name_the_dashboards_folder(stack: Path) -> None:
    """What Helm prints after an install says where the dashboards are."""
    notes = charts.render({}, chart=stack, notes=True)
    assert "Grafana has the folder Taxon" in notes

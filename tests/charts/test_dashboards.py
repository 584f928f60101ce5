"""Dashboards: what they read exists, what they show is said, and Grafana gets what is committed."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import charts, monitoring
from support.monitoring import Target

from hack import tools
from hack.dashboards import DASHBOARDS
from hack.generate import generated_files
from taxon_contracts.metrics import CONTROLLER_METRICS, MONITOR_METRICS, SERVER_METRICS

ALL = monitoring.dashboards()
UNITS = {
    "bool_yes_no",
    "bytes",
    "dateTimeFromNow",
    "none",
    "ops",
    "percentunit",
    "reqps",
    "s",
    "wps",
}

every_dashboard = pytest.mark.parametrize("dashboard", ALL.values(), ids=ALL)
every_query = pytest.mark.parametrize(
    "target", monitoring.targets(), ids=lambda one: f"{one.dashboard}: {one.panel}"
)


def test_the_committed_files_are_the_generated_ones() -> None:
    """The chart holds what hack/dashboards writes, and no dashboard besides."""
    folder = monitoring.CHART / "dashboards"
    generated = {path: text for path, text in generated_files().items() if path.parent == folder}
    assert {path: path.read_text() for path in folder.iterdir()} == generated
    assert len(generated) == len(DASHBOARDS)


@every_query
def test_what_a_query_reads_is_exposed(target: Target) -> None:
    """Every metric and label in a query exists in code."""
    assert monitoring.unknown(target.expr) == []


@pytest.mark.parametrize(
    ("expr", "wrong"),
    [
        ("sum by (model) (rate(predictions_total[5m]))", []),
        ("rate(prediction_total[5m])", ["prediction_total"]),
        ('requests_total{status="200",code=~"5.."}', ["requests_total{status}"]),
        ("sum by (klass) (predictions_total)", ["klass"]),
        ("model_loaded * on (host) group_left (zone) model_loaded", ["host", "zone"]),
        ("prediction_latency_seconds", ["prediction_latency_seconds"]),
        ("model_loaded_bucket or vector(0)", ["model_loaded_bucket"]),
    ],
)
def test_what_nothing_exposes_is_found(expr: str, wrong: list[str]) -> None:
    """The reader of queries finds each name that does not exist."""
    assert monitoring.unknown(expr) == wrong


def test_every_metric_of_ours_is_drawn() -> None:
    """What is measured can be looked at."""
    read = "\n".join(target.expr for target in monitoring.targets())
    metrics = (*SERVER_METRICS, *CONTROLLER_METRICS, *MONITOR_METRICS)
    assert [metric.name for metric in metrics if metric.name not in read] == []


def test_every_query_is_promql(tmp_path: Path) -> None:
    """Prometheus parses every query."""
    rules = [
        {"record": "taxon:query", "labels": {"number": str(number)}, "expr": expr}
        for number, expr in enumerate(
            monitoring.filled(target.expr) for target in monitoring.targets()
        )
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(
        [tools.promtool(), "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@every_dashboard
def test_every_panel_says_what_it_shows_and_in_which_unit(dashboard: dict[str, Any]) -> None:
    """A person need not know the metrics to read a panel."""
    for panel in monitoring.panels(dashboard):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]


@every_dashboard
def test_variables_choose_namespace_model_and_version(dashboard: dict[str, Any]) -> None:
    """Each variable offers what the one before leaves, and all of it."""
    source, *chosen = dashboard["templating"]["list"]
    assert (source["name"], source["type"]) == ("datasource", "datasource")
    assert [one["name"] for one in chosen] == ["namespace", "model", "version"]
    for one in chosen:
        assert one["includeAll"]
        assert one["query"].endswith(f", {one['name']})")


@every_dashboard
def test_rollouts_are_marked(dashboard: dict[str, Any]) -> None:
    """A mark is at the time a version went live, which the metric's value says."""
    [mark] = dashboard["annotations"]["list"]
    assert mark["expr"].startswith("model_live_since_seconds")
    assert mark["useValueForTime"]


@every_dashboard
def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    """Every panel has a place of its own within the page, and an id."""
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_grafanas_sidecar_finds_every_dashboard() -> None:
    """Each dashboard is a ConfigMap with the label, the folder and the committed file."""
    dashboards = {"enabled": True, "labels": {"grafana_dashboard": "1"}, "folder": "Models"}
    manifests = charts.objects(charts.render({"monitoring": {"dashboards": dashboards}}))
    found = [one for one in manifests if one["metadata"]["name"].endswith("-dashboard")]
    shown = {file: text for one in found for file, text in one["data"].items()}
    folder = monitoring.CHART / "dashboards"
    assert shown == {path.name: path.read_text() for path in folder.iterdir()}
    for one in found:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert one["metadata"]["annotations"] == {"grafana_folder": "Models"}

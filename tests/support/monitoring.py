"""Every series the cluster's Prometheus can have of Taxon, and what reads them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from support import promql

from hack.dashboards.grafana import DATASOURCE
from taxon_contracts.metrics import CONTROLLER_METRICS, MONITOR_METRICS, SERVER_METRICS

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "taxon"
TARGET_LABELS = frozenset({"container", "instance", "job", "namespace", "pod"})
"""Labels the Prometheus Operator gives every series of a pod."""


@dataclass(frozen=True)
class Target:
    """One query of a dashboard, with its panel."""

    dashboard: str
    panel: str
    expr: str


def known() -> dict[str, set[str]]:
    """Return the labels of every series that is exposed, by its name."""
    series: dict[str, set[str]] = {}
    for metric in (*SERVER_METRICS, *CONTROLLER_METRICS, *MONITOR_METRICS):
        labels = {*metric.labels, *TARGET_LABELS}
        if metric.kind == "histogram":
            series[f"{metric.name}_bucket"] = labels | {"le"}
            series[f"{metric.name}_sum"] = series[f"{metric.name}_count"] = labels
        else:
            series[metric.name] = labels
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    for family in registry.collect():
        series |= {sample.name: set(TARGET_LABELS) for sample in family.samples}
    return series


def unknown(expr: str) -> list[str]:
    """Return what an expression reads that nothing exposes."""
    series = known()
    wrong: list[str] = []
    labels: set[str] = set()
    for name, chosen in promql.selectors(expr):
        if name not in series:
            wrong.append(name)
            continue
        labels |= series[name]
        wrong += [f"{name}{{{label}}}" for label in sorted(chosen - series[name])]
    return [*wrong, *sorted(promql.grouped(expr) - labels)]


def dashboards() -> dict[str, dict[str, Any]]:
    """Return every dashboard the chart brings, by its file's name."""
    files = sorted((CHART / "dashboards").glob("*.json"))
    return {file.name: json.loads(file.read_text()) for file in files}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a dashboard's panels without its headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def targets() -> tuple[Target, ...]:
    """Return every query of every dashboard, its marks of rollouts among them."""
    found: list[Target] = []
    for name, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                assert target["datasource"] == DATASOURCE
                found.append(Target(name, panel["title"], target["expr"]))
        marks = dashboard["annotations"]["list"]
        found += [Target(name, mark["name"], mark["expr"]) for mark in marks]
    return tuple(found)


def filled(expr: str, **chosen: str) -> str:
    """Return a query as Grafana would send it, for every model unless one is chosen."""
    for name in ("namespace", "model", "version"):
        expr = expr.replace(f"${name}", chosen.get(name, ".*"))
    return expr.replace("$__rate_interval", "1m")

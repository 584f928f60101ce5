"""The elements of a dashboard, and its JSON as Grafana reads it."""

import json
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["timeseries", "stat", "bargauge", "heatmap", "table"]

SCHEMA_VERSION = 41  # Grafana 12; older ones read it, newer ones migrate it
COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
MODEL = 'namespace=~"$namespace",model=~"$model"'
VERSION = f'{MODEL},version=~"$version"'


@dataclass(frozen=True)
class Query:
    """One query, and the name of its series."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel: the description says how to read it.

    ``unit`` is one of Grafana's units; ``steps`` are the values at which green turns yellow and
    then red, or, if there is only one, at which red turns green; ``matrix`` makes a table of
    these labels: rows, columns.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 8
    steps: tuple[float, ...] = ()
    stacked: bool = False
    maximum: float | None = None
    matrix: tuple[str, str] | None = None


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """One dashboard."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]

    def text(self) -> str:
        """Return the dashboard as its committed file holds it."""
        return json.dumps(_dashboard(self), indent=1, ensure_ascii=False) + "\n"


def of_servers(expr: str) -> str:
    """Return an expression for the selected models' servers, with the labels model and version."""
    return f"{expr} * on (namespace, pod) group_left (model, version) model_loaded{{{VERSION}}}"


def of_controller(expr: str) -> str:
    """Return an expression for the controller."""
    return f"{expr} and on (namespace, pod) taxon_lease_held"


def of_monitor(expr: str) -> str:
    """Return an expression for the monitor."""
    return f"{expr} and on (namespace, pod) taxon_monitor_errors_total"


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["taxon"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "title": "Taxon",
                "tags": ["taxon"],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "annotations": {"list": [_rollouts()]},
        "templating": {"list": _variables()},
        "panels": _panels(dashboard.rows),
    }


def _rollouts() -> dict[str, Any]:
    """Return the annotations of rollouts, each at the time of the metric's value."""
    return {
        "name": "Rollouts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "purple",
        "expr": f"model_live_since_seconds{{{MODEL}}} * 1000",
        "useValueForTime": True,
        "step": "60s",
        "titleFormat": "{{model}}: {{version}} went live",
        "textFormat": "in namespace {{namespace}}",
        "tagKeys": "namespace,model,version",
    }


def _variables() -> list[dict[str, Any]]:
    source = {"name": "datasource", "label": "Data source", "type": "datasource"}
    shown = '__name__=~"model_loaded|model_condition|model_metric"'
    chosen = ""
    variables: list[dict[str, Any]] = [source | {"query": "prometheus", "refresh": 1}]
    for name in ("namespace", "model", "version"):
        variables.append(
            {
                "name": name,
                "label": name.capitalize(),
                "type": "query",
                "datasource": DATASOURCE,
                "query": f"label_values({{{shown}{chosen}}}, {name})",
                "refresh": 2,
                "sort": 1,
                "multi": True,
                "includeAll": True,
                "allValue": ".*",
                "current": {"text": "All", "value": "$__all"},
            }
        )
        chosen += f',{name}=~"${name}"'
    return variables


def _panels(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    """Return every panel, from left to right and from top to bottom."""
    placed: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        heading = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        placed.append(heading | {"id": len(placed) + 1, "gridPos": place})
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left = top + height, 0
            height = 4 if panel.kind == "stat" else 8
            place = {"x": left, "y": top, "w": panel.width, "h": height}
            placed.append({"id": len(placed) + 1, "gridPos": place} | _panel(panel))
            left += panel.width
        top += height
    return placed


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": {}}
    if panel.steps:
        defaults["thresholds"] = {"mode": "absolute", "steps": _steps(panel.steps)}
    if panel.maximum is not None:
        defaults |= {"min": 0, "max": panel.maximum}
    if panel.kind == "timeseries":
        defaults["custom"] = {"fillOpacity": 10, "showPoints": "never"}
        if panel.stacked:
            defaults["custom"] |= {"fillOpacity": 60, "stacking": {"mode": "normal"}}
        if panel.steps:
            defaults["custom"]["thresholdsStyle"] = {"mode": "dashed"}
    shown: dict[str, Any] = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
        "targets": [_target(panel, index) for index in range(len(panel.queries))],
    }
    if panel.matrix:
        rows, columns = panel.matrix
        options = {"rowField": rows, "columnField": columns, "valueField": "Value"}
        shown["transformations"] = [{"id": "groupingToMatrix", "options": options}]
    return shown


def _steps(values: tuple[float, ...]) -> list[dict[str, Any]]:
    """Return thresholds: one value must be reached, two must not be."""
    if len(values) == 1:
        return [{"color": "red", "value": None}, {"color": "green", "value": values[0]}]
    colors = ("yellow", "red")
    above = [{"color": color, "value": value} for color, value in zip(colors, values, strict=True)]
    return [{"color": "green", "value": None}, *above]


def _options(panel: Panel) -> dict[str, Any]:
    last = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    match panel.kind:
        case "stat":
            text = "value_and_name" if panel.queries[0].legend else "value"
            return last | {"textMode": text, "graphMode": "none", "colorMode": "value"}
        case "bargauge":
            return last | {"orientation": "horizontal", "displayMode": "basic"}
        case "heatmap":
            return {
                "calculate": False,
                "color": {"mode": "scheme", "scheme": "Blues"},
                "yAxis": {"unit": panel.unit},
            }
        case "table":
            return {"showHeader": True}
        case "timeseries":
            legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _target(panel: Panel, index: int) -> dict[str, Any]:
    query = panel.queries[index]
    now = panel.kind in ("stat", "bargauge", "table")
    formats = {"heatmap": "heatmap", "table": "table"}
    return {
        "refId": chr(ord("A") + index),
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "format": formats.get(panel.kind, "time_series"),
        "instant": now,
        "range": not now,
    }

"""What the chart brings to watch Taxon, on the cluster's own Prometheus."""

import http.client
import json
import math
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from support import monitoring
from support.data_sets import load
from support.kubectl import PROMETHEUS, apply, delete, kubectl, prometheus_value, wait_for
from support.monitoring import Target
from support.traffic import Target as Asked
from support.traffic import traffic
from support.waiting import wait_until

from hack.cluster import layout

NAMESPACE, MODEL, SAMPLE = "default", "on-dashboards", "penguins"
SAMPLES = layout.ROOT / "manifests" / "samples"


def asked(path: str) -> Any:
    """Return what Prometheus' API answers."""
    return json.loads(kubectl("get", "--raw", f"{PROMETHEUS}/{path}"))["data"]


def shown(expr: str) -> bool:
    """Say whether a query has a value that can be drawn."""
    result = asked(f"query?query={quote(expr)}")["result"]
    return any(math.isfinite(float(one["value"][1])) for one in result)


def tensor(name: str, value: float | str | None) -> dict[str, Any]:
    """Return one value of a feature as V2 has it; categories fill the panel about them."""
    datatype = "BYTES" if isinstance(value, str) else "FP64"
    return {"name": name, "shape": [1], "datatype": datatype, "data": [value]}


def label_one(target: Asked) -> None:
    """Send the class that was observed for one prediction."""
    answer = posted(target.host, target.path, target.body)
    [prediction] = json.loads(answer["parameters"]["prediction_ids"])
    label = {"prediction_id": prediction, "label": "Adelie"}
    taken = posted(target.host, f"/v2/models/{MODEL}/labels", {"labels": [label]})
    assert taken["refused"] == 0


def posted(host: str, path: str, body: Any) -> Any:
    """Return what the Gateway answers."""
    connection = http.client.HTTPConnection("127.0.0.1", layout.GATEWAY_PORT, timeout=10)
    try:
        headers = {"Host": host, "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    assert response.status == http.HTTPStatus.OK, answer
    return answer


@pytest.fixture(scope="module")
def model(release: str) -> Iterator[str]:
    """Yield a model that is live behind the Gateway, and asked ten times a second meanwhile."""
    assert release
    body = yaml.safe_load((SAMPLES / f"{SAMPLE}.yaml").read_text())
    body["metadata"] = {"name": MODEL, "namespace": NAMESPACE}
    body["spec"]["gate"] = {"limits": [{"metric": "accuracy", "min": 0.5}]}
    row = json.loads((SAMPLES / f"{SAMPLE}-row.json").read_text())
    request = {"inputs": [tensor(name, value) for name, value in row.items()]}
    host = f"{MODEL}.{NAMESPACE}.example.com"
    apply(body)
    try:
        wait_for("condition=Ready", f"clm/{MODEL}", NAMESPACE, seconds=180)
        target = Asked(layout.GATEWAY_PORT, host, f"/v2/models/{MODEL}/infer", request)
        with traffic(target, rate=10):
            load(SAMPLE, SAMPLES / f"{SAMPLE}.csv", namespace=NAMESPACE)
            label_one(target)
            yield MODEL
    finally:
        delete(body)


@pytest.mark.parametrize(
    "target", monitoring.targets(), ids=lambda one: f"{one.dashboard}: {one.panel}"
)
def test_every_query_of_a_dashboard_returns_data(target: Target, model: str) -> None:
    """After a rollout and some traffic, every panel and every mark has something to draw."""
    expr = monitoring.filled(target.expr, namespace=NAMESPACE, model=model)
    if not shown(expr):
        reconcile(model)
        wait_until(lambda: shown(expr), seconds=120, every=3)


def reconcile(model: str) -> None:
    """Give the controller something to do: without reconciles they take no time to show."""
    mark = f"example.com/drawn={time.time()}"
    kubectl("annotate", "clm", model, "-n", NAMESPACE, mark, "--overwrite")


def test_a_label_sent_through_the_gateway_counts(model: str) -> None:
    """The server has stored it, the monitor has joined it, and Prometheus has both."""
    chosen = f'namespace="{NAMESPACE}",model="{model}"'
    received = f'sum(labels_received_total{{{chosen},outcome!="refused"}}) >= 1'
    assert prometheus_value(received, seconds=120) >= 1
    assert prometheus_value(f"max(labelled_share{{{chosen}}}) > 0", seconds=120) > 0
    assert 0 <= prometheus_value(f"max(live_accuracy{{{chosen}}})", seconds=120) <= 1


def test_every_alert_is_evaluated(model: str) -> None:
    """Prometheus has every alert of the chart and none fails to evaluate."""
    assert model
    files = (monitoring.CHART / "alerts").glob("*.yaml")
    expected = {yaml.safe_load(file.read_text())["alert"]: "ok" for file in files}

    def found() -> dict[str, str]:
        groups = asked("rules?type=alert")["groups"]
        rules = [rule for group in groups if group["name"] == "taxon" for rule in group["rules"]]
        return {rule["name"]: rule["health"] for rule in rules}

    wait_until(lambda: found() == expected, seconds=120, every=3)

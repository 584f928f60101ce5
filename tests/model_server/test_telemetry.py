from collections.abc import Iterable

import pytest
from model_server.client import Client
from model_server.mixed import ROW as MIXED_ROW
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from taxon_contracts.metrics import SERVER_METRICS

ROW = {"length": 1.1, "width": 2.2, "batch": 7}
WHO = {"model": "small", "version": "v0123456789"}


def names(families: Iterable[Metric]) -> set[str]:
    """Return the names of all samples of the server's own families."""
    return {
        sample.name
        for family in families
        for sample in family.samples
        if not sample.name.startswith("process_")
    }


def sample(client: Client, name: str, **labels: str) -> float | None:
    """Return one sample of the metrics."""
    return client.exchange.telemetry.registry.get_sample_value(name, labels)


def test_every_declared_metric_is_scraped(mixed_client: Client) -> None:
    """What the contracts declare is on the page, with its kind, labels and help."""
    mixed_client.post("/predict", json=MIXED_ROW)
    families = {
        family.name: family
        for family in text_string_to_metric_families(mixed_client.get("/metrics").text)
    }

    for metric in SERVER_METRICS:
        family = families[metric.name.removesuffix("_total")]
        labels = {name for one in family.samples for name in one.labels} - {"le"}
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        assert labels == set(metric.labels)


def test_predictions_are_counted_by_label(client: Client) -> None:
    """Every row counts once under its label, and its label's probability is observed."""
    rows = [ROW, ROW, ROW | {"length": 0.1, "width": 0.2}]
    client.post("/predict-batch", json={"rows": rows})

    assert sample(client, "predictions_total", **WHO, label="malignant") == 2
    assert sample(client, "predictions_total", **WHO, label="benign") == 1
    assert sample(client, "prediction_confidence_count", **WHO) == 3
    assert sample(client, "prediction_confidence_bucket", **WHO, le="1.0") == 3
    assert sample(client, "prediction_latency_seconds_count", **WHO) == 1


def test_labels_start_at_zero(client: Client) -> None:
    """A label nobody got yet is there with zero, so that rates are right from the start."""
    assert sample(client, "predictions_total", **WHO, label="benign") == 0
    assert sample(client, "prediction_log_dropped_total", reason="queue_full") == 0


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "code"),
    [
        ("GET", "/v2/models/small/ready", "/v2/models/{model}/ready", "200"),
        ("GET", "/v2/models/x/ready", "/v2/models/{model}/ready", "404"),
        ("POST", "/predict", "/predict", "422"),
        ("DELETE", "/predict", "/predict", "405"),
        ("GET", "/docs", "/docs", "200"),
        ("GET", "/swagger/made-up.js", "/swagger", "404"),
        ("GET", "/made/up", "unmatched", "404"),
    ],
)
def test_requests_are_counted_by_route_and_code(
    client: Client, method: str, path: str, endpoint: str, code: str
) -> None:
    """Requests are counted under the route's pattern, never under a path a client made up."""
    client.request(method, path)

    assert sample(client, "requests_total", **WHO, endpoint=endpoint, method=method, code=code) == 1


def test_a_fault_is_counted_as_500(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that fails inside the server counts as 500."""
    monkeypatch.setattr(client.exchange, "_predict", None)
    client.post("/predict", json=ROW)

    labels = {"endpoint": "/predict", "method": "POST", "code": "500"}
    assert sample(client, "requests_total", **WHO, **labels) == 1


PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        (PROMETHEUS, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ('Application/OpenMetrics-Text; Version="1.0.0"', OPENMETRICS),
        ("text/plain;q=0.5, application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text;q=0.1, text/plain", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;version=9.9.9", TEXT),
        ("application/openmetrics-text;version=abc", TEXT),
        ("application/openmetrics-text;q=much", TEXT),
        ("*/*", TEXT),
        ("application/json", TEXT),
        ("", TEXT),
        (';;=,"', TEXT),
    ],
)
def test_the_format_of_metrics_is_negotiated(client: Client, accept: str, given: str) -> None:
    """The Accept header chooses by quality and version; what it does not offer is the text."""
    answer = client.get("/metrics", headers={"accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == given
    assert answer.text.endswith("# EOF\n") == (given == OPENMETRICS)


def test_both_formats_hold_the_same_samples(client: Client) -> None:
    """An OpenMetrics parser reads what the text format holds."""
    client.post("/predict", json=ROW)
    accept = {"accept": "application/openmetrics-text"}
    openmetrics = client.get("/metrics", headers=accept).text
    text = client.get("/metrics").text

    parsed = parse_openmetrics(openmetrics)  # type: ignore[no-untyped-call] # it has no annotations
    assert names(parsed) == names(text_string_to_metric_families(text))


def test_the_loaded_version_is_exported(client: Client) -> None:
    """model_loaded is 1 for the version that answers."""
    assert sample(client, "model_loaded", **WHO) == 1


def test_the_features_that_matter_are_exported(client: Client) -> None:
    """Each feature of the bundle has its importance."""
    assert sample(client, "feature_importance", **WHO, feature="length") is not None

"""The chart's values: what may be said, and what is refused with its path."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import charts

MAXIMAL = Path(__file__).parent / "values" / "evaluation.yaml"
SCHEMA = json.loads((charts.TAXON / "values.schema.json").read_text())
VALUES = yaml.safe_load((charts.TAXON / "values.yaml").read_text())
HANDED_DOWN = "global"
"""Helm itself adds this key when the chart is a part of another."""


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema, or the one it refers to."""
    if "$ref" in schema:
        return dict(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    return schema


def schema_keys(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of every key a schema names."""
    for key, child in schema.get("properties", {}).items():
        if path or key != HANDED_DOWN:
            yield f"{path}.{key}"
            yield from schema_keys(resolved(child), f"{path}.{key}")


def value_keys(values: dict[str, Any], schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of every key of values, but for those the schema leaves to the user."""
    properties = schema.get("properties", {})
    for key, value in values.items():
        if key in properties and (path or key != HANDED_DOWN):
            yield f"{path}.{key}"
            if isinstance(value, dict):
                yield from value_keys(value, resolved(properties[key]), f"{path}.{key}")


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema within a schema."""
    if isinstance(schema, dict):
        yield schema
        for child in schema.values():
            yield from nodes(child)
    if isinstance(schema, list):
        for child in schema:
            yield from nodes(child)


@pytest.mark.parametrize(
    "values", [VALUES, yaml.safe_load(MAXIMAL.read_text())], ids=["values.yaml", "maximal"]
)
def test_schema_and_values_have_the_same_keys(values: dict[str, Any]) -> None:
    """Every value has a default, is described by the schema, and is set in a test."""
    assert set(value_keys(values, SCHEMA)) == set(schema_keys(SCHEMA))


def test_the_schema_is_closed_at_every_level() -> None:
    """An unknown key is refused at every level."""
    described = [node for node in nodes(SCHEMA) if "properties" in node and "type" in node]
    assert described
    assert all(node["additionalProperties"] is False for node in described)


def test_chart_package_and_images_have_one_version() -> None:
    """The appVersion, which is the images' tag, is the version of the package."""
    chart = yaml.safe_load((charts.TAXON / "Chart.yaml").read_text())
    project = tomllib.loads((charts.ROOT / "pyproject.toml").read_text())["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]


bad_values = pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        pytest.param({"image": {"registy": "a/b"}}, "/image", "registy", id="misspelt"),
        pytest.param({"monitors": {}}, "", "monitors", id="misspelt-at-the-top"),
        pytest.param(
            {"evaluation": {"postgres": {"resources": {"limit": {}}}}},
            "/evaluation/postgres/resources",
            "limit",
            id="misspelt-deep-down",
        ),
        pytest.param(
            {"database": {"retentionDays": 0}}, "/database/retentionDays", "minimum", id="no-day"
        ),
        pytest.param(
            {"database": {"evaluation": "yes"}}, "/database/evaluation", "boolean", id="wrong-type"
        ),
        pytest.param(
            {"controller": {"resources": {"limits": {"cpu": 1}}}},
            "/controller/resources/limits/cpu",
            "string",
            id="number-for-a-quantity",
        ),
        pytest.param(
            {"database": {"evaluation": True, "secretName": "mine"}},
            "/database/secretName",
            "must be ''",
            id="two-databases",
        ),
        pytest.param(
            {"objectStore": {"evaluation": True, "writeSecretName": "a", "readSecretName": "b"}},
            "/objectStore/writeSecretName",
            "must be ''",
            id="two-object-stores",
        ),
        pytest.param(
            {"objectStore": {"writeSecretName": "a"}},
            "/objectStore/readSecretName",
            "minLength",
            id="a-writer-without-a-reader",
        ),
        pytest.param(
            {"image": {"registry": "taxon"}},
            "/image/registry",
            "does not match pattern",
            id="registry-without-a-slash",
        ),
        pytest.param({"image": {"tag": "latest"}}, "/image/tag", "not", id="moving-tag"),
        pytest.param(
            {"gateway": {"name": "my-gateway"}},
            "/gateway/name",
            "does not match pattern",
            id="gateway-without-a-namespace",
        ),
        pytest.param(
            {"objectStore": {"bundles": "taxon"}},
            "/objectStore/bundles",
            "does not match pattern",
            id="bundles-without-a-scheme",
        ),
        pytest.param(
            {"modelNamespaces": ["a", "a"]}, "/modelNamespaces", "equal", id="namespace-twice"
        ),
        pytest.param(
            {"controller": {"scope": "Namespaces"}, "modelNamespaces": []},
            "/modelNamespaces",
            "minItems",
            id="nothing-to-look-after",
        ),
        pytest.param(
            {"networkPolicies": {"egress": {"database": [{"cidr": "db.example.com", "port": 1}]}}},
            "/networkPolicies/egress/database/0/cidr",
            "does not match pattern",
            id="a-name-for-a-network",
        ),
        pytest.param(
            {"gateway": {"retries": True}}, "/gateway/retries", "must be one of", id="retries-on"
        ),
        pytest.param(
            {"serving": {"http": {"rateLimit": "fast"}}},
            "/serving/http/rateLimit",
            "does not match pattern",
            id="rate-without-a-number",
        ),
        pytest.param(
            {"controller": {"scope": "Everything"}},
            "/controller/scope",
            "must be one of",
            id="unknown-scope",
        ),
    ],
)


@bad_values
def test_bad_values_are_refused_with_their_path(
    values: dict[str, Any], path: str, message: str
) -> None:
    """Helm refuses what the schema does not allow, and says where and why."""
    with pytest.raises(charts.Refused) as refused:
        charts.render(values)
    assert f"at '{path}'" in str(refused.value)
    assert message in str(refused.value)


@bad_values
def test_helm_3_refuses_them_too(values: dict[str, Any], path: str, message: str) -> None:  # noqa: ARG001 - its own words
    """The older Helm refuses the same, and writes the path with dots."""
    with pytest.raises(charts.Refused) as refused:
        charts.render(values, programs=charts.helm_3())
    place = path.strip("/").replace("/", ".") or "(root)"
    assert f"- {place}: " in str(refused.value)


def test_names_made_of_digits_stay_names() -> None:
    """A namespace called 123 is legal, and no number."""
    values = {
        "modelNamespaces": ["123"],
        "image": {"pullSecrets": ["42"]},
        "gateway": {"name": "7/8", "domain": "10", "retries": "EnvoyGateway"},
        "networkPolicies": {"enabled": True},
        "objectStore": {"evaluation": True},
        "monitoring": {"enabled": True},
        "controller": {"scope": "Namespaces"},
    }
    manifests = charts.objects(charts.render(values))
    assert list(numbers_for_names(manifests)) == []


def numbers_for_names(node: Any) -> Iterator[Any]:
    """Yield every number where Kubernetes expects a name."""
    if isinstance(node, list):
        for child in node:
            yield from numbers_for_names(child)
    if isinstance(node, dict):
        texts = ("name", "namespace", "value", "kubernetes.io/metadata.name")
        yield from (node[key] for key in texts if isinstance(node.get(key), int))
        for child in node.values():
            yield from numbers_for_names(child)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://gateway.infra", 80),
        ("https://gateway.infra", 443),
        ("http://10.0.0.7:8080", 8080),
        ("https://[fd00::7]", 443),
    ],
)
def test_controller_may_reach_the_gateway_on_the_port_of_its_address(url: str, port: int) -> None:
    """The policy follows gateway.url, by which a model is asked before it is called Ready."""
    values = {
        "gateway": {"name": "infra/public", "url": url},
        "networkPolicies": {"enabled": True},
        "objectStore": {"evaluation": True},
    }
    manifests = charts.objects(charts.render(values))
    policy = charts.named(manifests, "NetworkPolicy", "taxon-controller")
    assert policy["spec"]["egress"][-1] == {"ports": [{"protocol": "TCP", "port": port}]}


def test_controller_may_reach_a_gateway_whose_listeners_only_its_spec_names() -> None:
    """HTTP or HTTPS, on their own ports: the chart cannot read the Gateway."""
    values = {
        "gateway": {"name": "infra/public"},
        "networkPolicies": {"enabled": True},
        "objectStore": {"evaluation": True},
    }
    manifests = charts.objects(charts.render(values))
    policy = charts.named(manifests, "NetworkPolicy", "taxon-controller")
    ports = [one["port"] for one in policy["spec"]["egress"][-1]["ports"]]
    assert ports == [80, 443]


def test_dashboards_need_no_label() -> None:
    """A sidecar that looks for names instead of labels is served as well."""
    dashboards = {"enabled": True, "labels": {"grafana_dashboard": None}}
    manifests = charts.objects(charts.render({"monitoring": {"dashboards": dashboards}}))
    dashboard = charts.named(manifests, "ConfigMap", "taxon-api-dashboard")
    assert "grafana_dashboard" not in dashboard["metadata"]["labels"]

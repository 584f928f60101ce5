"""NetworkPolicies: what the pods of models may connect to."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support import charts
from support.charts import Manifest

HERE = Path(__file__).parent / "values"
TRAINER = {"app.kubernetes.io/part-of": "taxon", "app.kubernetes.io/component": "training-job"}
TRACKED = TRAINER | {"taxon.dev/tracking": "wandb"}


def policies(file: str) -> list[Manifest]:
    """Return the policies for a file of values."""
    manifests = charts.objects(charts.render(yaml.safe_load((HERE / file).read_text())))
    return [one for one in manifests if one["kind"] == "NetworkPolicy"]


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Say whether a selector with matchLabels and the operator In selects a pod."""
    terms: list[dict[str, Any]] = selector.get("matchExpressions", [])
    assert all(term["operator"] == "In" for term in terms)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(term["key"]) in term["values"] for term in terms
    )


def destinations(file: str, labels: dict[str, str], namespace: str) -> list[tuple[str, int]]:
    """Return the networks and ports outside the cluster that a pod may connect to."""
    found = [
        (peer["ipBlock"]["cidr"], port["port"])
        for policy in policies(file)
        if policy["metadata"]["namespace"] == namespace
        and selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get("egress", [])
        for peer in rule.get("to", [])
        if "ipBlock" in peer
        for port in rule["ports"]
    ]
    return sorted(found)


@pytest.mark.parametrize("file", ["evaluation.yaml", "external.yaml"])
def test_no_policy_allows_everything(file: str) -> None:
    """Every rule of every policy names ports or peers."""
    rules = [rule for one in policies(file) for rule in one["spec"].get("egress", [])]
    assert rules
    assert all(rules)


def test_pods_reach_the_own_object_store_and_database_by_their_addresses() -> None:
    """Networks and ports in the values are the only ones outside that a server may connect to."""
    server = TRAINER | {"app.kubernetes.io/component": "model-server"}
    store = [("10.1.2.3/32", 9000), ("fd00::3/128", 9000)]
    assert destinations("external.yaml", server, "fraud") == [
        *store[:1],
        ("10.1.2.4/32", 5432),
        *store[1:],
    ]
    assert destinations("external.yaml", TRAINER, "fraud") == store


def test_only_trainers_with_tracking_reach_the_internet() -> None:
    """Without tracking a trainer connects to nothing outside the cluster."""
    assert destinations("evaluation.yaml", TRAINER, "fraud") == []
    assert destinations("evaluation.yaml", TRACKED, "fraud") == [("192.0.2.7/32", 443)]

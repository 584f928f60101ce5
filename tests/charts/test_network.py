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


STORE = [("10.1.2.3/32", 9000), ("fd00::3/128", 9000)]
DATABASE = [("10.1.2.4/32", 5432)]


@pytest.mark.parametrize(
    ("component", "namespace", "expected"),
    [
        ("model-server", "fraud", STORE + DATABASE),
        ("training-job", "fraud", STORE + DATABASE),
        ("cleanup-job", "fraud", STORE),
        ("monitor", "taxon-system", DATABASE),
        ("controller", "taxon-system", []),
    ],
)
def test_pods_reach_the_own_object_store_and_database_by_their_addresses(
    component: str, namespace: str, expected: list[tuple[str, int]]
) -> None:
    """Networks and ports in the values are the only ones outside that a part may connect to."""
    labels = TRAINER | {"app.kubernetes.io/component": component}
    if namespace == "taxon-system":
        labels |= {"app.kubernetes.io/name": "taxon", "app.kubernetes.io/instance": "taxon"}
    assert destinations("external.yaml", labels, namespace) == sorted(expected)


def test_the_evaluation_database_accepts_whom_the_database_is_for() -> None:
    """Servers and trainers of the model namespaces, and the release's own parts that need it."""
    [policy] = [
        one for one in policies("evaluation.yaml") if one["metadata"]["name"] == "taxon-postgres"
    ]
    [rule] = policy["spec"]["ingress"]

    def accepted(component: str, namespace: str) -> bool:
        labels = {
            "app.kubernetes.io/part-of": "taxon",
            "app.kubernetes.io/name": "taxon",
            "app.kubernetes.io/instance": "taxon",
            "app.kubernetes.io/component": component,
        }
        return any(
            selects(peer["podSelector"], labels)
            and peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] == namespace
            for peer in rule["from"]
        )

    for component in ("model-server", "training-job"):
        assert accepted(component, "fraud")
        assert not accepted(component, "default")
    for component in ("maintenance", "migrations", "monitor"):
        assert accepted(component, "taxon-system")
        assert not accepted(component, "fraud")
    assert not accepted("cleanup-job", "fraud")


def test_only_trainers_with_tracking_reach_the_internet() -> None:
    """Without tracking a trainer connects to nothing outside the cluster."""
    assert destinations("evaluation.yaml", TRAINER, "fraud") == []
    assert destinations("evaluation.yaml", TRACKED, "fraud") == [("192.0.2.7/32", 443)]

"""What the controller and its helpers may do is what they do, and no more: from the audit log.

The log is kept by the provider `local` of `make cluster`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support import charts
from support.charts import Manifest
from support.kubectl import apply, find, kubectl, wait_for
from support.release import SYSTEM, helm, install
from support.waiting import wait_until

from hack.cluster import layout

NAMESPACE, MODEL = "default", "permissions"
SAMPLE = layout.ROOT / "manifests" / "samples" / "wine.yaml"
AUDIT = layout.LOGS / "audit.log"
ACCOUNTS = ("taxon-controller", "taxon-credentials", "taxon-selftest")
AFTER_A_CRASH = {
    f"taxon-controller get {resource}"
    for resource in (
        "httproutes",
        "inferenceservices",
        "jobs",
        "poddisruptionbudgets",
        "services",
    )
}
"""Asked only when an object that is to be made is there already: another process was first."""


def granted() -> set[str]:
    """Return what the chart's roles allow, as account, verb and resource."""
    selector = "--selector=app.kubernetes.io/name=taxon"
    words = ("get", "role,clusterrole", "--all-namespaces", selector, "--output=json")
    found = set()
    for role in json.loads(kubectl(*words))["items"]:
        account = next(one for one in ACCOUNTS if role["metadata"]["name"].startswith(one))
        found |= {
            f"{account} {verb} {resource}"
            for rule in role["rules"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
    return found


def used() -> set[str]:
    """Return what the accounts were allowed and did, as account, verb and resource."""
    prefix = f"system:serviceaccount:{SYSTEM}:"
    found = set()
    for entry in entries(AUDIT):
        user = entry["user"]["username"]
        asked = entry.get("objectRef", {})
        allowed = entry.get("annotations", {}).get("authorization.k8s.io/decision") == "allow"
        if user.startswith(prefix) and allowed and "resource" in asked:
            part = f"/{asked['subresource']}" if "subresource" in asked else ""
            account = user.removeprefix(prefix)
            found.add(f"{account} {entry['verb']} {asked['resource']}{part}")
    return found


def entries(log: Path) -> Iterator[Manifest]:
    """Yield the entries of an audit log and of those rotated before it."""
    for path in sorted(log.parent.glob(f"{log.stem}*{log.suffix}")):
        for line in path.read_text().splitlines():
            if f"system:serviceaccount:{SYSTEM}:" in line:
                yield json.loads(line)


@pytest.fixture
def repaired_secret(release: str, tmp_path: Path) -> None:
    """Have the credentials Job repair a copy that was changed by hand."""
    assert release
    values = tmp_path / "values.yaml"
    values.write_text(helm("get", "values", "taxon", "--output=yaml"))
    words = ("annotate", "secret", "taxon-s3-read", "-n", NAMESPACE, "--overwrite")
    kubectl(*words, "example.com/changed=by-hand")
    install(charts.TAXON, values=values)
    secret = find("secret", "taxon-s3-read", NAMESPACE)
    assert secret
    assert "example.com/changed" not in secret["metadata"]["annotations"]


@pytest.fixture
def whole_life(release: str) -> Iterator[None]:
    """Lead a model through what the controller has rights for: made, retrained, removed."""
    assert release
    body = yaml.safe_load(SAMPLE.read_text())
    body["metadata"] = {"name": MODEL, "namespace": NAMESPACE}
    body["spec"] |= {
        "deletionPolicy": "Delete",
        "serving": {"rollout": {"scaleDownDelaySeconds": 0}},
    }
    apply(body)
    try:
        _live_and_die()
        yield
    finally:
        kubectl("delete", "clm", MODEL, "-n", NAMESPACE, "--ignore-not-found", "--timeout=120s")


def _live_and_die() -> None:
    wait_for("condition=Ready", f"clm/{MODEL}", NAMESPACE, seconds=180)
    first = live()
    budget = ("poddisruptionbudget", f"{MODEL}-{first}", "-n", NAMESPACE)
    kubectl("patch", *budget, "--type=merge", '--patch={"spec": {"maxUnavailable": 2}}')
    kubectl("annotate", "clm", MODEL, "-n", NAMESPACE, "taxon.dev/retrain=now")
    wait_until(lambda: live() != first, seconds=180, every=1)
    old = f"inferenceservice/{MODEL}-{first}"
    kubectl("wait", old, "-n", NAMESPACE, "--for=delete", "--timeout=60s")
    kubectl("delete", "clm", MODEL, "-n", NAMESPACE, "--timeout=120s")


def live() -> str:
    """Return the model's live version."""
    model = find("clm", MODEL, NAMESPACE)
    assert model
    return str(model["status"]["live"]["version"])


@pytest.mark.usefixtures("repaired_secret", "whole_life")
def test_every_right_is_used() -> None:
    """Of what the roles grant, all was used but what only a crash calls for."""
    kubectl("wait", "job", "-n", SYSTEM, "--all", "--for=condition=complete", "--timeout=120s")
    selftest = {right for right in granted() if right.startswith("taxon-selftest")}
    assert granted() - selftest - used() <= AFTER_A_CRASH

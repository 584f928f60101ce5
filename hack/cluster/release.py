"""Taxon itself, installed with its chart."""

import json

from hack.cluster import layout
from hack.cluster.kubectl import apply, as_list, kubectl
from hack.cluster.steps import run, step

NAME = "taxon"
CHART = layout.ROOT / "charts" / "taxon"
VALUES = layout.ROOT / "hack" / "cluster" / "values.yaml"
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": "taxon-system",
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    },
}


def install() -> None:
    """Install or upgrade the release, and wait until all of it works."""
    with step("Installing Taxon"):
        apply(as_list([NAMESPACE]), log="addons")
        forget_cut_short()
        words = ["upgrade", "--install", NAME, str(CHART), "--namespace", "taxon-system"]
        waiting = ["--wait", "--wait-for-jobs", "--timeout", "3m"]
        run(
            [str(layout.BIN / "helm"), *words, *waiting, f"--values={VALUES}", *image_built()],
            environment=layout.environment(),
            log="helm",
        )


def forget_cut_short() -> None:
    """Remove the record of an installation that was killed, which would lock out the next."""
    cut_short = "status in (pending-install,pending-upgrade,pending-rollback)"
    selector = f"owner=helm,name={NAME},{cut_short}"
    kubectl("delete", "secrets", "--namespace", "taxon-system", "--selector", selector)


def image_built() -> list[str]:
    """Return the values that cause new pods when an image was built again under the same tag."""
    return [
        f"--set-json={part}.podAnnotations={json.dumps({'taxon.dev/image': identity.read_text()})}"
        for part in ("controller", "monitor")
        if (identity := layout.IMAGES / f"{part}.id").exists()
    ]

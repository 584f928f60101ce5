"""The cluster's own kubectl and helm, with the cluster's own kubeconfig."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hack.cluster import layout
from hack.cluster.steps import run, succeeds

Object = dict[str, Any]


def kubectl(*words: str, stdin: str | None = None, log: str = "kubectl") -> str:
    """Run kubectl and return what it printed."""
    return run(
        [str(layout.BIN / "kubectl"), *words],
        stdin=stdin,
        environment=layout.environment(),
        log=log,
    )


def apply(manifest: str, log: str) -> None:
    """Apply YAML or JSON text on the server, which needs no copy of it in an annotation."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest, log=log)


def as_list(objects: Iterable[Object]) -> str:
    """Return ``objects`` as one manifest."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def answers(*words: str) -> bool:
    """Return whether a kubectl command succeeds now."""
    return succeeds(lambda: kubectl(*words, log="probes"))


def template(
    release: str, chart: Path, namespace: str, values: Mapping[str, Any], *files: Path
) -> str:
    """Return the manifests a Helm chart renders to."""
    path = layout.CONFIG / "values" / f"{release}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
    arguments = [word for file in (*files, path) for word in ("--values", str(file))]
    command = [str(layout.BIN / "helm"), "template", release, str(chart), "--include-crds"]
    return run(
        [*command, "--namespace", namespace, *arguments],
        environment=layout.environment(),
        log="helm",
    )

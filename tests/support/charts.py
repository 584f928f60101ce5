"""Charts as Helm renders them."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hack import tools

Manifest = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
TAXON = ROOT / "charts" / "taxon"
NAMESPACE = "taxon-system"


class Refused(Exception):  # noqa: N818 - what Helm did, which a test may expect
    """Helm refused the values; the message is its own."""


def render(
    values: Mapping[str, Any],
    *,
    chart: Path = TAXON,
    release: str = "taxon",
    notes: bool = False,
    programs: Path | None = None,
    kinds: Sequence[str] = (),
) -> str:
    """Return what a chart renders to in namespace ``taxon-system``.

    Args:
        values: what differs from the chart's own values.
        chart: its folder or packed file.
        release: the release's name.
        notes: return what an install would print instead.
        programs: folder of another Helm.
        kinds: what a cluster was found to know, as group/version/Kind.

    Raises:
        Refused: the values do not fit the chart.
    """
    words = ["install", "--dry-run=client"] if notes else ["template"]
    done = subprocess.run(
        [
            (programs or tools.install()) / "helm",
            *words,
            release,
            chart,
            f"-n={NAMESPACE}",
            "--values=-",
            *(f"--api-versions={kind}" for kind in kinds),
        ],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def helm_3() -> Path:
    """Return the folder of the older Helm."""
    return tools.install(tools.BIN / "helm-3", tools.HELM_3)


def package(folder: Path, chart: Path = TAXON) -> Path:
    """Return a chart packed into one file in a folder."""
    helm = str(tools.install() / "helm")
    words = [helm, "package", str(chart), f"--destination={folder}"]
    subprocess.run(words, capture_output=True, check=True)
    [packed] = folder.glob("*.tgz")
    return packed


def objects(text: str) -> list[Manifest]:
    """Return the objects of a rendered chart."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """Return the one object of a kind and name."""
    [found] = [one for one in manifests if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def title(manifest: Manifest) -> str:
    """Return an object's kind, namespace and name."""
    metadata = manifest["metadata"]
    return "/".join(filter(None, (manifest["kind"], metadata.get("namespace"), metadata["name"])))


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield the pod template of everything that has one, with the title of what has it."""
    for manifest in manifests:
        spec = manifest.get("spec", {})
        if manifest["kind"] == "Pod":
            yield title(manifest), manifest
        elif manifest["kind"] == "CronJob":
            yield title(manifest), spec["jobTemplate"]["spec"]["template"]
        elif "podTemplate" in spec or "template" in spec:
            yield title(manifest), spec["template"]


def served_pod(runtime: Manifest) -> Manifest:
    """Return the part of a server's pod that a ClusterServingRuntime decides."""
    spec = runtime["spec"]
    kept = {key: spec[key] for key in ("containers", "volumes") if key in spec}
    return {"metadata": {"labels": {}}, "spec": kept}

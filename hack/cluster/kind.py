"""The ``kind`` provider: the same cluster in a container of a Docker engine, upstream images."""

import json
import shutil
import subprocess
from collections.abc import Iterator

from hack.cluster import addons, builds, certificates, layout
from hack.cluster.steps import ClusterError, run, step

NAME = "taxon"
KIND = ("go", "run", "sigs.k8s.io/kind@v0.30.0")
NODE_IMAGE = (
    "kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a"
)


def config() -> dict[str, object]:
    """Return kind's configuration: one node, and the Gateway's port on the loopback."""
    port = layout.GATEWAY_PORT
    mapping = {"containerPort": port, "hostPort": port, "listenAddress": "127.0.0.1"}
    return {
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kind": "Cluster",
        "nodes": [{"role": "control-plane", "extraPortMappings": [mapping]}],
    }


def check() -> None:
    """Refuse a machine that cannot run the cluster, before anything starts."""
    for program in ("go", "openssl"):
        if shutil.which(program) is None:
            raise ClusterError(f"PROVIDER=kind needs {program} on the PATH: install it")


def up() -> None:
    """Create the cluster, or what is missing of it."""
    layout.CONFIG.mkdir(parents=True, exist_ok=True)
    builds.install_tools()
    if NAME not in clusters():
        with step("Creating the kind cluster"):
            path = layout.CONFIG / "kind.json"
            path.write_text(json.dumps(config()))
            kind("create", "cluster", "--image", NODE_IMAGE, "--config", str(path), "--wait", "2m")
    certificates.make_authority()
    with step("Loading the project's images"):
        for archive in sorted(layout.IMAGES.glob("*.tar")):
            kind("load", "image-archive", str(archive))
    manifests = addons.render(None)
    addons.install_definitions(manifests)
    addons.install(manifests)


def down() -> None:
    """Delete the cluster and its files."""
    with step("Deleting the kind cluster"):
        if shutil.which("docker"):
            kind("delete", "cluster")
        shutil.rmtree(layout.HOME, ignore_errors=True)


def status() -> Iterator[str]:
    """Yield whether the cluster's node container exists."""
    yield f"kind cluster {NAME} {'exists' if NAME in clusters() else 'is missing'}"


def kind(*words: str) -> str:
    """Run kind on this cluster, with the cluster's own kubeconfig."""
    return run([*KIND, *words, "--name", NAME], environment=layout.environment(), log="kind")


def clusters() -> list[str]:
    """Return the names of the kind clusters of this machine."""
    done = subprocess.run([*KIND, "get", "clusters"], capture_output=True, text=True, check=False)
    return done.stdout.split()

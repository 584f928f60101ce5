"""The cluster of `make cluster`, as its tests see it: kubectl, and what it says as JSON."""

import base64
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from support.waiting import wait_until

from hack.cluster import layout

Object = dict[str, Any]

PROGRAM = str(layout.BIN / "kubectl")
PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy/api/v1"


def kubectl(*words: str, stdin: str | None = None) -> str:
    """Run kubectl and return what it printed; a failure shows its own words."""
    done = subprocess.run(
        [PROGRAM, *words],
        input=stdin,
        env=layout.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
    return done.stdout


def apply(*objects: Object) -> None:
    """Apply objects on the server."""
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)


def delete(*objects: Object) -> None:
    """Begin to delete objects."""
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl("delete", "--wait=false", "--ignore-not-found", "-f", "-", stdin=manifest)


def find(kind: str, name: str, namespace: str) -> Object | None:
    """Return an object, None where there is none."""
    command = ("get", kind, name, "-n", namespace, "--ignore-not-found", "--output=json")
    text = kubectl(*command)
    found: Object | None = json.loads(text) if text else None
    return found


def secret_values(name: str, namespace: str) -> dict[str, str]:
    """Return what a Secret holds."""
    secret = find("secret", name, namespace)
    assert secret, f"there is no Secret {namespace}/{name}"
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def wait_for(condition: str, what: str, namespace: str, *, seconds: int) -> None:
    """Return once an object reports a condition; on failure, show what it reports instead."""
    command = [PROGRAM, "wait", what, "-n", namespace, f"--for={condition}"]
    done = subprocess.run(
        [*command, f"--timeout={seconds}s"],
        env=layout.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = kubectl("get", what, "-n", namespace, "--output=jsonpath={.status}")
        raise AssertionError(f"{what}: {done.stderr.strip()}: {said}")


def restricted_warnings(namespace: str) -> str:
    """Return which running pods of a namespace the level ``restricted`` would not take."""
    words = ("--dry-run=server", "--overwrite", "pod-security.kubernetes.io/enforce=restricted")
    done = subprocess.run(
        [PROGRAM, "label", "namespace", namespace, *words],
        env=layout.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def output_of(pod: Object, *, seconds: int) -> str:
    """Run a pod to its end and return what it printed."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    apply(pod)
    try:
        wait_for("jsonpath={.status.phase}=Succeeded", f"pod/{name}", namespace, seconds=seconds)
        return kubectl("logs", name, "-n", namespace)
    finally:
        delete(pod)


@contextmanager
def forwarded(service: str, namespace: str, port: int) -> Iterator[int]:
    """Yield a port of 127.0.0.1 that leads to a Service's port, also after its pod is replaced."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        local = int(free.getsockname()[1])
    command = [PROGRAM, "port-forward", "-n", namespace, f"service/{service}", f"{local}:{port}"]
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_running, args=(command, local, stop))
    keeper.start()
    try:
        wait_until(lambda: _connects(local), seconds=30, every=0.2)
        yield local
    finally:
        stop.set()
        keeper.join()


def _keep_running(command: list[str], local: int, stop: threading.Event) -> None:
    """Run kubectl again whenever it ends, as it does when a connection finds its pod gone."""
    while not stop.is_set():
        with subprocess.Popen(
            command,
            env=layout.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while process.poll() is None and not stop.wait(0.5):
                _connects(local)
            process.terminate()


def _connects(local: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", local), timeout=1).close()
    except OSError:
        return False
    return True


def prometheus_value(query: str, *, seconds: float) -> float:
    """Return the one value of a query, once Prometheus has it."""
    results: list[Any] = []

    def answered() -> bool:
        text = kubectl("get", "--raw", f"{PROMETHEUS}/query?query={quote(query)}")
        results[:] = json.loads(text)["data"]["result"]
        return bool(results)

    wait_until(answered, seconds=seconds, every=1)
    [result] = results
    return float(result["value"][1])

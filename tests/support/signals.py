"""Kills or freezes a server's process on the node, as a fault would, past the pod itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.kubectl import Object, apply, delete, wait_for

SCRIPT = """
import os, pathlib, signal, sys, time

def server():
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            group = (folder / "cgroup").read_text()
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if "UID" in group.replace("_", "-") and "taxon-server" in command:
            return int(folder.name)
    sys.exit("no server found")

found = server()
os.kill(found, signal.SIGNAL)
if SECONDS:
    time.sleep(SECONDS)
    os.kill(found, signal.SIGCONT)
"""


def kill(pod: Object) -> None:
    """Kill the server of a pod; its container is started again."""
    with _signalled(pod, "SIGKILL", seconds=0) as name:
        _finish(name, pod)


@contextmanager
def frozen(pod: Object, *, seconds: float) -> Iterator[None]:
    """Freeze the server of a pod and yield once it hangs; it goes on after ``seconds``."""
    with _signalled(pod, "SIGSTOP", seconds=seconds) as name:
        wait_for("condition=Ready", f"pod/{name}", pod["metadata"]["namespace"], seconds=30)
        yield
        _finish(name, pod)


@contextmanager
def _signalled(pod: Object, signal: str, *, seconds: float) -> Iterator[str]:
    """Yield the name of a pod that sends a signal from the node's own processes."""
    metadata = {
        "name": f"signal-{pod['metadata']['uid']}",
        "namespace": pod["metadata"]["namespace"],
    }
    image = pod["spec"]["containers"][0]["image"]
    script = SCRIPT.replace("UID", pod["metadata"]["uid"])
    script = script.replace("SIGNAL", signal).replace("SECONDS", str(seconds))
    sender = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "restartPolicy": "Never",
            "hostPID": True,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "signal",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-c", script],
                    "securityContext": {"runAsUser": 0},
                }
            ],
        },
    }
    apply(sender)
    try:
        yield str(metadata["name"])
    finally:
        delete(sender)


def _finish(name: str, pod: Object) -> None:
    succeeded = "jsonpath={.status.phase}=Succeeded"
    wait_for(succeeded, f"pod/{name}", pod["metadata"]["namespace"], seconds=60)

"""Prints why a cluster does not start, for a terminal or a CI log."""

from collections.abc import Iterator

from hack.cluster import layout, processes
from hack.cluster.kubectl import kubectl
from hack.cluster.steps import ClusterError

TAIL = 15
"""Lines of each log: the last ones nearly always name the trouble."""
POD_NAMES = "{range .items[*]}{.metadata.namespace} {.metadata.name}{'\\n'}{end}"


def report() -> str:
    """Return ended processes, pods, the API's warnings and the last lines of the pods' logs."""
    pods = said("get", "pods", "--all-namespaces", f"--output=jsonpath={POD_NAMES}")
    commands = [
        ("get", "pods", "--all-namespaces", "--output=wide"),
        ("get", "deployments,statefulsets,gateways,prometheuses", "--all-namespaces"),
        ("get", "events", "--all-namespaces", "--field-selector=type=Warning"),
        *(logs(*line.split()) for line in pods.splitlines()),
    ]
    parts = (*(said(*command) for command in commands), *ended(), tail("probes"))
    return "\n".join(filter(None, parts))


def logs(namespace: str, pod: str) -> tuple[str, ...]:
    """Return the command that prints the last lines of each container of ``pod``."""
    return ("logs", "-n", namespace, pod, "--all-containers", "--prefix", f"--tail={TAIL}")


def ended() -> Iterator[str]:
    """Yield the last lines of every process of the cluster that runs no more."""
    for process in processes.recorded():
        if not processes.is_alive(process):
            yield f"{process.name} has ended:\n{tail(process.name)}"


def tail(log: str) -> str:
    """Return the last lines of a log of the cluster's, none where it was never written."""
    path = layout.LOGS / f"{log}.log"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join(lines[-TAIL:])


def said(*command: str) -> str:
    """Return what kubectl prints, empty if it fails: a report contains what is available."""
    try:
        return kubectl(*command, "--request-timeout=10s")
    except ClusterError:
        return ""

"""``python -m hack.cluster up|down|status``: the commands behind ``make cluster``."""

import argparse
import fcntl
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hack.cluster import kind, layout, local, preflight, release
from hack.cluster.diagnosis import report
from hack.cluster.gateway import GATEWAY
from hack.cluster.kubectl import answers, kubectl
from hack.cluster.steps import ClusterError, say

LOCK = Path(__file__).parent
"""The folder to lock; a lock file would have to be removed again."""
PROVIDERS = {"kind": kind, "local": local}


@contextmanager
def alone() -> Iterator[None]:
    """Prevent two commands from changing the cluster at the same time."""
    folder = os.open(LOCK, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ClusterError("Another command is changing the cluster: wait for it") from error
    finally:
        os.close(folder)


def present() -> str | None:
    """Return the provider of the existing cluster, even if incomplete; None if there is none."""
    if layout.PROVIDER.exists():
        return layout.PROVIDER.read_text()
    return "local" if layout.RUN.exists() else None


def up() -> None:
    """Create the cluster with the requested provider, or with one this machine can run."""
    chosen = preflight.provider(
        os.environ.get("PROVIDER") or present(),
        docker=preflight.docker_answers(),
        system=platform.system(),
        root=os.geteuid() == 0,
    )
    if present() not in {None, chosen}:
        raise ClusterError(f"There is a {present()} cluster: run `make cluster-down` first")
    began = time.monotonic()
    print(f"Creating a Kubernetes cluster with the provider {chosen}", flush=True)
    PROVIDERS[chosen].check()
    layout.HOME.mkdir(parents=True, exist_ok=True)
    layout.PROVIDER.write_text(chosen)
    try:
        PROVIDERS[chosen].up()
        release.install()
    except ClusterError:
        say(report())
        raise
    print(f"The cluster is ready after {time.monotonic() - began:.0f} s")
    print(f"  export KUBECONFIG={layout.KUBECONFIG}")
    print(f"  export PATH={layout.BIN}:$PATH")
    print(f"  Gateway kserve/{GATEWAY}: http://127.0.0.1:{layout.GATEWAY_PORT}")


def down() -> None:
    """Remove the cluster."""
    chosen = present()
    if chosen is None:
        print("There is no cluster")
        return
    began = time.monotonic()
    PROVIDERS[chosen].down()
    print(f"The cluster was removed in {time.monotonic() - began:.0f} s")


def status() -> None:
    """Print the cluster's components and whether they work.

    Raises:
        ClusterError: they do not.
    """
    chosen = present()
    if chosen is None:
        raise ClusterError("There is no cluster: `make cluster` creates one")
    for line in PROVIDERS[chosen].status():
        print(line)
    if not answers("get", "--raw", "/readyz"):
        raise ClusterError("The API server does not answer: `make cluster` starts what is missing")
    print(kubectl("get", "nodes,pods", "--all-namespaces", "--output=wide"), end="")
    print(f"Gateway kserve/{GATEWAY}: http://127.0.0.1:{layout.GATEWAY_PORT}")


def main() -> int:
    """Run one command; a failure is one sentence."""
    parser = argparse.ArgumentParser(prog="hack.cluster", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status"))
    command = parser.parse_args().command
    try:
        if command == "status":
            status()
            return 0
        with alone():
            {"up": up, "down": down}[command]()
    except ClusterError as error:
        print(f"{error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "Interrupted: `make cluster` continues, `make cluster-down` removes the cluster.",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Requirements for the machine, checked before anything starts."""

import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from hack.cluster import layout, processes
from hack.cluster.steps import ClusterError, run, step

GIB = 1024**3
DISK = 15 * GIB
MEMORY = 4 * GIB

PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "mount": "mount",
    "openssl": "openssl",
}
"""The Debian package of each program or file the cluster needs."""

PORTS = {
    "etcd": (("127.0.0.1", 2379), ("127.0.0.1", 2380)),
    "kube-apiserver": (("", 6443),),
    "kubelet": (("", 10250), ("127.0.0.1", 10248)),
    "kube-proxy": (("127.0.0.1", 10249), ("127.0.0.1", 10256), ("127.0.0.1", layout.GATEWAY_PORT)),
    "kube-controller-manager": (("127.0.0.1", 10257),),
    "kube-scheduler": (("127.0.0.1", 10259),),
    "coredns": (("127.0.0.1", 10253), ("127.0.0.1", 10254)),
}
"""The addresses each part listens on."""


def docker_answers() -> bool:
    """Return whether a Docker engine answers."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        done = subprocess.run([docker, "info"], capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def provider(wanted: str | None, *, docker: bool, system: str, root: bool) -> str:
    """Return ``kind`` or ``local``: the requested one, or one this machine can run.

    Raises:
        ClusterError: the machine can run neither, or not the requested one.
    """
    if wanted not in {None, "", "kind", "local"}:
        raise ClusterError(f"PROVIDER={wanted} is not a provider: use kind or local")
    if wanted == "kind" and not docker:
        raise ClusterError("PROVIDER=kind needs a Docker engine that answers `docker info`")
    if wanted == "local" and not (system == "Linux" and root):
        raise ClusterError("PROVIDER=local needs Linux and root: run it as root, or use kind")
    if wanted:
        return wanted
    if docker:
        return "kind"
    if system == "Linux" and root:
        return "local"
    raise ClusterError("A cluster needs a running Docker engine, or Linux and root")


def check_local() -> None:
    """Refuse a machine on which the ``local`` provider cannot work.

    Raises:
        ClusterError: names the first missing requirement.
    """
    problems = [
        architecture(platform.machine()),
        go(shutil.which("go")),
        disk(shutil.disk_usage(existing_parent(layout.HOME)).free),
        disk(shutil.disk_usage(existing_parent(layout.CACHE)).free),
        memory(meminfo(Path("/proc/meminfo").read_text()), processes.memory()),
        *ports({process.name for process in processes.recorded() if processes.is_alive(process)}),
    ]
    for problem in problems:
        if problem:
            raise ClusterError(problem)


def existing_parent(path: Path) -> Path:
    """Return the nearest existing folder above ``path``."""
    return path if path.exists() else existing_parent(path.parent)


def architecture(machine: str) -> str | None:
    """Return a sentence if the fetched programs do not run on the processor."""
    if machine == "x86_64":
        return None
    return f"PROVIDER=local needs an x86-64 processor and this one is {machine}: use kind"


def go(program: str | None) -> str | None:
    """Return a sentence if there is no Go toolchain."""
    return (
        None if program else "PROVIDER=local needs Go on the PATH to build Kubernetes: install it"
    )


def disk(free: int) -> str | None:
    """Return a sentence if ``free`` bytes are too few."""
    if free >= DISK:
        return None
    return f"A cluster needs {DISK / GIB:.0f} GiB of free disk and there are {free / GIB:.1f}"


def meminfo(text: str) -> int:
    """Return the available bytes of memory in the kernel's ``meminfo``."""
    line = next(line for line in text.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


def memory(available: int, used_by_cluster: int) -> str | None:
    """Return a sentence if memory is short; memory used by a running cluster counts as free."""
    usable = available + used_by_cluster
    if usable >= MEMORY:
        return None
    return f"A cluster needs {MEMORY / GIB:.0f} GiB of free memory and there are {usable / GIB:.1f}"


def ports(
    running: set[str], listening: Mapping[str, tuple[tuple[str, int], ...]] = PORTS
) -> Iterator[str]:
    """Yield a sentence for every port that is in use by something other than a ``running`` part."""
    for part, addresses in listening.items():
        if part in running:
            continue
        for address, port in addresses:
            if is_taken(address, port):
                yield f"Port {port} is in use and {part} needs it: stop what listens there"


def is_taken(address: str, port: int) -> bool:
    """Return whether ``port`` of ``address`` is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def install_packages() -> None:
    """Install the Debian packages this machine lacks."""
    missing = [
        package
        for program, package in PACKAGES.items()
        if not (Path(program).exists() or shutil.which(program))
    ]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise ClusterError(f"These packages are missing, install them: {' '.join(missing)}")
    with step(f"Installing {' '.join(missing)}"):
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], environment=quiet, log="packages")
        run(
            ["apt-get", "install", "--yes", "--no-install-recommends", *missing],
            environment=quiet,
            log="packages",
        )

"""What the cluster changes in the machine's network and kernel, and how it is put back."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from hack.cluster import layout
from hack.cluster.steps import run, succeeds

BRIDGE = "taxon0"
NETWORK = "taxon-cluster"
NODE_ADDRESS = "10.244.0.1"
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"

WANTED = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}
TOUCHED_BY_KUBERNETES = (
    "net/ipv4/conf/all/route_localnet",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
MASQUERADE = [
    "-s",
    PODS,
    "!",
    "-d",
    PODS,
    "-m",
    "comment",
    "--comment",
    NETWORK,
    "-j",
    "MASQUERADE",
]
TABLES = ("nat", "filter", "mangle")
FAMILIES = ("iptables", "ip6tables")


@dataclass(frozen=True)
class Before:
    """What the machine was like before the cluster changed it."""

    settings: dict[str, str]
    chains: list[str]


def record_path() -> Path:
    """Return the file with the machine's former state; a restart resets both."""
    return layout.RUN / "before.json"


def recorded() -> Before | None:
    """Return the machine's former state; None where no cluster has touched it."""
    path = record_path()
    return Before(**json.loads(path.read_text())) if path.exists() else None


def prepare() -> None:
    """Record the current state, then create the bridge, the rule and the settings."""
    if not Path("/proc/sys/net/bridge").is_dir() and shutil.which("modprobe"):
        run(["modprobe", "br_netfilter"], log="network")
    if recorded() is None:
        record()
    for name, value in WANTED.items():
        setting(name).write_text(value)
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "replace", f"{NODE_ADDRESS}/24", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")
    # A request to a Service without pods must not leave the machine.
    ip("route", "replace", SERVICES, "dev", BRIDGE)
    if not masquerades():
        run(["iptables", "-t", "nat", "-A", "POSTROUTING", *MASQUERADE], log="network")


def record() -> None:
    """Write down what the machine is like before the cluster changes it."""
    settings = {name: setting(name).read_text().strip() for name in known_settings()}
    chains = [chain for family in FAMILIES for chain in kubernetes_chains(rules(family, "nat"))]
    before = Before(settings=settings, chains=chains)
    layout.write_whole(record_path(), json.dumps(asdict(before)))


def ip(*words: str) -> None:
    """Run ``ip``."""
    run(["ip", *words], log="network")


def setting(name: str) -> Path:
    """Return the file of a kernel setting."""
    return Path("/proc/sys") / name


def known_settings() -> list[str]:
    """Return the settings the cluster changes, as far as this kernel has them."""
    return [name for name in (*WANTED, *TOUCHED_BY_KUBERNETES) if setting(name).exists()]


def masquerades() -> bool:
    """Return whether the rule that lets pods reach other machines is there."""
    command = ["iptables", "-t", "nat", "-C", "POSTROUTING", *MASQUERADE]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def restore() -> None:
    """Undo everything ``prepare`` and Kubernetes did; without effect if nothing was done."""
    before = recorded()
    unmount()
    remove_shim_sockets()
    remove_foreign_files()
    if before is None:
        return
    while masquerades():
        run(["iptables", "-t", "nat", "-D", "POSTROUTING", *MASQUERADE], log="network")
    for family in FAMILIES:
        for table in TABLES:
            remove_chains(family, table, keep=set(before.chains))
    remove_links()
    for name, value in before.settings.items():
        setting(name).write_text(value)


def remove_links() -> None:
    """Remove the bridge and the interfaces on it, which the kernel is slow to collect itself."""
    bridge = Path(f"/sys/class/net/{BRIDGE}")
    for port in bridge.glob("brif/*"):
        succeeds(partial(ip, "link", "delete", port.name))
    if bridge.exists():
        ip("link", "delete", BRIDGE)


def rules(family: str, table: str) -> list[str]:
    """Return the rules of one table as ``iptables-save`` writes them."""
    command = [f"{family}-save", "-t", table]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def kubernetes_chains(saved: list[str]) -> list[str]:
    """Return the chains in ``saved`` rules that kube-proxy and the kubelet create."""
    return [m[1] for line in saved if (m := re.match(r":(KUBE-\S+) ", line))]


def remove_chains(family: str, table: str, *, keep: set[str]) -> None:
    """Remove Kubernetes' chains and the jumps to them, but none that were there before."""
    saved = rules(family, table)
    chains = [chain for chain in kubernetes_chains(saved) if chain not in keep]
    for jump in jumps(saved, chains):
        run([family, "-t", table, "-D", *jump], log="network")
    if chains:
        run([f"{family}-restore", "--noflush"], log="network", stdin=removal(table, chains))


def jumps(saved: list[str], chains: list[str]) -> Iterator[list[str]]:
    """Yield the rules of other chains that jump to ``chains``, each as iptables' arguments."""
    for line in saved:
        words = shlex.split(line)
        if words[:1] == ["-A"] and words[1] not in chains and words[-1] in chains:
            yield words[1:]


def removal(table: str, chains: list[str]) -> str:
    """Return the ``iptables-restore`` input that empties and removes ``chains``."""
    lines = [f"*{table}", *(f":{c} - [0:0]" for c in chains), *(f"-X {c}" for c in chains)]
    return "\n".join([*lines, "COMMIT", ""])


def mounts_below(folders: tuple[Path, ...], mounts: str) -> list[str]:
    """Return the targets in ``mounts`` (the kernel's list) below ``folders``, innermost first."""
    targets = [line.split()[1].encode().decode("unicode_escape") for line in mounts.splitlines()]
    return [
        target
        for target in reversed(targets)
        if any(Path(target).is_relative_to(folder) for folder in folders)
    ]


def unmount() -> None:
    """Unmount everything below the cluster's folders."""
    mounts = Path("/proc/self/mounts").read_text()
    for target in mounts_below((*layout.homes(), layout.RUN, layout.STORE), mounts):
        run(["umount", "--lazy", target], log="network")


def remove_shim_sockets() -> None:
    """Remove the sockets of container shims, which containerd keeps in a folder of its own."""
    for address in layout.RUN.glob("containerd/io.containerd.runtime.v2.task/*/*/address"):
        Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)
    remove_if_empty(Path("/run/containerd/s"), Path("/run/containerd"))


def remove_foreign_files() -> None:
    """Remove the few files that node parts write outside the cluster's folders."""
    logs = Path("/var/log/containers")
    for link in logs.glob("*.log"):
        if link.is_symlink() and any(map(link.readlink().is_relative_to, layout.homes())):
            link.unlink()
    results = Path("/var/lib/cni/results")
    for result in results.glob("*"):
        if str(layout.RUN) in result.read_text():
            result.unlink()
    plugins = Path("/var/lib/kubelet/device-plugins")
    for name in ("kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION"):
        (plugins / name).unlink(missing_ok=True)
    remove_if_empty(logs, results, results.parent, plugins, plugins.parent)


def remove_if_empty(*folders: Path) -> None:
    """Remove empty ``folders``."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()

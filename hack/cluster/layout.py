"""The cluster's folders, files and addresses."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".taxon" / "cluster"
"""Everything one cluster writes; ``down`` removes the whole folder."""
IMAGES = ROOT / ".taxon" / "images"
"""The project's images as archives, written by ``make images``."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taxon" / "cluster"
"""Built and fetched programs, kept from one cluster to the next."""
STORE = CACHE / "containerd"
"""Loaded images, kept for the next cluster."""
RUN = Path("/run/taxon-cluster")
"""Sockets and mounts: their paths must be short and end with the machine's uptime."""

BIN = HOME / "bin"
CONFIG = HOME / "config"
KUBECONFIG = HOME / "kubeconfig"
LOGS = HOME / "logs"
PROCESSES = HOME / "processes"
VOLUMES = HOME / "volumes"
PROVIDER = HOME / "provider"
OWNER = RUN / "owner"
"""Names the ``HOME`` of the machine's cluster, which another copy of the project may have made."""

GO = Path(__file__).parent / "go"

GATEWAY_PORT = 30080
"""The Gateway's port on 127.0.0.1, the same with every provider."""


def owner() -> Path | None:
    """Return the ``HOME`` of the machine's cluster; None if there is none."""
    return Path(OWNER.read_text()) if OWNER.exists() else None


def homes() -> set[Path]:
    """Return every folder a cluster of this machine may have written to."""
    return {HOME, owner() or HOME}


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` whole or not at all, whenever this process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(text)
    unfinished.rename(path)


def environment() -> dict[str, str]:
    """Return the variables that keep kubectl and helm from using the user's own files."""
    return os.environ | {
        "KUBECONFIG": str(KUBECONFIG),
        "KUBECACHEDIR": str(HOME / "cache"),
        "HELM_CACHE_HOME": str(HOME / "helm" / "cache"),
        "HELM_CONFIG_HOME": str(HOME / "helm" / "config"),
        "HELM_DATA_HOME": str(HOME / "helm" / "data"),
    }

"""What every part of a one-node Kubernetes is: a command, and the files it reads."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hack.cluster import layout, network, processes
from hack.cluster.certificates import Identity
from hack.cluster.certificates import kubeconfig as write_kubeconfig

NODE = "taxon"
SERVER = f"https://{network.NODE_ADDRESS}:6443"
VOLUME_PLUGINS = layout.HOME / "volume-plugins"

ADMIN = Identity("admin", "taxon-admin", "system:masters")


@dataclass(frozen=True)
class Part:
    """A process of the cluster: its command, and the files it reads when it starts."""

    name: str
    command: tuple[str, ...]
    files: Mapping[Path, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> str:
        """Return a digest of everything whose change requires a new process."""
        files = {str(path): text for path, text in self.files.items()}
        everything = json.dumps([self.command, files, dict(self.variables)])
        return hashlib.sha256(everything.encode()).hexdigest()

    def start(self) -> None:
        """Write the files and start the process, unless it already runs from the same inputs."""
        for path, text in self.files.items():
            # Some parts end when their file is written, even with the same content.
            if not path.exists() or path.read_text() != text:
                layout.write_whole(path, text)
        processes.start(self.name, self.command, inputs=self.inputs, variables=self.variables)


def flags(**values: object) -> tuple[str, ...]:
    """Return ``name_of_flag=value`` arguments as ``--name-of-flag=value``."""
    return tuple(
        f"--{name.replace('_', '-')}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in values.items()
    )


def kubeconfig(identity: Identity) -> Path:
    """Write the kubeconfig of ``identity``."""
    return write_kubeconfig(layout.CONFIG / f"{identity.name}.kubeconfig", identity, SERVER)

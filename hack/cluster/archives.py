"""Images with one program each, written as archives without an image tool."""

import hashlib
import io
import json
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

PREFIX = "localhost/taxon-cluster"


@dataclass(frozen=True)
class ProgramImage:
    """An image of one program at the path its users call it by."""

    name: str
    program: Path
    path: str

    @property
    def reference(self) -> str:
        """Return the image's name; its tag follows the program's content address."""
        return f"{PREFIX}/{self.name}:{self.program.name}"


def write(image: ProgramImage, archive: Path) -> None:
    """Write ``image`` to ``archive`` in Docker's format."""
    layer = layer_of(image)
    config = json.dumps(configuration(image, hashlib.sha256(layer).hexdigest())).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    listing = [{"Config": name, "RepoTags": [image.reference], "Layers": ["layer.tar"]}]
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as tar:
        add(tar, name, config)
        add(tar, "layer.tar", layer)
        add(tar, "manifest.json", json.dumps(listing).encode())


def configuration(image: ProgramImage, layer: str) -> dict[str, object]:
    """Return the image's configuration; it sets no user, because its pods set a number."""
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": "65532:65532",
            "Entrypoint": [image.path],
            "Env": ["PATH=/usr/local/bin:/bin"],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
    }


def layer_of(image: ProgramImage) -> bytes:
    """Return the image's one layer: the program and the libraries it is linked to."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        add(tar, image.path.lstrip("/"), image.program.read_bytes())
        for library in libraries(image.program):
            add(tar, str(library).lstrip("/"), library.read_bytes())
    return buffer.getvalue()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add one executable file without an owner or a time, so equal inputs give equal archives."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o755
    tar.addfile(member, io.BytesIO(content))


def libraries(program: Path) -> list[Path]:
    """Return the shared libraries ``program`` loads; none for a static one."""
    command = ["ldd", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)]

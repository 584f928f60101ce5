"""Images built by buildah on a bare Linux machine, on a replacement for the upstream base.

Without a registry there is no python:3.11-slim. Debian's own packages make a base with the same
programs at the same paths, committed under the same name, so the Dockerfiles need no change.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster import layout
from hack.cluster.images.image import BASE, Image
from hack.cluster.steps import ClusterError, run, step, succeeds

STORE = layout.CACHE / "images"
STATE = Path("/run/taxon-images")
PACKAGES = ("buildah", "mmdebstrap")
RELEASE = "bookworm"
"""The Debian release whose Python is 3.11."""
BASE_REFERENCE = f"docker.io/library/{BASE}"
BASE_PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
HOST_FILES = ("/etc/ssl/certs", "/etc/resolv.conf", "/etc/pip.conf")
"""How this machine reaches the package indexes; a build sees them, an image does not."""
NOT_IN_SLIM = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")


@dataclass(frozen=True)
class Buildah:
    """buildah as root, with a store of its own."""

    def prepare_base(self) -> None:
        """Install the tools and commit the replacement, unless they exist."""
        install_packages()
        if succeeds(lambda: buildah("inspect", "--type", "image", BASE_REFERENCE)):
            return
        with step(f"Making a replacement for {BASE}"):
            archive = STORE / "base.tar"
            archive.parent.mkdir(parents=True, exist_ok=True)
            run(base_command(archive), log="image-base")
            container = buildah("from", "scratch")
            buildah("add", container, str(archive), "/")
            buildah("config", "--env", BASE_PATH, "--cmd", "python3", container)
            buildah("commit", "--format", "docker", "--rm", container, BASE_REFERENCE)
            archive.unlink()

    def build(self, image: Image) -> str:
        """Build an image and return its id."""
        mounts = [f"--volume={path}:{path}:ro" for path in HOST_FILES if Path(path).exists()]
        flags = ("--isolation=chroot", "--network=host", "--format=docker", "--layers")
        names = ("--tag", image.reference, "--file", str(image.folder / "Dockerfile"))
        identity = layout.IMAGES / f"{image.name}.new-id"
        command = ("build", "--quiet", "--pull-never", "--iidfile", str(identity), *flags)
        buildah(*command, *mounts, *names, str(layout.ROOT), log=f"image-{image.name}")
        built = identity.read_text()
        identity.unlink()
        return built

    def size(self, reference: str) -> int:
        """Return the bytes of all layers of an image."""
        name = BASE_REFERENCE if reference == BASE else reference
        manifest = json.loads(json.loads(buildah("inspect", "--type", "image", name))["Manifest"])
        return sum(layer["size"] for layer in manifest["layers"])

    def save(self, image: Image, archive: Path) -> None:
        """Write an image to an archive."""
        buildah("push", image.reference, f"docker-archive:{archive}:{image.reference}")


def buildah(*words: str, log: str = "images") -> str:
    """Run buildah on the store of this project's images."""
    store = ["--root", str(STORE / "storage"), "--runroot", str(STATE)]
    # No mount is left, so the folder can simply be removed.
    driver = ["--storage-driver=overlay", "--storage-opt=overlay.skip_mount_home=true"]
    return run(["buildah", *store, *driver, *words], log=log).strip()


def base_command(archive: Path) -> Sequence[str | Path]:
    """Return the command that writes the base's files: /usr/local is a virtual environment."""
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--include=ca-certificates,python3,python3-venv",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in NOT_IN_SLIM),
        '--customize-hook=chroot "$1" python3 -m venv /usr/local',
        '--customize-hook=rm -rf "$1"/var/lib/apt/lists/*',
        RELEASE,
        archive,
    ]


def install_packages() -> None:
    """Install the Debian packages this machine lacks."""
    missing = [package for package in PACKAGES if not shutil.which(package)]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise ClusterError(f"These packages are missing, install them: {' '.join(missing)}")
    with step(f"Installing {' '.join(missing)}"):
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
        run(["apt-get", "update"], environment=quiet, log="packages")
        run(install, environment=quiet, log="packages")

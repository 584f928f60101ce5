"""PostgreSQL servers of other releases, and PgBouncer, each on a port of its own."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hack.databases import Programs, pgbouncer
from taxon_cli.local.postgres import ACCOUNT_NAME
from taxon_cli.local.processes import Account, Process
from taxon_datastore.database import DatabaseUnavailable, engine, transaction

USER, PASSWORD = "taxon", "secret"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "fsync": "off",
}


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL: its database, and its certificate if it has one."""

    url: str
    port: int
    pid: int
    certificate: Path


@contextlib.contextmanager
def running_server(
    programs: Programs, port: int, *, certificate: bool = False, **settings: str
) -> Iterator[Server]:
    """Yield a server over new data, with a certificate of its own if wanted."""
    with _folder() as folder:
        data, password = folder / "data", folder / "password"
        password.write_text(PASSWORD)
        _run(
            [
                str(programs.folder / "initdb"),
                *("-D", str(data), f"--username={USER}", f"--pwfile={password}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            ],
            programs,
        )
        if certificate:
            settings |= _certificate(folder)
        options = SETTINGS | {"port": str(port)} | settings
        with Process(
            [
                str(programs.folder / "postgres"),
                *("-D", str(data)),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            log=folder / "log",
            environment=programs.environment,
            stop_signal=signal.SIGINT,
            account=_account(),
        ) as process:
            url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
            process.wait_until(lambda: answers(url), seconds=60)
            yield Server(url, port, process.pid, folder / "certificate.pem")


@contextlib.contextmanager
def running_pgbouncer(server: int, port: int, passwords: Mapping[str, str]) -> Iterator[str]:
    """Yield the address of a PgBouncer in transaction mode before a server's port.

    Args:
        server: port of the server.
        port: free port.
        passwords: by the name of each role that connects.
    """
    programs = pgbouncer()
    with _folder() as folder:
        users = folder / "users"
        users.write_text("".join(f'"{name}" "{word}"\n' for name, word in passwords.items()))
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {users}\n"
            "pool_mode = transaction\ndefault_pool_size = 2\n"
        )
        with Process(
            [str(programs.folder / "pgbouncer"), str(folder / "pgbouncer.ini")],
            log=folder / "log",
            environment=programs.environment,
            account=_account(),
        ) as process:
            log = folder / "log"
            process.wait_until(lambda: "process up" in log.read_text(), seconds=20)
            yield f"127.0.0.1:{port}"


def answers(url: str) -> bool:
    """Return whether a server takes connections."""
    try:
        with transaction(engine(url)):
            return True
    except DatabaseUnavailable:
        return False


def _account() -> Account | None:
    """Return the account that root's servers run under."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam(ACCOUNT_NAME)
    return Account(nobody.pw_uid, nobody.pw_gid)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Yield a folder that belongs to the account of the servers; remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="taxon-"))
    folder.chmod(0o755)
    try:
        account = _account()
        if account:
            os.chown(folder, account.user, account.group)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], programs: Programs) -> None:
    account = _account()
    subprocess.run(
        command,
        check=True,
        cwd="/",
        env=programs.environment,
        stdout=subprocess.DEVNULL,
        user=account.user if account else None,
        group=account.group if account else None,
        extra_groups=[] if account else None,
    )


def _certificate(folder: Path) -> dict[str, str]:
    """Make a certificate for 127.0.0.1; return the settings that use it."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    account = _account()
    if account:
        os.chown(key, account.user, account.group)
    return {"ssl": "on", "ssl_key_file": str(key), "ssl_cert_file": str(certificate)}

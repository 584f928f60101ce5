"""The server of one version, with the settings of its pod, and requests to it."""

import contextlib
import http.client
import json
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxon_cli.local.backends import Backends
from taxon_cli.local.ports import HOST, PortTaken, is_free
from taxon_cli.local.processes import Process, ProcessFailed
from taxon_contracts.resource import ClassifierModel, Http
from taxon_contracts.run import Champion

START_SECONDS = 30
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Exchange:
    """One request and its answer."""

    method: str
    url: str
    question: Any
    answer: Any


@dataclass(frozen=True)
class Server:
    """A server on a loopback port."""

    process: Process
    port: int

    @property
    def url(self) -> str:
        """Return the address clients use."""
        return f"http://{HOST}:{self.port}"

    def post(self, path: str, question: Any) -> Exchange:
        """Send a request with a JSON body.

        Raises:
            ProcessFailed: the server does not answer, or not with 200.
        """
        status, content = self._call("POST", path, json.dumps(question))
        if status != http.client.OK:
            raise ProcessFailed(f"POST {path} was answered with {status}: {content}")
        return Exchange("POST", f"{self.url}{path}", question, json.loads(content))

    def get(self, path: str) -> str:
        """Return the text under a path.

        Raises:
            ProcessFailed: the server does not answer, or not with 200.
        """
        status, content = self._call("GET", path)
        if status != http.client.OK:
            raise ProcessFailed(f"GET {path} was answered with {status}: {content}")
        return content

    def is_ready(self) -> bool:
        """Return whether the server is ready."""
        with contextlib.suppress(ProcessFailed):
            return self._call("GET", "/v2/health/ready")[0] == http.client.OK
        return False

    def _call(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise ProcessFailed(f"the server does not answer {method} {path}: {error}") from error
        finally:
            connection.close()


def check_port(port: int) -> None:
    """Raise PortTaken if the server could not listen there."""
    if not is_free(port):
        raise PortTaken(
            f"port {port} is in use by another program: stop it, or choose another with --port"
        )


@contextlib.contextmanager
def running_server(
    model: ClassifierModel, version: Champion, backends: Backends, folder: Path, port: int
) -> Iterator[Server]:
    """Yield a server that answers for a version; stop it afterwards.

    Raises:
        PortTaken: the port is in use.
        ProcessFailed: it ended, or was not ready in time.
    """
    check_port(port)
    http = model.spec.serving.http or Http()
    environment = (
        os.environ
        | http.server_variables()
        | {
            "TAXON_SERVER_BUNDLE": version.bundle_uri,
            "TAXON_SERVER_DIGEST": version.manifest_digest,
            "TAXON_SERVER_NAME": model.metadata.name,
            "TAXON_SERVER_NAMESPACE": model.metadata.namespace,
            "TAXON_SERVER_HOST": HOST,
            "TAXON_SERVER_PORT": str(port),
            "TAXON_SERVER_DATABASE_URL": backends.postgres.url,
            "TAXON_SERVER_LOG_MODE": model.spec.serving.prediction_log.mode,
            "TAXON_SERVER_SPOOL_FOLDER": str(folder / "spool" / version.version),
            "TAXON_SERVER_DRAIN_SECONDS": "0",  # nobody routes to it
        }
    )
    command = [str(Path(sysconfig.get_path("scripts")) / "taxon-server")]
    with Process(command, log=folder / "server.log", environment=environment) as process:
        server = Server(process, port)
        process.wait_until(server.is_ready, seconds=START_SECONDS)
        yield server

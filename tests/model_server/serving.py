"""Real servers: ``taxon-server`` as a process of its own, on a free port of loopback."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.waiting import wait_until

from taxon_bundle.bundle import Bundle

HOST = "127.0.0.1"
SECONDS = 30.0


class ServerProcess:
    """A running server."""

    def __init__(self, bundle: Bundle, folder: Path, flags: dict[str, str]) -> None:
        """Start it; its standard error goes to a file below ``folder``."""
        self._errors = folder / "server.jsonl"
        chosen = {
            "--bundle": bundle.uri,
            "--digest": bundle.digest,
            "--name": "small",
            "--port": "0",
            "--drain-seconds": "0",
        } | flags
        with self._errors.open("wb") as stream:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "taxon_model_server.main"),
                    *(part for pair in chosen.items() for part in pair),
                ],
                stderr=stream,
            )
        wait_until(self._listens)

    @property
    def address(self) -> str:
        """Return host and port."""
        return f"{HOST}:{self.log_line('listening')['port']}"

    def log_lines(self) -> list[dict[str, Any]]:
        """Return what it has logged so far."""
        return [json.loads(line) for line in self._errors.read_text().splitlines()]

    def log_line(self, event: str) -> dict[str, Any]:
        """Return the first line with this event."""
        return next(line for line in self.log_lines() if line["event"] == event)

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the code and the document of an answer; a body makes it a POST."""
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS)
        content = None if body is None else json.dumps(body)
        connection.request("POST" if content else "GET", path, content)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, json.loads(text) if text.startswith(("{", "[")) else text

    def metric(self, sample: str) -> float:
        """Return a sample of the metrics, named as it is scraped."""
        lines = self.ask("/metrics")[1].splitlines()
        return float(next(line for line in lines if line.startswith(f"{sample} ")).split()[-1])

    def has_logged(self, event: str) -> bool:
        """Return whether it has logged a line with this event."""
        return any(line["event"] == event for line in self.log_lines())

    def wait_ready(self) -> None:
        """Return once it says it is ready."""
        wait_until(lambda: self.ask("/v2/health/ready")[0] == http.client.OK)

    def resident_bytes(self) -> int:
        """Return its resident memory."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def peak_bytes(self) -> int:
        """Return the most memory that was resident since it started."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait_end(self) -> int:
        """Return its exit code once it ends."""
        return self._process.wait(SECONDS)

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._errors.read_text()
        return '"listening"' in self._errors.read_text()

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait(SECONDS)


@contextmanager
def serving(bundle: Bundle, folder: Path, **flags: str) -> Iterator[ServerProcess]:
    """Yield a server that is ready; ``drain_seconds="1"`` stands for ``--drain-seconds 1``."""
    named = {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
    server = ServerProcess(bundle, folder, named)
    try:
        server.wait_ready()
        yield server
    finally:
        server.close()

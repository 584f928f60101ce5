"""Real monitors: ``taxon-monitor`` as a process of its own, on a port of loopback."""

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

HOST = "127.0.0.1"
SECONDS = 30.0


class MonitorProcess:
    """A running monitor."""

    def __init__(self, folder: Path, port: int, variables: dict[str, str]) -> None:
        """Start it; its standard error goes to a file below ``folder``."""
        self._port = port
        self._errors = folder / "monitor.jsonl"
        environment = os.environ | variables | {"TAXON_MONITOR_PORT": str(port)}
        with self._errors.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "taxon_monitor.main"], env=environment, stderr=stream
            )
        wait_until(self._answers)

    def ask(self, path: str) -> tuple[int, Any]:
        """Return the code and the document of an answer."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=SECONDS)
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        return answer.status, json.loads(content) if content.startswith("{") else content

    def metric(self, sample: str) -> float | None:
        """Return a sample of the metrics, named as it is scraped; None if there is none."""
        lines = self.ask("/metrics")[1].splitlines()
        found = [line for line in lines if line.startswith(f"{sample} ")]
        return float(found[0].split()[-1]) if found else None

    def log_lines(self) -> list[dict[str, Any]]:
        """Return what it has logged so far."""
        return [json.loads(line) for line in self._errors.read_text().splitlines()]

    def end(self) -> int:
        """Send SIGTERM; return the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(SECONDS)

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait(SECONDS)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._errors.read_text()
        try:
            return self.ask("/healthz")[0] == http.client.OK
        except OSError:
            return False


@contextmanager
def watching(url: str, port: int, folder: Path, **settings: str) -> Iterator[MonitorProcess]:
    """Yield a monitor that listens; ``answer_seconds="1"`` is TAXON_MONITOR_ANSWER_SECONDS."""
    named = {f"TAXON_MONITOR_{name.upper()}": value for name, value in settings.items()}
    often = {"TAXON_MONITOR_DATABASE_URL": url, "TAXON_MONITOR_INTERVAL_SECONDS": "0.2"}
    monitor = MonitorProcess(folder, port, often | named)
    try:
        yield monitor
    finally:
        monitor.close()

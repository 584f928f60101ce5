"""Local mode as a process of its own, ended in every way a process ends."""

import http.client
import json
import os
import signal
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.processes import command_of, descendants, is_running
from support.waiting import wait_until

from taxon_cli.local.ports import HOST, PortBlock

SAMPLES = Path(__file__).parents[2] / "manifests/samples"
TAXON = Path(sysconfig.get_path("scripts")) / "taxon"
PARTS = {"weed", "postgres", "taxon-server"}


@dataclass(frozen=True)
class Running:
    """A call that goes on."""

    process: "subprocess.Popen[bytes]"
    log: Path
    port: int

    def said(self, text: str) -> Callable[[], bool]:
        """Return the condition that the call said something."""

        def condition() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return text in self.log.read_text()

        return condition

    def parts(self) -> set[int]:
        """Return every process the call has started, by their ids."""
        return descendants(self.process.pid)

    def ask(self, method: str, path: str, question: Any = None) -> Any:
        """Return the server's answer."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request(
                method, path, json.dumps(question), {"Content-Type": "application/json"}
            )
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@pytest.fixture
def wine(tmp_path: Path) -> Iterator[Running]:
    """Yield a call that trains and serves three classes from a table on disk."""
    log = tmp_path / "log"
    with PortBlock() as ports, log.open("wb") as output:
        port = ports.take()
        process = subprocess.Popen(
            [
                *(str(TAXON), "local", "run", str(SAMPLES / "wine.yaml"), "--keep"),
                *("--data", str(SAMPLES / "wine.csv"), "--port", str(port)),
            ],
            cwd=tmp_path,
            env={**os.environ, "LOKY_MAX_CPU_COUNT": "1"},
            stdout=output,
            stderr=output,
        )
        try:
            yield Running(process, log, port)
        finally:
            process.kill()
            process.wait()


def test_a_kept_server_answers_until_ctrl_c(wine: Running) -> None:
    """Three text classes are served from a short YAML; Ctrl-C ends it well and leaves nothing."""
    wait_until(wine.said("serving until Ctrl-C"), seconds=90)
    parts = wine.parts()
    assert {command_of(pid) for pid in parts} >= PARTS

    info = wine.ask("GET", "/info")

    assert info["classes"] == ["class_0", "class_1", "class_2"]
    wine.process.send_signal(signal.SIGINT)
    assert wine.process.wait(30) == 0
    assert not [pid for pid in parts if is_running(pid)]


def test_a_killed_call_leaves_nothing(wine: Running) -> None:
    """Even a call that is killed takes database, object store and trainer with it."""
    wait_until(wine.said("training wine"), seconds=60)
    wait_until(lambda: "taxon-train" in {command_of(pid) for pid in wine.parts()}, seconds=30)
    parts = wine.parts()

    os.kill(wine.process.pid, signal.SIGKILL)

    wait_until(lambda: not [pid for pid in parts if is_running(pid)], seconds=30)


def test_a_call_ended_during_training_leaves_nothing(wine: Running) -> None:
    """SIGTERM in the middle of the work puts everything away and says so with the exit code."""
    wait_until(wine.said("training wine"), seconds=60)
    wait_until(lambda: "taxon-train" in {command_of(pid) for pid in wine.parts()}, seconds=30)
    parts = wine.parts()

    wine.process.send_signal(signal.SIGTERM)

    assert wine.process.wait(30) == 128 + signal.SIGTERM
    assert not [pid for pid in parts if is_running(pid)]

"""What a cluster that does not come up says."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from hack.cluster import diagnosis, layout
from hack.cluster.processes import Process
from hack.cluster.steps import ClusterError

POD_NAMES = f"--output=jsonpath={diagnosis.POD_NAMES}"


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Give the tests a cluster without a kubectl; return the commands it was given."""
    commands: list[tuple[str, ...]] = []

    def kubectl(*words: str, **_: object) -> str:
        commands.append(words)
        return "monitoring prometheus-taxon-0\n" if POD_NAMES in words else f"{words[0]} said\n"

    monkeypatch.setattr(diagnosis, "kubectl", kubectl)
    monkeypatch.setattr(layout, "LOGS", tmp_path)
    monkeypatch.setattr(layout, "PROCESSES", tmp_path / "processes")
    return commands


def test_report_asks_every_pod_for_its_last_lines(asked: list[tuple[str, ...]]) -> None:
    """The log of a pod ends up where the reader is, not in a file that goes with the cluster."""
    assert "logs said" in diagnosis.report()
    [logs] = [words for words in asked if words[0] == "logs"]
    assert logs[:4] == ("logs", "-n", "monitoring", "prometheus-taxon-0")


def test_report_names_a_process_that_has_ended_with_its_last_line(tmp_path: Path) -> None:
    """A part of the cluster that died says why."""
    dead = Process("kube-scheduler", 0, "0", "an earlier boot", "")
    record = layout.PROCESSES / "kube-scheduler.json"
    layout.write_whole(record, json.dumps(asdict(dead)))
    (tmp_path / "kube-scheduler.log").write_text("lost the API server\n")
    assert "kube-scheduler has ended:\nlost the API server" in diagnosis.report()


def test_report_is_made_of_what_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An API server that is gone does not hide the probes' last words."""

    def kubectl(*_: str, **__: object) -> str:
        raise ClusterError("kubectl failed")

    monkeypatch.setattr(diagnosis, "kubectl", kubectl)
    (tmp_path / "probes.log").write_text("connection refused\n")
    assert diagnosis.report() == "connection refused"

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hack.cluster import layout, processes
from hack.cluster.processes import Process
from hack.cluster.steps import ClusterError, wait


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep records in a folder of the test, and off a cluster this machine may run."""
    monkeypatch.setattr(layout, "PROCESSES", tmp_path / "processes")
    monkeypatch.setattr(layout, "LOGS", tmp_path)
    monkeypatch.setattr(processes, "CGROUP", "taxon-cluster-of-a-test")
    yield
    processes.end(processes.recorded())


def only() -> Process:
    """Return the one process on record."""
    [process] = processes.recorded()
    return process


def test_started_process_is_recorded_and_runs() -> None:
    """A process that was started is on record and is found alive by another command."""
    processes.start("sleeper", ["sleep", "60"], inputs="a")
    assert processes.is_alive(only())


def test_same_inputs_keep_the_process() -> None:
    """Starting a part again from the same inputs leaves its process alone."""
    processes.start("sleeper", ["sleep", "60"], inputs="a")
    first = only()
    processes.start("sleeper", ["sleep", "60"], inputs="a")
    assert only() == first


def test_other_inputs_replace_the_process() -> None:
    """Starting a part from other inputs ends the old process first."""
    processes.start("sleeper", ["sleep", "60"], inputs="a")
    first = only()
    processes.start("sleeper", ["sleep", "61"], inputs="b")
    assert (processes.is_alive(first), processes.is_alive(only())) == (False, True)


def test_ended_process_is_started_again() -> None:
    """A part whose process was killed gets a new one from the same inputs."""
    processes.start("sleeper", ["sleep", "60"], inputs="a")
    first = only()
    processes.end([first])
    processes.start("sleeper", ["sleep", "60"], inputs="a")
    assert only().pid != first.pid


def test_id_with_another_start_time_is_not_taken_for_ours() -> None:
    """An id the machine has given to a later process belongs to somebody else."""
    processes.start("sleeper", ["sleep", "60"], inputs="a")
    assert not processes.is_alive(replace(only(), started="1"))


def test_id_of_another_boot_is_not_taken_for_ours() -> None:
    """After a restart of the machine no record is right any more."""
    processes.start("sleeper", ["sleep", "60"], inputs="a")
    assert not processes.is_alive(replace(only(), boot="another"))


def test_end_spares_a_process_that_got_a_recycled_id() -> None:
    """Ending a stale record leaves the process that has its id now running."""
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        stale = Process("sleeper", other.pid, "1", processes.boot(), "a")
        processes.end([stale])
        assert other.poll() is None
        other.kill()


def test_program_that_cannot_start_is_an_error_of_its_own() -> None:
    """A command that is no program is reported when it is started."""
    with pytest.raises(FileNotFoundError):
        processes.start("nothing", ["/no/such/program"], inputs="a")


def test_start_time_of_an_ended_process_is_none() -> None:
    """A process that has ended, even one nobody has collected yet, has no start time."""
    child = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.start_time(child.pid) is None
    child.wait()


def test_records_come_back_as_they_were_written() -> None:
    """A record holds everything that identifies the process."""
    processes.start("sleeper", ["sleep", "60"], inputs="a")
    [path] = layout.PROCESSES.glob("*.json")
    assert json.loads(path.read_text()) == asdict(only())


def test_log_of_a_process_holds_what_it_printed() -> None:
    """What a process prints is in the log file named after its part."""
    processes.start("speaker", ["sh", "-c", "echo said; sleep 60"], inputs="a")
    log = layout.LOGS / "speaker.log"
    wait(lambda: log.read_text() == "said\n", what="The word", seconds=10, log="speaker")


def test_process_that_ends_at_once_names_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is gone before it can be recorded is an error that names its log."""
    monkeypatch.setattr(processes, "start_time", lambda _pid: None)
    with pytest.raises(ClusterError, match=r"brief ended at once, see .*brief\.log"):
        processes.start("brief", ["true"], inputs="a")

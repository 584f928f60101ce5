import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import descendants, is_running
from support.waiting import wait_until

from taxon_cli.local.processes import Process, ProcessFailed

SHELL = "/bin/sh"


def shell(script: str, log: Path) -> Process:
    """Start a shell that carries out a script."""
    return Process([SHELL, "-c", script], log=log)


def has(log: Path, text: str) -> Callable[[], bool]:
    """Return the condition that a log holds a text."""
    return lambda: log.exists() and text in log.read_text()


def test_a_process_ends_with_everything_it_started(tmp_path: Path) -> None:
    """Stopping ends the children of a program, too."""
    log = tmp_path / "log"
    process = shell("sleep 1000 & echo $!; wait", log)
    process.wait_until(has(log, "\n"), seconds=10)
    child = int(log.read_text())

    process.stop()

    wait_until(lambda: not is_running(child))


def test_a_process_that_will_not_end_is_killed(tmp_path: Path) -> None:
    """A program that ignores the request to end is gone in bounded time."""
    log = tmp_path / "log"
    process = shell("trap '' TERM; echo up; while :; do sleep 0.1; done", log)
    process.wait_until(has(log, "up"), seconds=10)
    started = time.monotonic()

    process.stop(seconds=0.2)

    assert not is_running(process.pid)
    assert time.monotonic() - started < 5


def test_stopping_what_has_ended_is_harmless(tmp_path: Path) -> None:
    """A program that ended by itself keeps its exit code through a stop."""
    with shell("exit 7", tmp_path / "log") as process:
        assert process.wait(10) == 7

    assert process.wait() == 7


def test_a_process_that_ends_early_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """The failure names the exit code and the last lines this run wrote."""
    log = tmp_path / "log"
    log.write_text("of an earlier run\n")
    with (
        shell("echo no room left; exit 3", log) as process,
        pytest.raises(ProcessFailed, match=r"sh ended with exit code 3") as caught,
    ):
        process.wait_until(lambda: False, seconds=10)

    assert "no room left" in str(caught.value)
    assert "earlier" not in str(caught.value)


def test_a_process_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    """Waiting for a program is bounded."""
    with (
        shell("sleep 1000", tmp_path / "log") as process,
        pytest.raises(ProcessFailed, match=r"was not ready within 0\.1 s"),
    ):
        process.wait_until(lambda: False, seconds=0.1)


def test_waiting_for_an_end_is_bounded(tmp_path: Path) -> None:
    """A program that goes on does not hold its starter."""
    with (
        shell("sleep 1000", tmp_path / "log") as process,
        pytest.raises(TimeoutError, match=r"sh did not end within 0\.1 s"),
    ):
        process.wait(0.1)


def test_a_process_without_a_log_writes_where_its_starter_does() -> None:
    """The trainer's progress bar reaches the terminal."""
    script = (
        "from taxon_cli.local.processes import Process;"
        "Process(['/bin/sh', '-c', 'echo here >&2']).wait()"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert done.stderr == b"here\n"


def test_a_process_ends_when_its_starter_is_killed() -> None:
    """Even a starter that gets no chance to put anything away leaves nothing behind.

    Neither the program nor what that started outlives it, nor does the guard that sees to it.
    """
    script = (
        "from taxon_cli.local.processes import Process;"
        "process = Process(['/bin/sh', '-c', 'sleep 1000 & sleep 1000; wait']);"
        "print(flush=True); process.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as starter:
        assert starter.stdout
        starter.stdout.readline()
        wait_until(lambda: len(descendants(starter.pid)) >= 4)  # shell, two sleeps, guard
        started = descendants(starter.pid)
        os.kill(starter.pid, signal.SIGKILL)

        wait_until(lambda: not [pid for pid in started if is_running(pid)])


def test_a_process_may_be_stopped_twice(tmp_path: Path) -> None:
    """A second stop does nothing to whoever has the process id by then."""
    process = shell("sleep 1000", tmp_path / "log")
    process.stop()

    process.stop()

    assert process.wait() == -signal.SIGTERM

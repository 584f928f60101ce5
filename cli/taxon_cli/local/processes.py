"""Programs of local mode: logged to a file, stopped in bounded time, ended with their parent."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

POLL_SECONDS = 0.02
TAIL_LINES = 12
GUARD_SCRIPT = """
read -r _ && exit
kill -s "$2" "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" || break; sleep 1; done
kill -s KILL -- "-$1"
"""


class ProcessFailed(Exception):  # noqa: N818 - the process failed; this program works
    """A program ended, or did not become ready; the message shows the end of its log."""


@dataclass(frozen=True)
class Account:
    """The id a program runs under."""

    user: int
    group: int


class Process:
    """One running program, in a process group of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
    ) -> None:
        """Start it.

        Args:
            command: the program's path and its arguments.
            log: file its output is appended to; None: this program's output.
            environment: its whole environment; None: this program's.
            stop_signal: signal that stops it, also when this program is killed.
            account: another user to run it as; needs root.
        """
        self.name = Path(command[0]).name
        self._log = log
        self._log_start = log.stat().st_size if log and log.exists() else 0
        self._stop_signal = stop_signal
        self._popen = _start(command, log, environment, account)
        self._guard = _Guard(self.pid, stop_signal)

    @property
    def pid(self) -> int:
        """Return the process id, which is its group's too."""
        return self._popen.pid

    def wait(self, seconds: float | None = None) -> int:
        """Return the exit code once it ends.

        Raises:
            TimeoutError: it did not end in time.
        """
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{self.name} did not end within {seconds:g} s") from error

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until ``ready`` returns True.

        Raises:
            ProcessFailed: the program ended, or was not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            code = self._popen.poll()
            if code is not None:
                raise ProcessFailed(f"{self.name} ended with exit code {code}{self._tail()}")
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} was not ready within {seconds:g} s{self._tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self, *, seconds: float = 10) -> None:
        """Stop it and everything it started: by signal first, by SIGKILL after the timeout."""
        if not self._guard.is_on_duty():
            return
        try:
            if self._popen.poll() is None:
                self._popen.send_signal(self._stop_signal)
                with contextlib.suppress(TimeoutError):
                    self.wait(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()
            self._guard.dismiss()

    def _tail(self) -> str:
        if self._log is None:
            return ""
        own = self._log.read_bytes()[self._log_start :].decode(errors="replace")
        lines = own.splitlines()[-TAIL_LINES:]
        return "\n  ".join([f"; the end of {self._log}:", *lines])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _start(
    command: Sequence[str],
    log: Path | None,
    environment: Mapping[str, str] | None,
    account: Account | None,
) -> "subprocess.Popen[bytes]":
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else None
        return subprocess.Popen(
            command,
            cwd="/" if account else None,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            process_group=0,
            user=account.user if account else None,
            group=account.group if account else None,
            extra_groups=[] if account else None,
        )


class _Guard:
    """A shell that stops a process group when this program ends.

    It reads from a pipe that only this program writes to. When this program ends for any reason,
    the kernel closes the pipe, and the shell stops the group unless it has read a line.
    """

    def __init__(self, group: int, stop_signal: signal.Signals) -> None:
        name = stop_signal.name.removeprefix("SIG")
        self._popen = subprocess.Popen(
            ["/bin/sh", "-c", GUARD_SCRIPT, "guard", str(group), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    def is_on_duty(self) -> bool:
        """Return whether it has not been dismissed."""
        return self._popen.returncode is None

    def dismiss(self) -> None:
        """End it: the group has ended."""
        with contextlib.suppress(BrokenPipeError):  # it was ended from outside
            self._popen.communicate(b"gone\n")

"""Steps that print what they do and how long it took, and name a log file when they fail."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hack.cluster import layout


class ClusterError(Exception):
    """A failure of `make cluster`; the message is one sentence for its user."""


def say(line: str) -> None:
    """Print a whole line at once: steps may run side by side."""
    print(f"{line}\n", end="", flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce ``what``, then print the seconds it took."""
    say(f"{what} ...")
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")


def run(
    command: Sequence[str | Path],
    *,
    log: str,
    stdin: str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run ``command`` and return what it printed.

    Its error output is appended to the log file ``log``.

    Raises:
        ClusterError: the command failed, which the log explains, or is not installed.
    """
    layout.LOGS.mkdir(parents=True, exist_ok=True)
    path = layout.LOGS / f"{log}.log"
    if shutil.which(command[0]) is None:
        raise ClusterError(f"{command[0]} is needed and is not installed")
    with path.open("a") as file:
        done = subprocess.run(
            [str(word) for word in command],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=file,
            cwd=cwd,
            env=environment,
            text=True,
            check=False,
        )
        if done.returncode:
            file.write(done.stdout)
    if done.returncode:
        raise ClusterError(f"{Path(command[0]).name} failed, see {path}")
    return done.stdout


def succeeds(action: Callable[[], object]) -> bool:
    """Return whether ``action`` ends without a ClusterError."""
    try:
        action()
    except ClusterError:
        return False
    return True


def wait(ready: Callable[[], bool], *, what: str, seconds: float, log: str) -> None:
    """Wait until ``ready`` returns True.

    Raises:
        ClusterError: it did not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            path = layout.LOGS / f"{log}.log"
            raise ClusterError(f"{what} did not happen within {seconds:.0f} s, see {path}")
        time.sleep(0.2)

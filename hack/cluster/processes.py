"""The processes of a cluster: started once, found again, ended by their ids.

A record identifies the process by its id, its start time and the machine's boot, so an id that
now belongs to another process is never mistaken for ours. All of them, and all
they start, are in one cgroup, so nothing has to be found by name.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hack.cluster import layout
from hack.cluster.steps import ClusterError, wait

CGROUP = "taxon-cluster"


@dataclass(frozen=True)
class Process:
    """One started process; ``inputs`` is a digest of what it was started from."""

    name: str
    pid: int
    started: str
    boot: str
    inputs: str


def boot() -> str:
    """Return the identity of the machine's present boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> str | None:
    """Return when process ``pid`` started in clock ticks since boot; None once it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in parentheses and may contain any character.
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    threads, started = fields[16], fields[18]
    # A process that has ended may wait for its parent, or for its last threads, which hold ports.
    return None if state in "ZX" and int(threads) <= 1 else started


def is_alive(process: Process) -> bool:
    """Return whether the same process still runs."""
    return process.boot == boot() and start_time(process.pid) == process.started


def recorded(folder: Path | None = None) -> list[Process]:
    """Return every process on record, alive or not, oldest first: this cluster's by default."""
    records = (folder or layout.PROCESSES).glob("*.json")
    paths = sorted(records, key=lambda path: path.stat().st_mtime_ns)
    return [Process(**json.loads(path.read_text())) for path in paths]


def runs(name: str) -> bool:
    """Return whether the process recorded as ``name`` runs."""
    return any(process.name == name and is_alive(process) for process in recorded())


def await_answer(part: str, answers: Callable[[], bool]) -> None:
    """Wait until ``part`` answers.

    Raises:
        ClusterError: the part has ended, or does not answer.
    """

    def ready() -> bool:
        refuse_ended(part)
        return answers()

    wait(ready, what=f"An answer of {part}", seconds=60, log=part)


def refuse_ended(part: str) -> None:
    """Raise a ClusterError if the process of ``part`` does not run."""
    if not runs(part):
        raise ClusterError(f"{part} has ended, see {layout.LOGS / f'{part}.log'}")


def start(
    name: str, command: Sequence[str], *, inputs: str, variables: Mapping[str, str] | None = None
) -> None:
    """Run ``command`` in the background unless it already runs from the same ``inputs``.

    It gets only the PATH and ``variables``: the user's proxy is not for the cluster.
    """
    record = layout.PROCESSES / f"{name}.json"
    if record.exists():
        process = Process(**json.loads(record.read_text()))
        if is_alive(process) and process.inputs == inputs:
            return
        end([process])
    log = layout.LOGS / f"{name}.log"
    pid = spawn(command, log, {"PATH": os.environ["PATH"], **(variables or {})})
    for root in cgroups():
        (root / "node" / "cgroup.procs").write_text(str(pid))
    started = start_time(pid)
    if started is None:
        raise ClusterError(f"{name} ended at once, see {log}")
    process = Process(name, pid, started, boot(), inputs)
    layout.write_whole(record, json.dumps(asdict(process)))


def spawn(command: Sequence[str], log: Path, variables: Mapping[str, str]) -> int:
    """Run ``command`` in a session of its own, to outlive this one, and return its id."""
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawnp(
        command[0],
        list(command),
        variables,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), writing, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def end(processes: Sequence[Process]) -> None:
    """Kill those of ``processes`` that still run, and wait until they are gone."""
    for process in processes:
        if is_alive(process):
            os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(is_alive(process) for process in processes):
        if time.monotonic() > deadline:
            raise ClusterError(f"a killed process did not end within 10 s: {processes}")
        time.sleep(0.05)


def hierarchies() -> list[Path]:
    """Return the roots of the cgroup trees: one in version 2, one per controller in version 1."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(target) for _, target, kind, *_ in mounts if kind in {"cgroup", "cgroup2"}]


def cgroups() -> list[Path]:
    """Return the cluster's cgroup in every tree that has it."""
    return [root / CGROUP for root in hierarchies() if (root / CGROUP).is_dir()]


def make_cgroups() -> None:
    """Make the cluster's cgroup in every tree; the kubelet puts all pods below it."""
    for root in hierarchies():
        (root / CGROUP / "node").mkdir(parents=True, exist_ok=True)
        for folder in (root / CGROUP, root / CGROUP / "node"):
            inherit_cpuset(folder)


def inherit_cpuset(folder: Path) -> None:
    """Give a new cpuset its parent's processors; version 1 starts it empty and unusable."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if file.exists() and not file.read_text().strip():
            file.write_text((folder.parent / name).read_text())


def members() -> set[int]:
    """Return the ids of all processes in the cluster's cgroup."""
    return {
        int(pid)
        for root in cgroups()
        for folder in walk(root)
        for pid in read(folder / "cgroup.procs").split()
    }


def walk(root: Path) -> Iterator[Path]:
    """Yield the folders below ``root``, deepest first, and ``root`` itself."""
    with suppress(FileNotFoundError):
        for child in root.iterdir():
            if child.is_dir():
                yield from walk(child)
    yield root


def read(path: Path) -> str:
    """Return a file's text, empty if the file no longer exists."""
    try:
        return path.read_text()
    except OSError:
        return ""


def end_all() -> None:
    """End every process of the cluster and remove its cgroup."""
    end(recorded())
    deadline = time.monotonic() + 10
    while pids := members():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"killed processes did not end within 10 s: {sorted(pids)}")
        time.sleep(0.05)
    for root in cgroups():
        for folder in walk(root):
            remove_cgroup(folder, deadline)


def remove_cgroup(folder: Path, deadline: float) -> None:
    """Remove an empty cgroup; the kernel may need a moment to release its last process."""
    while folder.exists():
        try:
            folder.rmdir()
        except OSError as error:
            if time.monotonic() > deadline:
                raise ClusterError(f"the cgroup {folder} cannot be removed: {error}") from error
            time.sleep(0.05)


def memory() -> int:
    """Return the bytes of memory all processes of the cluster use, shared pages counted once."""
    rollups = [read(Path(f"/proc/{pid}/smaps_rollup")) for pid in members()]
    lines = [line for rollup in rollups for line in rollup.splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) * 1024 for line in lines)

"""What the container may use: its cores and its memory, as cgroups of version 1 or 2 limit them."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
PAIR = 2
STATM = Path("/proc/self/statm")


def usable_cores(root: Path = CGROUPS, own: Path = OWN_CGROUPS) -> int:
    """Return how many threads can compute at the same time, at least one."""
    quotas = []
    for folder in _folders(root, own, "cpu"):
        old = [_first(folder / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
        quotas += [
            math.ceil(int(limit[0]) / int(limit[1]))
            for limit in (_words(folder / "cpu.max"), old)
            if len(limit) == PAIR and all(word.isdecimal() for word in limit)
        ]
    return max(1, min([len(os.sched_getaffinity(0)), *quotas]))


def usable_memory(root: Path = CGROUPS, own: Path = OWN_CGROUPS) -> int:
    """Return how many bytes the process may hold."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for folder in _folders(root, own, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _first(folder / name)
            if limit.isdecimal():
                limits.append(int(limit))
    return min(limits)


def resident_memory() -> int:
    """Return how many bytes the process holds now."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _folders(root: Path, own: Path, controller: str) -> Iterator[Path]:
    """Return the folders of the process's cgroup and of those above it, of both versions.

    Inside a container the path of the host may not exist; its own cgroup is then the root.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / controllers if controllers else root
        for base in (top, root / controller):
            folder = base / path.lstrip("/")
            yield folder
            yield from (above for above in folder.parents if above.is_relative_to(base))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _first(path: Path) -> str:
    return (_words(path) or [""])[0]

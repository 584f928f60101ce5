"""What a container may use is read where both versions of cgroups say it."""

import os
from pathlib import Path

import pytest

from taxon_model_server.container import usable_cores, usable_memory

MANY = 64


@pytest.fixture(autouse=True)
def many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine have many cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(MANY)))


def cgroups(tmp_path: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """Write the files below a root, and what the process says its cgroups are."""
    root = tmp_path / "cgroup"
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "own").write_text(own)
    return root, tmp_path / "own"


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, MANY),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        (
            "3:cpu,cpuacct:/kubepods/x\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "400000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            4,
        ),
        ("3:cpu:/x", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, MANY),
        ("", {}, MANY),
    ],
)
def test_cores_are_those_of_the_quota(
    tmp_path: Path, own: str, files: dict[str, str], cores: int
) -> None:
    """A quota of part of a core is one core, and without a quota there are the machine's."""
    assert usable_cores(*cgroups(tmp_path, own, files)) == cores


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/\n", {"memory.max": "1073741824\n"}, 2**30),
        ("0::/a/b\n", {"a/memory.max": "536870912", "a/b/memory.max": "max"}, 2**29),
        ("4:memory:/x\n0::/\n", {"memory/x/memory.limit_in_bytes": "268435456"}, 2**28),
        ("4:memory:/host/path\n", {"memory/memory.limit_in_bytes": "268435456"}, 2**28),
    ],
)
def test_memory_is_that_of_the_limit(
    tmp_path: Path, own: str, files: dict[str, str], limit: int
) -> None:
    """The smallest limit of the process's cgroup and those above it counts."""
    assert usable_memory(*cgroups(tmp_path, own, files)) == limit


def test_without_a_limit_memory_is_the_machines(tmp_path: Path) -> None:
    """A limit beyond the machine's memory, as version 1 writes no limit, is none."""
    files = {"memory/memory.limit_in_bytes": "9223372036854771712"}
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    assert usable_memory(*cgroups(tmp_path, "4:memory:/\n", files)) == machine

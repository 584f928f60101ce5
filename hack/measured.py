"""What benches share: a line of a figure, the time of a call, a training in its own process."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxon_bundle.bundle import Bundle, open_bundle
from taxon_contracts.identity import version_id
from taxon_contracts.resource import Identity
from taxon_contracts.run import RunRequest, RunResult

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Trained:
    """A bundle, the wall time it took, and the most memory its process used."""

    bundle: Bundle
    seconds: float
    peak_mb: float


def figure(what: str, value: float, unit: str) -> str:
    """Return a line."""
    return f"{what:<56}{value:10,.2f} {unit}"


def microseconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def memory_mb(pid: int, name: str) -> float:
    """Return a figure of a process's memory, 0 where the process has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)


def measured(command: list[str]) -> tuple[float, float]:
    """Run a command; return its seconds and its peak memory."""
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None:
        peak = max(peak, memory_mb(process.pid, "VmHWM"))
        time.sleep(0.02)
    _, errors = process.communicate()
    if process.returncode:
        sys.exit(f"bench: {command} failed: {errors.decode()}")
    return time.perf_counter() - started, peak


def trained(folder: Path, table: Path, identity: dict[str, Any], model: str = "bench") -> Trained:
    """Train a table with ``taxon-train``."""
    folder.mkdir()
    request = RunRequest.model_validate(
        {
            "version": version_id(Identity.model_validate(identity)),
            "namespace": "default",
            "model": model,
            "source": str(table),
            "identity": identity,
            "destination": f"{folder}/bundle/",
        }
    )
    run, result = folder / "run.json", folder / "result.json"
    run.write_text(request.encode())
    seconds, peak = measured([str(BIN / "taxon-train"), "--run", str(run), "--result", str(result)])
    answer = RunResult.model_validate_json(result.read_text())
    if answer.bundle_uri is None or answer.manifest_digest is None:
        sys.exit(f"bench: the run failed: {answer.message}")
    return Trained(open_bundle(answer.bundle_uri, answer.manifest_digest), seconds, peak)

"""The release of the chart on the cluster of `make cluster`, changed by Helm."""

import subprocess
from pathlib import Path

from hack.cluster import layout

SYSTEM = "taxon-system"


def helm(*words: str) -> str:
    """Run Helm on the release's namespace and return what it printed."""
    done = subprocess.run(
        [str(layout.BIN / "helm"), *words, "--namespace", SYSTEM],
        env=layout.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"helm {' '.join(words)}: {done.stderr}"
    return done.stdout


def install(chart: Path, *words: str, values: Path) -> None:
    """Install or upgrade the release, and wait until all of it works."""
    waiting = ("--wait", "--wait-for-jobs", "--timeout=3m")
    helm("upgrade", "--install", "taxon", str(chart), *waiting, f"--values={values}", *words)

"""Data sets of the cluster, loaded by the command line as a person does."""

import os
import subprocess
import sysconfig
from pathlib import Path

from hack.cluster import layout


def taxon(*words: str) -> str:
    """Run the command line on the cluster and return what it printed."""
    done = subprocess.run(
        [str(Path(sysconfig.get_path("scripts")) / "taxon"), *words],
        env=layout.environment() | {"PATH": f"{layout.BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"taxon {' '.join(words)}: {done.stderr}"
    return done.stdout


def load(name: str, file: Path, *, namespace: str = "default") -> None:
    """Load a file as the newest version of a data set."""
    taxon("dataset", "load", name, str(file), "--namespace", namespace)

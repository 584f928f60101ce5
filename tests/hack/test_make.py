"""What `make` itself decides."""

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the Makefile, an environment and something of local mode in it."""
    shutil.copy(MAKEFILE, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".taxon/local").mkdir(parents=True)
    return tmp_path


def make(checkout: Path, target: str) -> subprocess.CompletedProcess[str]:
    """Make a target."""
    return subprocess.run(
        ["make", target],  # noqa: S607 - the one every developer has
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_clean_removes_what_make_made(checkout: Path) -> None:
    """The environment and what local mode keeps are gone; the checkout stays."""
    assert make(checkout, "clean").returncode == 0
    assert [path.name for path in checkout.iterdir()] == ["Makefile"]


def test_clean_does_not_take_the_ground_from_under_a_cluster(checkout: Path) -> None:
    """A cluster's state is the only way to its processes, so it has to go down first."""
    (checkout / ".taxon/cluster").mkdir()
    made = make(checkout, "clean")

    assert made.returncode != 0
    assert "There is a cluster: run `make cluster-down` first." in made.stderr
    assert (checkout / ".venv").exists()
    assert (checkout / ".taxon/cluster").exists()

"""Resolve every extra and group together, then export one hashed requirements file for each.

The first resolution constrains the others, so all parts use the same versions.
Exports have hashes and no index address: any mirror may serve them.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
GROUPS = ("build", "dev")
FLAGS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--no-annotate",
    "--quiet",
)


def compile_requirements(output: Path, *selection: str) -> None:
    """Run one resolution of ``pyproject.toml`` into ``output``."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "compile", *FLAGS, *selection, "-o", str(output)]
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    """Write ``requirements/<extra or group>.txt``, keeping the versions already chosen."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = tuple(project["optional-dependencies"])
    everything = (
        ["pyproject.toml"]
        + [f"--extra={name}" for name in extras]
        + [f"--group={name}" for name in GROUPS]
    )
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "all.txt"
        compile_requirements(
            whole, *everything, *[f"-c={path}" for path in REQUIREMENTS.glob("*.txt")]
        )
        for name in extras:
            compile_requirements(
                REQUIREMENTS / f"{name}.txt", "pyproject.toml", f"--extra={name}", f"-c={whole}"
            )
        compile_requirements(
            REQUIREMENTS / "dev.txt",
            "pyproject.toml",
            "--extra=controller",
            "--extra=local",
            "--group=dev",
            f"-c={whole}",
        )
        compile_requirements(REQUIREMENTS / "build.txt", "--group=build", f"-c={whole}")


if __name__ == "__main__":
    main()

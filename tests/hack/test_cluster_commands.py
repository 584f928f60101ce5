import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hack.cluster import __main__ as command
from hack.cluster import layout, local, network, preflight, processes
from hack.cluster.processes import Process
from hack.cluster.steps import ClusterError


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the commands a machine without a cluster."""
    monkeypatch.setattr(layout, "HOME", tmp_path / "cluster")
    monkeypatch.setattr(layout, "PROVIDER", tmp_path / "cluster" / "provider")
    monkeypatch.setattr(layout, "RUN", tmp_path / "run")
    monkeypatch.setattr(layout, "OWNER", tmp_path / "run" / "owner")
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
    assert capsys.readouterr().err == "There is no cluster: `make cluster` creates one.\n"


def test_two_commands_do_not_change_the_cluster_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second command reports that the first one runs."""
    with command.alone():
        assert run(monkeypatch, "down") == 1
    assert "Another command is changing the cluster" in capsys.readouterr().err


def test_unknown_provider_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in PROVIDER is reported before anything is written."""
    monkeypatch.setenv("PROVIDER", "minikube")
    assert run(monkeypatch, "up") == 1
    assert "PROVIDER=minikube is not a provider" in capsys.readouterr().err
    assert not layout.HOME.exists()


def test_failed_cluster_says_what_there_is_to_see_before_its_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The logs go with the cluster; what is printed stays."""

    def up() -> None:
        raise ClusterError("prometheus/taxon did not happen")

    monkeypatch.setattr(preflight, "provider", lambda *_, **__: "local")
    monkeypatch.setattr(local, "check", lambda: None)
    monkeypatch.setattr(local, "up", up)
    monkeypatch.setattr(command, "report", lambda: "prometheus-taxon-0 0/2 Pending")
    assert run(monkeypatch, "up") == 1
    printed = capsys.readouterr()
    assert printed.out.endswith("prometheus-taxon-0 0/2 Pending\n")
    assert printed.err == "prometheus/taxon did not happen.\n"


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


@pytest.fixture
def removals(monkeypatch: pytest.MonkeyPatch) -> list[set[Path]]:
    """Return the folders of the clusters that were removed instead of continued."""
    removed: list[set[Path]] = []
    monkeypatch.setattr(local, "down", lambda: removed.append(layout.homes()))
    return removed


def record(process: Process, home: Path) -> None:
    """Write down ``process`` as one of the cluster in ``home``."""
    layout.write_whole(home / "processes" / "part.json", json.dumps(asdict(process)))


def this_process() -> Process:
    """Return the record of a process that runs."""
    started = processes.start_time(os.getpid())
    assert started
    return Process("part", os.getpid(), started, processes.boot(), "")


def test_cluster_of_an_earlier_boot_is_removed_first(removals: list[set[Path]]) -> None:
    """After a restart of the machine the files of the old cluster are useless."""
    layout.HOME.mkdir()
    layout.PROVIDER.write_text("local")
    local.recover()
    assert removals == [{layout.HOME}]


def test_cluster_of_this_boot_is_continued(removals: list[set[Path]]) -> None:
    """A run that was cut short is continued, not started over."""
    layout.HOME.mkdir()
    layout.PROVIDER.write_text("local")
    layout.write_whole(layout.OWNER, str(layout.HOME))
    local.recover()
    assert removals == []


def test_cluster_whose_files_are_gone_is_removed_first(removals: list[set[Path]]) -> None:
    """Pods without a cluster hold addresses that the next cluster gives to its own."""
    layout.write_whole(layout.OWNER, str(layout.HOME))
    local.recover()
    assert removals == [{layout.HOME}]


def test_ended_cluster_of_another_copy_is_removed_first(
    removals: list[set[Path]], tmp_path: Path
) -> None:
    """What another copy of the project left when it was killed does not stay in the way."""
    other = tmp_path / "copy"
    layout.write_whole(layout.OWNER, str(other))
    record(replace(this_process(), boot="an earlier boot"), other)
    local.recover()
    assert removals == [{layout.HOME, other}]


@pytest.mark.parametrize("action", [local.recover, lambda: list(local.status())])
def test_running_cluster_of_another_copy_is_refused(
    action: Callable[[], object], removals: list[set[Path]], tmp_path: Path
) -> None:
    """A cluster somebody may be using is neither taken over nor removed unasked."""
    other = tmp_path / "copy"
    layout.write_whole(layout.OWNER, str(other))
    record(this_process(), other)
    with pytest.raises(ClusterError, match=f"{other} runs: `make cluster-down` removes it"):
        action()
    assert removals == []


def test_down_removes_the_files_of_another_copys_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`make cluster-down` in any copy of the project removes the machine's one cluster."""
    monkeypatch.setattr(processes, "end_all", lambda: None)
    monkeypatch.setattr(network, "restore", lambda: None)
    other = tmp_path / "copy"
    record(this_process(), other)
    layout.write_whole(layout.OWNER, str(other))
    local.down()
    assert not other.exists()
    assert not layout.RUN.exists()

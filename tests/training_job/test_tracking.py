"""Weights & Biases records what happened, and never stands in the way."""

import io
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.training import VERSION, run_request, small_identity, small_table
from support.waiting import wait_until

from taxon_contracts.run import RunRequest
from taxon_training_job.progress import Progress
from taxon_training_job.run import Outcome, carry_out
from taxon_training_job.settings import Settings
from taxon_training_job.tracking import DONE, MARK, bounded, recording_environment, sync, track

KEY = "0123456789abcdef0123456789abcdef01234567"
PATIENT = 60.0
"""Seconds to record in on a busy machine; a trainer's own bound is tested for itself."""


@dataclass(frozen=True)
class Recorded:
    """A recorded run: its folder, and the event about it."""

    folder: Path
    event: dict[str, Any]


def request(folder: Path) -> RunRequest:
    """Return a request with a search and a project to record it in."""
    parameters = [{"name": "n_estimators", "values": ["3", "5"]}]
    identity = small_identity(
        pipeline={"classifier": {"parameters": parameters}}, search={"strategy": "Grid", "folds": 2}
    )
    return run_request(
        small_table(), folder, identity=identity, tracking={"wandb": {"project": "demo"}}
    )


def logged(log: io.StringIO) -> dict[str, Any]:
    """Return the event about tracking."""
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    event: dict[str, Any] = next(line for line in lines if line["event"] == "Tracked")
    return event


def tracked(asked: RunRequest, outcome: Outcome, folder: Path, **settings: Any) -> None:
    """Track a run into ``folder``."""
    track(asked, outcome, Progress(), Settings(tracking_folder=folder, **settings))


def marked_processes() -> list[str]:
    """Return the ids of processes some tracking started."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}=".encode() in environment.read_bytes():
                found.append(environment.parent.name)
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRequest, Outcome]:
    """Return a finished run."""
    asked = request(tmp_path_factory.mktemp("run"))
    return asked, carry_out(asked, Progress())


@pytest.fixture(scope="module")
def silent_server() -> Iterator[str]:
    """Yield the URL of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def recorded(
    run: tuple[RunRequest, Outcome],
    silent_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Recorded:
    """Record a run while W&B is switched off, and its server never answers."""
    folder = tmp_path_factory.mktemp("tracking")
    settings = Settings(
        tracking_folder=folder, tracking_record_seconds=PATIENT, tracking_sync_seconds=1.0
    )
    with pytest.MonkeyPatch.context() as patch, capture_logs() as events:
        patch.setenv("WANDB_API_KEY", KEY)
        patch.setenv("WANDB_BASE_URL", silent_server)
        patch.setenv("WANDB_MODE", "disabled")
        track(*run, Progress(), settings)
    return Recorded(folder / f"default-small-{VERSION}", dict(events[-1]))


def test_a_run_is_recorded_offline_whatever_the_settings(recorded: Recorded) -> None:
    """Also when W&B is switched off."""
    assert recorded.event["recorded"] == DONE
    assert len(list(recorded.folder.glob("wandb/offline-run-*/*.wandb"))) == 1


def test_a_hanging_server_is_given_up_and_reported(recorded: Recorded) -> None:
    """After the seconds that were set."""
    assert recorded.event["synced"].startswith("stopped after 1 s")


def test_recording_knows_no_setting_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base URL that is none makes W&B raise, even offline."""
    monkeypatch.setenv("WANDB_BASE_URL", "not a url")
    environment = recording_environment(tmp_path)

    assert "WANDB_BASE_URL" not in environment
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    "item",
    [
        *("demo", f"small-{VERSION}", "n_estimators", "polynomial_degree", "dataset_digest"),
        *("trial/score", "trial/fold_1", "trial/fold_2", "trial/n_estimators"),
        *("roc_auc", "roc_auc_low", "brier_high", "training_seconds", "manifest_digest"),
        *("features", "Numeric", "with_missing_values"),
        *("confusion_matrix", "below", "metrics.json", "model-card.md"),
    ],
)
def test_the_record_holds(recorded: Recorded, item: str) -> None:
    """Hyperparameters, every trial's scores, test metrics, matrix, time, split, artifacts."""
    (file,) = recorded.folder.glob("wandb/offline-run-*/*.wandb")

    assert item.encode() in file.read_bytes()


def test_the_confusion_matrix_is_the_bundles(
    recorded: Recorded, run: tuple[RunRequest, Outcome]
) -> None:
    """As a table: a row per class."""
    (file,) = recorded.folder.rglob("confusion_matrix*.table.json")
    table = json.loads(file.read_text())
    confusion = json.loads(run[1].files["metrics.json"])["confusion"]

    assert table["columns"] == ["class", *confusion["classes"]]
    assert [row[1:] for row in table["data"]] == confusion["counts"]


class Unauthorised(BaseHTTPRequestHandler):
    """A server that knows no key."""

    def do_POST(self) -> None:
        """Refuse."""
        self.send_error(HTTPStatus.UNAUTHORIZED)

    do_GET = do_POST  # noqa: N815 - the name http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing_server() -> Iterator[str]:
    """Yield the URL of a server that refuses every key."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Unauthorised) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_server_that_never_answers_is_given_up(
    recorded: Recorded, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the time that was set, and nothing that was started lives on."""
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    started = time.monotonic()
    ended = sync(recorded.folder, 2.0)

    assert ended.startswith("stopped after 2 s")
    assert time.monotonic() - started < 6
    wait_until(lambda: marked_processes() == [])


@pytest.mark.parametrize("trouble", ["down", "misconfigured", "refusing", "wrong key"])
def test_trouble_with_the_server_is_reported_and_bounded(
    recorded: Recorded, trouble: str, refusing_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down, misconfigured, or refusing the key."""
    url = {"down": "http://127.0.0.1:1", "misconfigured": "not a url"}.get(trouble)
    monkeypatch.setenv("WANDB_API_KEY", "short" if trouble == "wrong key" else KEY)
    monkeypatch.setenv("WANDB_BASE_URL", url or refusing_server)
    started = time.monotonic()
    ended = sync(recorded.folder, 2.0)

    assert ended.startswith(("stopped after 2 s", "failed, see"))
    assert time.monotonic() - started < 6


def test_a_recording_that_takes_too_long_is_given_up(
    run: tuple[RunRequest, Outcome], tmp_path: Path, log: io.StringIO
) -> None:
    """Nothing is synced then."""
    tracked(*run, tmp_path, tracking_record_seconds=0.01)
    event = logged(log)

    assert event["recorded"].startswith("stopped after 0.01 s")
    assert event["synced"] == "not tried"


def test_a_folder_that_cannot_be_written_is_reported(
    run: tuple[RunRequest, Outcome], tmp_path: Path, log: io.StringIO
) -> None:
    """A file stands where the folder should."""
    (tmp_path / "file").touch()
    tracked(*run, tmp_path / "file")

    assert logged(log)["recorded"].startswith("failed (")


def test_without_a_key_nothing_is_sent(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record stays for a later sync."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)

    assert sync(recorded.folder, 2.0) == "not tried, WANDB_API_KEY is not set"


def test_without_a_project_nothing_is_tracked(
    run: tuple[RunRequest, Outcome], tmp_path: Path, log: io.StringIO
) -> None:
    """Tracking is off unless asked for."""
    asked = run[0].model_copy(update={"tracking": RunRequest.model_fields["tracking"].default})
    tracked(asked, run[1], tmp_path / "tracking")

    assert log.getvalue() == ""
    assert not (tmp_path / "tracking").exists()


def test_a_bundle_that_was_judged_again_is_no_new_run(
    run: tuple[RunRequest, Outcome], tmp_path: Path
) -> None:
    """There was no training to record."""
    again = carry_out(run[0], Progress())
    tracked(run[0], again, tmp_path / "tracking")

    assert not (tmp_path / "tracking").exists()


def test_what_leaves_the_process_group_is_ended_too(tmp_path: Path) -> None:
    """W&B's helper starts a session of its own."""
    program = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True)\n"
        "time.sleep(60)\n"
    )
    ended = bounded([sys.executable, "-c", program], tmp_path / "log", 1.0, dict(os.environ))

    assert ended.startswith("stopped after 1 s")
    wait_until(lambda: marked_processes() == [])


def test_a_command_that_fails_is_reported_with_its_log(tmp_path: Path) -> None:
    """Its words are in the file."""
    log = tmp_path / "log"
    ended = bounded([sys.executable, "-c", "raise SystemExit('no')"], log, 20.0, dict(os.environ))

    assert ended == f"failed, see {log}"
    assert log.read_text() == "no\n"


def test_a_run_waits_less_than_thirty_seconds_by_default() -> None:
    """Recording and syncing together."""
    settings = Settings()

    assert settings.tracking_record_seconds + settings.tracking_sync_seconds < 29


def test_the_trainer_imports_wandb_in_a_process_of_its_own(recorded: Recorded) -> None:
    """Importing it takes a second and may warn."""
    assert recorded.event["recorded"] == DONE
    assert "wandb" not in sys.modules

"""`taxon-train`: one result, one exit code that says whether to try again."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from support.training import VERSION, run_request, small_identity, small_table
from support.waiting import wait_until

from taxon_bundle.storage import StorageDenied, StorageUnavailable
from taxon_contracts.gate import ChampionComparison
from taxon_contracts.run import (
    EXIT_FINAL,
    EXIT_RETRYABLE,
    RESULT_MAX_BYTES,
    MetricValue,
    Rows,
    RunRequest,
    RunResult,
)
from taxon_contracts.scores import SCORE_NAMES
from taxon_training_job import main as command
from taxon_training_job import run, tracking
from taxon_training_job.failure import RunFailed
from taxon_training_job.settings import Settings


def written(file: Path) -> RunResult:
    """Return the result in a file, which is one line."""
    text = file.read_text()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return RunResult.model_validate_json(text)


def called(monkeypatch: pytest.MonkeyPatch, *arguments: object, **environment: str) -> int:
    """Run the command in this process; return its exit code."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["taxon-train", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_run_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--run FILE --result FILE`."""
    request, result = tmp_path / "run.json", tmp_path / "result.json"
    request.write_text(run_request(small_table(), tmp_path).encode())

    assert called(monkeypatch, "--run", request, "--result", result) == 0
    assert written(result).outcome == "Accepted"
    assert written(result).version == VERSION


def test_a_run_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a pod; dollars in the document survive Kubernetes' expansion."""
    table = small_table().rename(columns={"length": "$(HOME)"})
    result = tmp_path / "result.json"
    document = run_request(table, tmp_path).encode()
    code = called(monkeypatch, TAXON_RUN=document, TAXON_RESULT=str(result))

    assert code == 0
    assert "$" not in document
    assert written(result).outcome == "Accepted"


def test_a_run_request_of_another_release_is_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older one lacks fields, a newer one has more; neither changes what is trained."""
    newest = json.loads(run_request(small_table(), tmp_path).encode())
    older = {name: newest[name] for name in ("version", "namespace", "model", "source")}
    older |= {"identity": newest["identity"], "destination": f"{tmp_path}/older/"}
    newer = older | {"destination": f"{tmp_path}/newer/", "parallelism": 4, "tracking": {"x": {}}}
    digests = set()
    for name, document in (("older", older), ("newer", newer)):
        request, result = tmp_path / f"{name}.json", tmp_path / f"{name}-result.json"
        request.write_text(json.dumps(document))
        assert called(monkeypatch, "--run", request, "--result", result) == 0
        digests.add(written(result).manifest_digest)

    assert len(digests) == 1


def test_a_newer_wish_for_the_model_itself_is_not_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version's id was made with it: training without it would be another model."""
    document = json.loads(run_request(small_table(), tmp_path).encode())
    document["identity"]["pipeline"]["calibration"] = "Isotonic"
    request, result = tmp_path / "run.json", tmp_path / "result.json"
    request.write_text(json.dumps(document))

    assert called(monkeypatch, "--run", request, "--result", result) == EXIT_FINAL
    assert "calibration" in written(result).message


def test_a_refusal_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run did what it was asked; the version is not rolled out."""
    gate = {"limits": [{"metric": "brier", "max": 0}]}
    request, result = tmp_path / "run.json", tmp_path / "result.json"
    request.write_text(run_request(small_table(), tmp_path, gate=gate).encode())

    assert called(monkeypatch, "--run", request, "--result", result) == 0
    assert (written(result).outcome, written(result).reason) == ("Refused", "LimitNotMet")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (None, "cannot be read"),
        (b"", "no run request"),
        (b"\xff\xfe", "run request"),
        (b"[]", "run request"),
        (b'{"version": "v1"}', "version: String should match"),
    ],
    ids=["no file", "empty", "not UTF-8", "no object", "wrong field"],
)
def test_a_run_request_that_is_none_is_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, document: bytes | None, sentence: str
) -> None:
    """The result names the field, and no version, since none is known."""
    request, result = tmp_path / "run.json", tmp_path / "result.json"
    if document is not None:
        request.write_bytes(document)

    assert called(monkeypatch, "--run", request, "--result", result) == EXIT_FINAL
    assert written(result).reason == "InvalidRun"
    assert written(result).version is None
    assert sentence in written(result).message


FAILURES: dict[str, tuple[Exception, str, int]] = {
    "bad data": (RunFailed("SingleClass", "only one: add rows"), "SingleClass", EXIT_FINAL),
    "storage is down": (
        StorageUnavailable("s3://a/b does not answer"),
        "StorageUnavailable",
        EXIT_RETRYABLE,
    ),
    "storage refuses": (StorageDenied("s3://a/b is denied"), "StorageDenied", EXIT_RETRYABLE),
    "a bug": (ZeroDivisionError("division by zero"), "InternalError", EXIT_RETRYABLE),
}


@pytest.mark.parametrize("case", FAILURES)
def test_final_errors_exit_differently_from_retryable_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """65 and 75, with the reason and a sentence in the result."""
    error, reason, code = FAILURES[case]

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(run, "carry_out", fails)
    result = tmp_path / "result.json"
    request = run_request(small_table(), tmp_path)

    assert command.train(request, result, Settings()) == code
    assert (written(result).reason, written(result).version) == (reason, VERSION)
    assert written(result).message


def test_an_unexpected_error_names_its_kind_and_leaves_its_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """The sentence for a person, the traceback in the log."""

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(run, "carry_out", fails)
    command.train(run_request(small_table(), tmp_path), tmp_path / "result", Settings())

    assert written(tmp_path / "result").message == "ZeroDivisionError: see the trainer's log"
    assert "Traceback" in log.getvalue()


def test_storage_that_is_down_is_retryable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port nobody listens on."""
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    request = run_request(small_table(), tmp_path, destination="s3://taxon/default/small/")

    assert command.train(request, tmp_path / "result", Settings()) == EXIT_RETRYABLE
    assert written(tmp_path / "result").reason == "StorageUnavailable"


def test_the_result_stands_before_tracking_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever tracking does, even being killed, cannot cost it."""
    result = tmp_path / "result.json"
    seen: list[str] = []
    monkeypatch.setattr(tracking, "track", lambda *_: seen.append(written(result).outcome))
    command.train(run_request(small_table(), tmp_path), result, Settings())

    assert seen == ["Accepted"]


def test_a_result_that_cannot_be_written_goes_to_the_log(tmp_path: Path, log: io.StringIO) -> None:
    """It is not lost, and the run is not either."""
    request = run_request(small_table(), tmp_path)

    assert command.train(request, tmp_path / "no" / "folder", Settings()) == 0
    (line,) = [one for one in map(json.loads, log.getvalue().splitlines()) if "reason" in one][-1:]
    assert line["reason"] == "ResultNotWritten"
    assert '"outcome":"Accepted"' in line["message"]


def test_a_result_is_written_in_place(tmp_path: Path) -> None:
    """The termination log is a mounted file: same inode, earlier content gone."""
    file = tmp_path / "termination-log"
    file.write_text("x" * 9000)
    inode = file.stat().st_ino
    command.write_result(RunResult(outcome="Failed", reason="InvalidRun", message="no"), file)

    assert file.stat().st_ino == inode
    assert written(file).message == "no"


@pytest.mark.parametrize("letter", ["a", "é", '"', "\n", "\x01", "🦔", "\\"])
@pytest.mark.parametrize("length", [0, 2000, 20_000])
def test_a_result_is_one_line_of_at_most_4000_bytes(letter: str, length: int) -> None:
    """With every figure there can be, the longest URI, and a message that grows when encoded."""
    number = 0.12345678901234568
    metrics = tuple(
        MetricValue(name=name, value=number, low=number, high=number) for name in SCORE_NAMES
    )
    result = RunResult(
        version=VERSION,
        outcome="Refused",
        reason="WorseThanChampion",
        message=letter * length,
        bundle_uri="s3://" + "b" * 1019,
        manifest_digest="sha256:" + "0" * 64,
        dataset_digest="sha256:" + "0" * 64,
        rows=Rows(train=10**9, test=10**9, duplicates=10**9, features=1000, constant_features=999),
        metrics=metrics,
        champion=ChampionComparison(
            version=VERSION,
            metric="balanced_accuracy",
            candidate=number,
            champion=number,
            gain=number,
            low=number,
            high=number,
        ),
        reused=True,
    )
    line = result.encode()

    assert len(line.encode()) <= RESULT_MAX_BYTES
    assert "\n" not in line
    assert RunResult.model_validate_json(line).metrics == metrics


def trainer(request: RunRequest, folder: Path) -> list[str]:
    """Return the command for a run."""
    (folder / "run.json").write_text(request.encode())
    return [
        *(sys.executable, "-m", "taxon_training_job.main"),
        *("--run", f"{folder}/run.json", "--result", f"{folder}/result.json"),
    ]


def searching(folder: Path) -> RunRequest:
    """Return a request with a search of four fits."""
    parameters = [{"name": "n_estimators", "values": ["3", "5"]}]
    identity = small_identity(
        pipeline={"classifier": {"parameters": parameters}}, search={"strategy": "Grid", "folds": 2}
    )
    return run_request(small_table(), folder, identity=identity)


def test_a_log_has_one_json_line_per_event(tmp_path: Path) -> None:
    """And nothing else, whatever libraries would like to say."""
    ended = subprocess.run(
        trainer(searching(tmp_path), tmp_path), capture_output=True, text=True, check=True
    )
    events: list[dict[str, Any]] = [json.loads(line) for line in ended.stderr.splitlines()]

    assert [event["event"] for event in events] == [
        *("TableRead", "Features", "Split", "Search", "Searched", "Fit"),
        *("OutOfFold", "ParityHeld", "BundleSealed", "Accepted"),
    ]
    assert {(event["model"], event["version"]) for event in events} == {("default/small", VERSION)}
    named = {event["event"]: event for event in events}
    assert (named["Search"]["fits"], named["Search"]["combinations"]) == (4, 2)
    assert [set(tried) for tried in named["Searched"]["best"]] == 2 * [{"n_estimators", "roc_auc"}]
    assert named["Fit"]["parameters"] in ({"n_estimators": "3"}, {"n_estimators": "5"})
    assert ended.stdout == ""


def test_a_terminal_shows_a_bar(tmp_path: Path) -> None:
    """The fits that are done, of those there are; no JSON."""
    own, terminal = pty.openpty()
    termios.tcsetwinsize(own, (24, 80))
    with subprocess.Popen(
        trainer(searching(tmp_path), tmp_path), stderr=terminal, stdout=terminal
    ) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                shown += os.read(own, 4096)
            except OSError:  # Linux says so once the other end is closed
                break
        process.wait(60)
    os.close(own)
    text = shown.decode()

    assert re.search(r"search: +100%.*4/4", text)
    assert not [line for line in text.splitlines() if line.startswith("{")]
    assert re.search(r"Accepted.*LimitsMet", text)


def test_a_container_ends_as_soon_as_it_is_asked_to(tmp_path: Path) -> None:
    """Its first process ignores SIGTERM unless it says otherwise, and would train on."""
    request = tmp_path / "run.json"
    os.mkfifo(request)
    first = "import os; os.getpid = lambda: 1; from taxon_training_job import main; main.main()"
    with subprocess.Popen([sys.executable, "-c", first, "--run", request]) as process:
        writing: list[int] = []
        wait_until(lambda: opened(request, writing), seconds=60)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    os.close(writing[0])


def opened(pipe: Path, writing: list[int]) -> bool:
    """Open a pipe for writing, which is possible once somebody reads it."""
    try:
        writing.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def test_bundles_are_removed_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--remove FOLDER`, as the controller's clean-up asks; the log says what cannot be."""
    bundle = tmp_path / "default" / "wine" / "v1"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text("{}")

    assert called(monkeypatch, "--remove", f"{bundle}/") == 0
    assert not bundle.exists()
    assert called(monkeypatch, "--remove", "/") == EXIT_FINAL
    closed = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a"}
    keys = closed | {"AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    assert called(monkeypatch, "--remove", "s3://taxon/default/wine/", **keys) == EXIT_RETRYABLE

"""The command KServe starts to bring a bundle to a pod."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.training import run_request, small_table, train

from taxon_bundle.bundle import Bundle, open_bundle, verify
from taxon_bundle.classifier import Classifier
from taxon_bundle.commands import fetch
from taxon_bundle.location import open_store
from taxon_contracts.canonical import sha256_digest
from taxon_contracts.manifest import SERVING_NAME, object_key

OTHER_DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def stored(s3_bucket: str, tmp_path: Path) -> Bundle:
    """Return a bundle the trainer sealed in a bucket."""
    destination = f"s3://{s3_bucket}/default/small/v0123456789/"
    return train(run_request(small_table(), tmp_path / "run", destination=destination))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the folder bundles are fetched into."""
    return tmp_path / "models"


def uri_of(bundle: Bundle, *, digest: str | None = None) -> str:
    """Return the storage URI of an InferenceService that serves ``bundle``."""
    return f"taxon+{bundle.uri}?manifest={digest or bundle.digest}"


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, uri: str, target: Path
) -> tuple[object, str]:
    """Run the command as a pod does; return its exit code and termination message."""
    log = target.with_name("termination-log")
    log.touch()
    arguments = ["fetch", uri, str(target), f"--termination-log={log}"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as caught:
        fetch.main()
    message = log.read_text()
    [line] = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["event"], json.loads(line)["reason"]) == ("BundleRefused", message)
    return caught.value.code, message


def test_a_fetched_bundle_opens_with_its_digest(stored: Bundle, target: Path) -> None:
    """What was fetched is a whole bundle that a server opens and loads from the folder."""
    fetch.fetch(fetch.Source.parse(uri_of(stored)), target)
    copy = open_bundle(str(target), stored.digest)
    verify(copy)
    assert Classifier.load(copy).classes == ("benign", "malignant")


def test_a_newer_release_s_bundle_is_fetched_as_it_was_written(
    stored: Bundle, target: Path
) -> None:
    """A manifest with a field this release does not know keeps its digest in the server's copy."""
    newer = json.dumps({"signed_by": "a newer release", **json.loads(stored.content)}).encode()
    stored.store.write("manifest.json", newer)
    digest = sha256_digest(newer)

    fetch.fetch(fetch.Source.parse(uri_of(stored, digest=digest)), target)

    copy = open_bundle(str(target), digest)
    verify(copy)
    assert copy.manifest == stored.manifest


def test_a_second_attempt_completes_the_first(stored: Bundle, target: Path) -> None:
    """A pod whose first attempt broke off half-way ends with a whole bundle."""
    source = fetch.Source.parse(uri_of(stored))
    fetch.fetch(source, target)
    (target / "manifest.json").unlink()
    fetch.fetch(source, target)
    verify(open_bundle(str(target), stored.digest))


def test_the_command_says_what_it_verified(stored: Bundle, target: Path) -> None:
    """The command KServe starts ends with 0 and names the bundle in its log."""
    command = [sys.executable, "-m", "taxon_bundle.commands.fetch", uri_of(stored), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    [line] = done.stderr.splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["uri"]) == ("BundleVerified", uri_of(stored))


def test_another_bundle_is_refused(
    stored: Bundle,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A bundle with another digest than the URI's is refused with both digests."""
    uri = uri_of(stored, digest=OTHER_DIGEST)
    code, message = refusal(monkeypatch, capsys, uri=uri, target=target)
    assert code == fetch.EXIT_FINAL
    assert message == (
        f"manifest.json: the bundle under taxon+{stored.uri} is {stored.digest},"
        f" not the requested {OTHER_DIGEST}"
    )


def test_a_tampered_file_is_refused(
    stored: Bundle,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file that was changed in the bucket is named, and no manifest is written."""
    listed = stored.manifest.files[SERVING_NAME]
    open_store(stored.uri).write(object_key(SERVING_NAME, listed.sha256), b"x" * listed.size)
    code, message = refusal(monkeypatch, capsys, uri=uri_of(stored), target=target)
    assert code == fetch.EXIT_FINAL
    assert message.startswith(f"{SERVING_NAME}: its content is not what the manifest of")
    assert not (target / "manifest.json").exists()


def test_a_missing_bundle_is_refused(
    s3_bucket: str,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A folder without a sealed bundle is named."""
    uri = f"taxon+s3://{s3_bucket}/nothing/here/?manifest={OTHER_DIGEST}"
    code, message = refusal(monkeypatch, capsys, uri=uri, target=target)
    assert code == fetch.EXIT_FINAL
    assert message == (
        f"manifest.json: no bundle is sealed under taxon+s3://{s3_bucket}/nothing/here/"
    )


def test_bad_credentials_are_refused(stored: Bundle, target: Path, tmp_path: Path) -> None:
    """Credentials the store does not know are named as the cause."""
    log = tmp_path / "termination-log"
    log.touch()
    command = [sys.executable, "-m", "taxon_bundle.commands.fetch", uri_of(stored), str(target)]
    # A process of its own: boto3 remembers the credentials a process began with.
    done = subprocess.run(
        [*command, f"--termination-log={log}"],
        env=os.environ | {"AWS_SECRET_ACCESS_KEY": "wrong"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == fetch.EXIT_FINAL
    assert log.read_text() == (
        f"{stored.uri}manifest.json is denied (SignatureDoesNotMatch):"
        " check the credentials and their rights"
    )


def test_silent_storage_is_worth_another_attempt(
    stored: Bundle,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Storage that does not answer ends in the exit code for trying again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    code, message = refusal(monkeypatch, capsys, uri=uri_of(stored), target=target)
    assert code == fetch.EXIT_RETRY
    assert "check AWS_ENDPOINT_URL and the network" in message


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="no digest"),
        pytest.param("?manifest=latest", id="not a digest"),
        pytest.param(f"?manifest={OTHER_DIGEST}&manifest={OTHER_DIGEST}", id="two digests"),
    ],
)
def test_a_uri_must_say_which_bundle(
    query: str,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A URI without exactly one digest is refused with the form it should have."""
    uri = f"taxon+s3://bucket/path/{query}"
    code, message = refusal(monkeypatch, capsys, uri=uri, target=target)
    assert code == fetch.EXIT_FINAL
    assert message == f"{uri}: end it with ?manifest=sha256:<64 hex digits>"


def test_an_unknown_scheme_is_refused(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A URI no store is behind is refused with the ones there are."""
    uri = f"ftp://host/path/?manifest={OTHER_DIGEST}"
    code, message = refusal(monkeypatch, capsys, uri=uri, target=target)
    assert code == fetch.EXIT_FINAL
    assert message == "ftp://host/path/: use s3://bucket/key, file:///folder or a path"

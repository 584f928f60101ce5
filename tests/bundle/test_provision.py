"""The buckets Job: makes buckets and puts tables there, and may run again."""

import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from taxon_bundle.commands import provision
from taxon_bundle.location import open_store, read_object
from taxon_bundle.storage import StorageDenied, StorageUnavailable
from taxon_cli.local.ports import PortBlock


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Run the command with its arguments."""
    monkeypatch.setattr(sys, "argv", ["provision", *words])
    provision.main()


def test_buckets_and_tables_are_there_afterwards(
    s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that is there stays, a missing one is made, tables are written; twice alike."""
    (tmp_path / "wine.csv").write_text("a,b\n1,2\n")
    new = f"test-{secrets.token_hex(6)}"
    for _ in range(2):
        run(monkeypatch, s3_bucket, new, f"--tables={tmp_path}", f"--into={new}")
    assert read_object(f"s3://{new}/wine.csv") == b"a,b\n1,2\n"


def test_only_tables_are_written(
    s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other files, a mounted folder's own entries among them, stay where they are."""
    for name in ("wine.csv", "shop.PARQUET", "wine.yaml", "README.md"):
        (tmp_path / name).touch()
    (tmp_path / "..data").mkdir()
    run(monkeypatch, s3_bucket, f"--tables={tmp_path}", f"--into={s3_bucket}")

    assert open_store(f"s3://{s3_bucket}/").keys() == ("shop.PARQUET", "wine.csv")


def test_buckets_alone_need_no_tables(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder only the buckets are made."""
    run(monkeypatch, s3_bucket)


def test_storage_that_stays_silent_ends_the_job(
    ports: PortBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its patience the Job fails with one sentence, and Kubernetes tries again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{ports.take()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("TAXON_PROVISION_PATIENCE_SECONDS", "0.05")
    monkeypatch.setenv("TAXON_PROVISION_PAUSE_SECONDS", "0.01")
    with pytest.raises(SystemExit, match="does not answer"):
        run(monkeypatch, "bucket")


def failing_at_first(error: Exception, tries: list[int]) -> Callable[..., None]:
    """Return what takes the place of ``provision``: it fails the first time, and counts."""

    def provision(*_: object) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise error

    return provision


def test_wrong_credentials_end_the_job_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials do not become right by waiting."""
    tries: list[int] = []
    denied = failing_at_first(StorageDenied("s3://bucket/ is denied"), tries)
    monkeypatch.setattr(provision, "provision", denied)
    with pytest.raises(SystemExit, match=r"s3://bucket/ is denied\."):
        run(monkeypatch, "bucket")
    assert len(tries) == 1


def test_storage_that_answers_later_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The object store and the Job are started at the same time."""
    tries: list[int] = []
    away = failing_at_first(StorageUnavailable("s3://bucket/ does not answer"), tries)
    monkeypatch.setattr(provision, "provision", away)
    monkeypatch.setenv("TAXON_PROVISION_PAUSE_SECONDS", "0.01")
    run(monkeypatch, "bucket")
    assert len(tries) == 2

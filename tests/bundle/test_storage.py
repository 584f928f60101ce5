"""A folder and a real S3 server behave alike, and say what is wrong in storage's own words."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from support.forwarding import forwarded_from_ipv6

from taxon_bundle import s3
from taxon_bundle.location import open_store, read_object
from taxon_bundle.s3 import create_bucket
from taxon_bundle.storage import (
    BadURI,
    ObjectMissing,
    StorageDenied,
    StorageUnavailable,
    Store,
)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return an empty store of each kind."""
    if request.param == "folder":
        return open_store(f"{tmp_path}/store/")
    bucket = request.getfixturevalue("s3_bucket")
    return open_store(f"s3://{bucket}/some/prefix/")


def test_what_is_written_is_read(store: Store) -> None:
    """Keys may have folders in them."""
    store.write("a/b.txt", b"content")

    assert store.read("a/b.txt") == b"content"


def test_a_limited_read_stops_early(store: Store) -> None:
    """An object larger than expected is not loaded whole."""
    store.write("large", b"0123456789")

    assert store.read("large", limit=4) == b"0123"


def test_a_write_goes_over_an_earlier_one(store: Store) -> None:
    """A second attempt writes the same keys again."""
    store.write("key", b"first")
    store.write("key", b"second")

    assert store.read("key") == b"second"


def test_only_the_first_create_writes(store: Store) -> None:
    """Of two attempts that seal a bundle, one does."""
    assert store.create("key", b"first")
    assert not store.create("key", b"second")
    assert store.read("key") == b"first"


def test_a_missing_object_is_reported_with_its_uri(store: Store) -> None:
    """The message names what is missing."""
    with pytest.raises(ObjectMissing, match=r"nothing\.csv does not exist"):
        store.read("nothing.csv")


def test_an_object_is_read_by_its_own_uri(store: Store) -> None:
    """Tables are named by one URI."""
    store.write("table.csv", b"a,b\n")

    assert read_object(f"{store.uri}table.csv") == b"a,b\n"


def test_a_file_uri_is_a_path(tmp_path: Path) -> None:
    """Spaces may be written %20 in a URI."""
    (tmp_path / "my table.csv").write_bytes(b"a")

    assert read_object(f"file://{tmp_path}/my%20table.csv") == b"a"


def test_a_bare_name_is_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`table.csv` is a path."""
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_bytes(b"a")

    assert read_object("table.csv") == b"a"


def test_another_scheme_is_refused_with_the_ones_there_are() -> None:
    """A web address is not a table's URI."""
    with pytest.raises(BadURI, match="use s3://"):
        open_store("https://example.com/table/")


NEVER = {
    "a way out of the bucket": ("s3://samples/../x.csv", r"has \. or \.\. as a part of its key"),
    "a way up inside the bucket": ("s3://samples/a/../x.csv", r"has \. or \.\."),
    "a line break": ("s3://samples/wine.csv\n", "contains a line break"),
    "a line break within": ("s3://sam\nples/wine.csv", "contains a line break"),
    "no bucket": ("s3:///wine.csv", "does not name a bucket"),
    "a bucket no store has": ("s3://Samples_/wine.csv", "does not name a bucket"),
}


@pytest.mark.parametrize(("uri", "sentence"), NEVER.values(), ids=NEVER.keys())
def test_a_uri_that_can_never_be_read_is_final(uri: str, sentence: str, s3_bucket: str) -> None:
    """Trying again later cannot help, so it is not an error of storage."""
    assert s3_bucket
    with pytest.raises(BadURI, match=sentence):
        read_object(uri)


def test_an_endpoint_may_be_an_ipv6_address(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster may have addresses of that kind only."""
    target = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    with forwarded_from_ipv6(str(target.hostname), int(target.port or 0)) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://[::1]:{port}")
        store = open_store(f"s3://{s3_bucket}/some/prefix/")
        store.write("key", b"content")

        assert (store.read("key"), store.keys()) == (b"content", ("key",))


def test_a_killed_write_leaves_no_partial_object_under_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file appears whole or not at all."""

    def dies(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("taxon_bundle.storage.os.fsync", dies)
    store = open_store(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        store.write("key", b"content")

    assert list(tmp_path.iterdir()) == []


def test_a_path_through_a_file_is_missing(tmp_path: Path) -> None:
    """A folder's name that is a file holds nothing."""
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ObjectMissing):
        open_store(f"{tmp_path}/file/").read("key")


def test_a_file_system_that_fails_is_worth_another_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk may be emptied."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("taxon_bundle.storage.os.fsync", full)
    with pytest.raises(StorageUnavailable, match="No space left"):
        open_store(str(tmp_path)).write("key", b"content")


def test_a_path_that_may_not_be_used_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may do anything, so the refusal is the file system's own error, raised here."""

    def refuses(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("taxon_bundle.storage.tempfile.NamedTemporaryFile", refuses)
    with pytest.raises(StorageDenied, match="check its owner"):
        open_store(str(tmp_path)).write("key", b"content")


def test_wrong_credentials_are_denied(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is about credentials, not about the object."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    with pytest.raises(StorageDenied, match="check the credentials"):
        open_store(f"s3://{s3_bucket}/").read("key")


def test_missing_credentials_are_denied(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variables to set."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")

    with pytest.raises(StorageDenied, match="AWS_ACCESS_KEY_ID"):
        open_store(f"s3://{s3_bucket}/").read("key")


def test_a_bucket_that_is_not_there_is_missing(s3_bucket: str) -> None:
    """A mistyped bucket reads like a mistyped key."""
    with pytest.raises(ObjectMissing):
        open_store(f"s3://{s3_bucket}-mistyped/").read("key")


def test_a_bucket_of_ours_may_be_created_again(s3_bucket: str) -> None:
    """Preparing storage twice does no harm."""
    create_bucket(s3_bucket)


@pytest.mark.parametrize("action", ["read", "write", "create"])
def test_a_refused_connection_is_worth_another_attempt(
    action: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every operation says that storage does not answer."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        store = open_store(f"s3://{s3_bucket}/")
        with pytest.raises(StorageUnavailable, match="does not answer"):
            getattr(store, action)(*["key", b"content"][: 1 if action == "read" else 2])


class Answers:
    """A client whose every write is answered with one error."""

    def __init__(self, code: str) -> None:
        self.code = code

    def put_object(self, **_: object) -> None:
        """Answer with the error."""
        raise ClientError({"Error": {"Code": self.code}}, "PutObject")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("ConditionalRequestConflict", StorageUnavailable),
        ("AccessDenied", StorageDenied),
        ("KeyTooLongError", BadURI),
    ],
)
def test_a_create_that_was_not_decided_is_no_answer(code: str, outcome: type[Exception]) -> None:
    """Another writer at the same key may still fail, so 409 does not mean that there is one."""
    store = s3.S3Store(Answers(code), "bucket", "")  # type: ignore[arg-type]  # a double of one method
    with pytest.raises(outcome):
        store.create("key", b"content")

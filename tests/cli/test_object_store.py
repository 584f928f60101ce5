import contextlib
import http.client
import stat
from pathlib import Path

import pytest

from taxon_bundle.location import open_store
from taxon_bundle.s3 import create_bucket
from taxon_cli.local import object_store
from taxon_cli.local.object_store import running_object_store
from taxon_cli.local.ports import PortBlock
from taxon_cli.local.processes import ProcessFailed


def test_an_object_is_created_once(s3_bucket: str) -> None:
    """The first writer of a key wins, as sealing a bundle needs it."""
    store = open_store(f"s3://{s3_bucket}/")
    assert store.create("manifest.json", b"first")

    assert not store.create("manifest.json", b"second")

    assert store.read("manifest.json") == b"first"


def test_a_bucket_may_be_asked_for_again(s3_bucket: str) -> None:
    """A bucket that is there already is left with what it holds."""
    open_store(f"s3://{s3_bucket}/").write("kept", b"1")

    create_bucket(s3_bucket)

    assert open_store(f"s3://{s3_bucket}/").read("kept") == b"1"


def test_strangers_are_refused(s3_bucket: str, s3_environment: dict[str, str]) -> None:
    """Nobody reads a bucket without the keys."""
    host = s3_environment["AWS_ENDPOINT_URL"].removeprefix("http://")
    with contextlib.closing(http.client.HTTPConnection(host, timeout=5)) as connection:
        connection.request("GET", f"/{s3_bucket}/")

        assert connection.getresponse().status == 403


def test_objects_and_keys_outlive_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second start over the same state, on other ports, finds keys and objects again."""
    for attempt in ("first", "second"):
        with PortBlock() as ports, running_object_store(tmp_path, ports) as store:
            for name, value in store.environment.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers keys
            if attempt == "first":
                create_bucket("kept")
                open_store("s3://kept/").write("object", b"1")
            assert open_store("s3://kept/").read("object") == b"1"
    assert stat.S_IMODE((tmp_path / "s3-credentials.json").stat().st_mode) == 0o600


def test_it_leaves_no_socket_behind(tmp_path: Path) -> None:
    """What the server puts outside the state folder goes with it."""
    with PortBlock() as ports, running_object_store(tmp_path, ports) as store:
        pass

    assert not list(object_store.SOCKET_FOLDER.glob(f"seaweedfs-*-{store.port}.sock"))


def test_a_server_that_does_not_start_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ends at once is reported with the end of its log."""
    monkeypatch.setattr(object_store, "SERVICES", ("s3", "nonsense"))

    with (
        PortBlock() as own_ports,
        pytest.raises(ProcessFailed, match="weed ended with exit code 2; the end of"),
        running_object_store(tmp_path, own_ports),
    ):
        pass


def test_a_missing_program_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the message names what to install."""
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))

    with (
        PortBlock() as own_ports,
        pytest.raises(ProcessFailed, match="install Taxon's extra 'local'"),
        running_object_store(tmp_path, own_ports),
    ):
        pass

"""`taxon table put` with a real object store, and with a kubectl of the test's own."""

import base64
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.processes import descendants

from taxon_bundle.location import read_object
from taxon_bundle.s3 import create_bucket
from taxon_bundle.storage import ObjectMissing
from taxon_cli.main import main
from taxon_cli.table import TABLES_BUCKET

KUBECTL = """#!{python}
import json, os, pathlib, socket, sys, threading
words = sys.argv[1:]
pathlib.Path({log!r}).open("a").write(json.dumps(words) + "\\n")
if words[0] == "get":
    answer = pathlib.Path({secret!r})
    if not answer.exists():
        sys.exit('Error from server (NotFound): secrets "taxon-tables" not found')
    print(answer.read_text())
    sys.exit(0)
if {refuses}:
    sys.exit("error: pods is forbidden: cannot create pods/portforward")
server = socket.create_server(("127.0.0.1", 0))
print(f"Forwarding from 127.0.0.1:{{server.getsockname()[1]}} -> 8333", flush=True)
def copy(source, target):
    while content := source.recv(65536):
        target.sendall(content)
while True:
    client, _ = server.accept()
    behind = socket.create_connection(("127.0.0.1", {port}))
    for pair in ((client, behind), (behind, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""
Put = Callable[..., int]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a small table."""
    file = tmp_path / "churn.csv"
    file.write_text("a,churned\n1,yes\n2,no\n")
    return file


@pytest.fixture
def put() -> Put:
    """Return what runs the command and returns its exit code."""

    def run(*words: object) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["table", "put", *map(str, words)])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return run


@pytest.fixture
def cluster(s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return what makes a cluster whose store is the tests'; it returns the log of its kubectl."""
    assert s3_bucket
    create_bucket(TABLES_BUCKET)
    real = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    keys = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}

    def made(*, refuses: bool = False, **changes: str) -> Path:
        inside = "http://taxon-object-store.taxon-system.svc:8333"
        values = keys | {"AWS_ENDPOINT_URL": inside, "AWS_REGION": "us-east-1"} | changes
        data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
        (tmp_path / "secret.json").write_text(json.dumps({"data": data}))
        program = tmp_path / "bin" / "kubectl"
        program.parent.mkdir()
        program.write_text(
            KUBECTL.format(
                python=sys.executable,
                log=str(tmp_path / "calls"),
                secret=str(tmp_path / "secret.json"),
                refuses=refuses,
                port=real.port,
            )
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        for name in list(os.environ):
            if name.startswith("AWS_"):
                monkeypatch.delenv(name)
        return tmp_path / "calls"

    return made


def test_a_table_is_stored_with_the_keys_of_the_environment(
    s3_bucket: str, table: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """The URI is the only thing on standard output, for a script to take."""
    uri = f"s3://{s3_bucket}/team/churn.csv"

    assert put(table, uri) == 0
    assert read_object(uri) == table.read_bytes()
    assert capsys.readouterr().out == f"{uri}\n"


def test_a_table_gets_into_a_cluster_by_one_command(
    cluster: Callable[..., Path],
    s3_environment: dict[str, str],
    table: Path,
    put: Put,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The keys are those of a Secret, and the store inside is reached by a forwarded port."""
    calls = cluster()

    assert put(table, "--namespace", "fraud") == 0
    words = [json.loads(line) for line in calls.read_text().splitlines()]
    assert words[0] == ["get", "secret", "taxon-tables", "--namespace=fraud", "--output=json"]
    assert words[1][:2] == ["port-forward", "--namespace=taxon-system"]
    assert words[1][3:] == ["service/taxon-object-store", ":8333"]
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    assert read_object("s3://tables/fraud/churn.csv") == table.read_bytes()


def test_the_environment_is_as_it_was_afterwards(
    cluster: Callable[..., Path], table: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """The keys of a Secret are gone with the command."""
    cluster()
    before = dict(os.environ)

    assert put(table, "--namespace", "fraud", "--replace") == 0
    assert capsys.readouterr().out == "s3://tables/fraud/churn.csv\n"
    assert dict(os.environ) == before


def test_the_same_table_may_be_put_again(
    s3_bucket: str, table: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing changes, and the command says so."""
    uri = f"s3://{s3_bucket}/churn.csv"
    put(table, uri)

    assert put(table, uri) == 0
    assert "was already stored" in capsys.readouterr().err


def test_another_table_is_overwritten_only_on_demand(
    s3_bucket: str, table: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model may have been trained from it."""
    uri = f"s3://{s3_bucket}/churn.csv"
    put(table, uri)
    table.write_text("a,churned\n3,yes\n")

    assert put(table, uri) == 2
    assert f"{uri} exists with another content: choose another name, or pass --replace" in (
        capsys.readouterr().err
    )
    assert put(table, uri, "--replace") == 0
    assert read_object(uri) == table.read_bytes()


CALLS = {
    "neither URI nor namespace": ([], "pass s3://bucket/key, or --namespace"),
    "a URI no model may name": (["s3://bucket/../churn.csv"], "uri must not have . or .. as"),
    "a URI of no table": (["s3://bucket/churn.txt"], "uri must be s3://bucket/key of a table"),
    "another suffix": (["s3://bucket/churn.parquet"], "must have the same suffix"),
}


@pytest.mark.parametrize(("words", "sentence"), CALLS.values(), ids=CALLS.keys())
def test_a_call_that_cannot_work_says_how_it_can(
    words: list[str],
    sentence: str,
    table: Path,
    put: Put,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence, before any store is asked."""
    assert put(table, *words) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", ["churn.xlsx", "missing.csv"])
def test_a_file_that_is_no_table_is_named(
    name: str, tmp_path: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked of a cluster or a store."""
    assert put(tmp_path / name, "--namespace", "fraud") == 2
    assert name in capsys.readouterr().err


def test_without_keys_the_command_says_which(
    table: Path, put: Put, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables are named, and the other way."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)

    assert put(table, "s3://bucket/churn.csv") == 2
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in capsys.readouterr().err


def test_a_secret_that_cannot_be_read_is_named(
    cluster: Callable[..., Path], table: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what kubectl says, and what to check."""
    cluster().with_name("secret.json").unlink()

    assert put(table, "--namespace", "fraud") == 1
    said = capsys.readouterr().err
    assert "Secret fraud/taxon-tables cannot be read (Error from server (NotFound)" in said


def test_a_secret_without_keys_is_named(
    cluster: Callable[..., Path], table: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is another Secret than was meant."""
    secret = cluster().with_name("secret.json")
    secret.write_text(json.dumps({"data": {"url": "eA=="}}))

    assert put(table, "--namespace", "fraud", "--secret", "other") == 1
    assert "Secret fraud/other has no AWS_ACCESS_KEY_ID and" in capsys.readouterr().err


def test_a_store_that_cannot_be_reached_is_named(
    cluster: Callable[..., Path], table: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ports may be forwarded only by who has that right."""
    cluster(refuses=True)

    assert put(table, "--namespace", "fraud") == 1
    said = capsys.readouterr().err
    assert "no connection to Service taxon-system/taxon-object-store (error: pods is fo" in said


def test_keys_that_do_not_allow_it_say_what_they_allow(
    cluster: Callable[..., Path], table: Path, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """A namespace's keys write below its own folder only."""
    cluster(AWS_SECRET_ACCESS_KEY="of someone else")  # noqa: S106 - a wrong one

    assert put(table, "s3://tables/other/churn.csv", "--namespace", "fraud") == 1
    assert "may write only below s3://tables/fraud/" in capsys.readouterr().err


def test_without_kubectl_the_command_says_so(
    table: Path, put: Put, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else reads a Secret."""
    monkeypatch.setenv("PATH", "")

    assert put(table, "--namespace", "fraud") == 1
    assert "kubectl is not installed" in capsys.readouterr().err


def test_the_forwarding_ends_with_the_command(
    cluster: Callable[..., Path], table: Path, put: Put
) -> None:
    """No kubectl is left behind."""
    cluster()
    before = descendants(os.getpid())
    put(table, "--namespace", "fraud", "--replace")

    assert descendants(os.getpid()) <= before


def test_nothing_is_stored_where_it_was_refused(s3_bucket: str, table: Path, put: Put) -> None:
    """A call that ends with 2 leaves the store as it was."""
    assert put(table, f"s3://{s3_bucket}/churn.parquet") == 2
    with pytest.raises(ObjectMissing):
        read_object(f"s3://{s3_bucket}/churn.parquet")

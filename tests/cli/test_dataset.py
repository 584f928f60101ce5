"""`taxon dataset`: what each verb prints, and what it refuses."""

import base64
import json
from pathlib import Path
from uuid import uuid4

import pytest

from taxon_bundle.location import open_store
from taxon_cli.main import main


@pytest.fixture
def name(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Return a new name for a data set in the database of the environment."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    return f"d{uuid4().hex}"


def taxon(*words: object) -> int:
    """Run `taxon dataset`; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(["dataset", *map(str, words)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def written(file: str, *lines: str) -> Path:
    """Write a file of these lines."""
    path = Path(file)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file with what kubectl answers."""
    answer = tmp_path / "answer.json"
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncat "{answer}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return answer


def test_a_version_is_made_for_a_new_content_only(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Which version has the content is printed either way, for scripts on standard output."""
    file = written("table.csv", "x,label", "1,a", "2,b")
    assert taxon("load", name, file) == 0
    out, err = capfd.readouterr()
    assert out == f"{name}/1\n"
    assert f"version 1 of data set {name} has 2 rows; view datasets_default" in err
    assert taxon("load", name, file) == 0
    out, err = capfd.readouterr()
    assert out == f"{name}/1\n"
    assert "has this content already" in err


def test_a_broken_file_is_refused_by_its_name_and_line(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The exit code says that the file is wrong."""
    assert taxon("load", name, written("table.csv", "x,label", "1,a,3")) == 2
    sentence = "table.csv: line 2 has 3 fields, the header 2: nothing is stored"
    assert sentence in capfd.readouterr().err
    assert taxon("show", name) == 2
    assert f"has no data set {name}" in capfd.readouterr().err


def test_a_file_that_is_not_there_is_named(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """In one sentence."""
    assert taxon("load", name, "absent.csv") == 1
    assert "absent.csv" in capfd.readouterr().err


def test_an_object_of_a_store_is_loaded(
    name: str, s3_bucket: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """By its URI, with the keys of the environment."""
    open_store(f"s3://{s3_bucket}/").write("table.csv", b"x,label\n1,a\n")
    assert taxon("load", name, f"s3://{s3_bucket}/table.csv") == 0
    assert capfd.readouterr().out == f"{name}/1\n"
    assert taxon("load", name, f"s3://{s3_bucket}/absent.csv") == 1
    assert "does not exist" in capfd.readouterr().err


def test_a_list_and_a_description_are_json_on_request(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """With columns, types and versions."""
    taxon("load", name, written("table.csv", "x,ok,label", "1,true,007"))
    taxon("load", name, written("table.csv", "x,ok,label", "1,true,007", "2,false,008"))
    capfd.readouterr()
    assert taxon("list", "-o", "json") == 0
    listed = {one["name"]: one for one in json.loads(capfd.readouterr().out)}
    assert (listed[name]["version"], listed[name]["rows"]) == (2, 2)
    assert taxon("show", name, "--version", 1, "-o", "json") == 0
    shown = json.loads(capfd.readouterr().out)
    assert [(one["name"], one["type"]) for one in shown["columns"]] == [
        ("x", "double precision"),
        ("ok", "boolean"),
        ("label", "text"),
    ]
    assert [one["version"] for one in shown["versions"]] == [2, 1]
    assert shown["usedBy"] is None
    assert taxon("list") == 0
    assert f"\n{name}  2        2" in capfd.readouterr().out
    assert taxon("show", name) == 0
    assert "ok      boolean           text" in capfd.readouterr().out


def test_a_difference_counts_rows_columns_and_classes(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A row that is there twice counts twice; rows are compared in the columns both have."""
    taxon("load", name, written("table.csv", "x,gone,label", "1,q,a", "1,q,a", "2,q,b"))
    taxon("load", name, written("table.csv", "label,x,new", "a,1,9", "b,two,9", "b,2,9"))
    capfd.readouterr()
    assert taxon("diff", name, 1, 2, "--target", "label") == 0
    assert capfd.readouterr().out.splitlines() == [
        "rows added     1",
        "rows gone      1",
        "columns added  new",
        "columns gone   gone",
        "column x       double precision -> text",
        "class a        66.7% -> 33.3%",
        "class b        33.3% -> 66.7%",
    ]
    assert taxon("diff", name, 1, 3) == 2
    assert "has no version 3: its newest is 2" in capfd.readouterr().err
    assert taxon("diff", name, 1, 2, "--target", "gone") == 2
    assert "version 2 of data set" in capfd.readouterr().err


def test_a_version_is_exported_in_either_format(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The suffix decides; what went to Parquet and back is the same."""
    lines = ("x,ok,label", "1.5,true,007", "-0.0,,a b", '+2,false,"a,b"')
    taxon("load", name, written("table.csv", *lines))
    assert taxon("export", name, "same.csv") == 0
    assert Path("same.csv").read_text() == Path("table.csv").read_text()
    assert taxon("export", name, "typed.parquet") == 0
    taxon("load", name, "typed.parquet")
    assert taxon("export", name, "--version", 2, "back.csv") == 0
    assert Path("back.csv").read_text() == ('x,ok,label\n1.5,true,007\n-0,,a b\n2,false,"a,b"\n')
    assert taxon("export", name, "table.xlsx") == 2
    assert "must end with .csv or .parquet" in capfd.readouterr().err


def test_what_a_model_uses_is_not_deleted(
    name: str, kubectl: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither what a spec names, nor what a kept version was trained on; both are named."""
    for rows in (("1,a",), ("1,a", "2,b"), ("1,a", "2,b", "3,c")):
        taxon("load", name, "-n", "team", written("table.csv", "x,label", *rows))
    follower = {
        "metadata": {"name": "fraud"},
        "spec": {"dataset": {"table": {"name": name}}},
        "status": {
            "versions": [
                {"version": "v1", "outcome": "Accepted", "dataset": {"name": name, "version": 2}},
                {"version": "v0", "outcome": "Failed", "dataset": {"name": name, "version": 1}},
            ]
        },
    }
    kubectl.write_text(json.dumps({"items": [follower]}))
    capfd.readouterr()
    for words, user in (
        (("--version", 2), "version v1 of model fraud"),
        (("--version", 3), "model fraud"),
        ((), "model fraud, version v1 of model fraud"),
    ):
        assert taxon("delete", name, "-n", "team", "--yes", *words) == 3
        assert f"is used by {user}: nothing is deleted" in capfd.readouterr().err
    assert taxon("show", name, "-n", "team") == 0
    assert "version v1 of model fraud  2" in capfd.readouterr().out
    assert taxon("delete", name, "-n", "team", "--yes", "--version", 1) == 0
    kubectl.write_text('{"items": []}')
    assert taxon("delete", name, "-n", "team", "--yes") == 0
    assert "deleted 2 versions" in capfd.readouterr().err
    assert taxon("show", name, "-n", "team") == 2


def test_a_deletion_is_confirmed_and_knows_the_models(
    name: str, kubectl: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without either, everything stays."""
    taxon("load", name, "-n", "team", written("table.csv", "x,label", "1,a"))
    kubectl.write_text('{"items": []}')
    assert taxon("delete", name, "-n", "team") == 2
    assert "nothing is deleted: answer y, or pass --yes" in capfd.readouterr().err
    taxon("load", name, "table.csv")
    assert taxon("delete", name, "--yes") == 2
    assert "pass --namespace" in capfd.readouterr().err
    kubectl.write_text("no JSON")
    assert taxon("delete", name, "-n", "team", "--yes") == 1
    assert "the models of namespace team are not what they should be" in capfd.readouterr().err


def test_the_database_of_a_cluster_is_that_of_its_secret(
    name: str,
    database_url: str,
    kubectl: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its key is url; without it the sentence has the remedy."""
    monkeypatch.delenv("DATABASE_URL")
    kubectl.write_text(
        json.dumps({"data": {"url": base64.b64encode(database_url.encode()).decode()}})
    )
    assert taxon("load", name, "-n", "team", written("table.csv", "x,label", "1,a")) == 0
    assert capfd.readouterr().out == f"{name}/1\n"
    kubectl.write_text('{"data": {}}')
    assert taxon("list", "-n", "team") == 1
    assert "Secret team/taxon-datasets has no url: set DATABASE_URL" in capfd.readouterr().err


def test_a_url_of_another_database_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before anything is read, and without the password."""
    monkeypatch.setenv("DATABASE_URL", "mysql://me:secret@host/db")
    assert taxon("show", name) == 2
    assert "must be like postgresql://" in (err := capfd.readouterr().err)
    assert "secret" not in err

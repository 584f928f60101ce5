"""`taxon labels load`: files, what becomes of their labels, and servers that fail."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxon_cli.labels import server as label_server
from taxon_cli.main import main

Load = Callable[..., int]
KUBECTL = """#!{python}
import json, sys, time
if sys.argv[1] == "get":
    assert sys.argv[2:4] == ["classifiermodels.taxon.dev", "churn"], sys.argv
    print(json.dumps({{"status": {{"url": {url!r}}}}}))
    sys.exit(0)
assert "service/churn" in sys.argv and ":80" in sys.argv, sys.argv
print("Forwarding from 127.0.0.1:{port} -> 8000", flush=True)
time.sleep(60)
"""


class FakeServer:
    """Refuses labels that are not yes or no, after the failures it was given."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.paths: set[str] = set()
        self.failures: list[tuple[int, dict[str, str], str]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(200, {}, "{}")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._say(*fake.answer(self.path, body["labels"]))

            def _say(self, code: int, headers: dict[str, str], text: str) -> None:
                self.send_response(code)
                for name, value in (headers | {"Content-Length": str(len(text))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]

    def answer(self, path: str, items: list[dict[str, Any]]) -> tuple[int, dict[str, str], str]:
        """Return code, headers and text."""
        if self.failures:
            return self.failures.pop(0)
        self.paths.add(path)
        self.items += items
        results = [
            {"index": index, "outcome": "accepted"}
            if item["label"] in ("yes", "no", 1)
            else {"index": index, "outcome": "refused", "reason": f"{item['label']} is no class"}
            for index, item in enumerate(items)
        ]
        return 200, {}, json.dumps({"results": results})


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Yield a running server."""
    fake = FakeServer()
    thread = threading.Thread(target=fake.http.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    fake.http.shutdown()
    thread.join()
    fake.http.server_close()


@pytest.fixture
def load(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return what runs the command against the server and returns its exit code."""
    monkeypatch.setattr(label_server, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(label_server, "LONGEST_PAUSE_SECONDS", 0.01)

    def run(file: Path, *words: str) -> int:
        where = words or ("--url", f"http://127.0.0.1:{server.port}/")
        with pytest.raises(SystemExit) as ended:
            main(["labels", "load", str(file), *where])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return run


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Return what writes a CSV file."""

    def write(content: str | bytes) -> Path:
        file = tmp_path / "labels.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


Csv = Callable[[str | bytes], Path]


def test_every_column_is_sent(load: Load, server: FakeServer, csv: Csv) -> None:
    """Empty cells are absent, and columns of other purposes are left out."""
    file = csv(
        "\ufeffprediction_id,request_id,label,observed_at,submitter,note\r\n"
        "p1,,yes,2026-01-02T03:04:05Z,lab,hello\r\n"
        '\r\n,"r\n2",no,,,\r\n'
    )

    assert load(file) == 0
    assert server.paths == {"/labels"}
    assert server.items == [
        {
            "prediction_id": "p1",
            "label": "yes",
            "observed_at": "2026-01-02T03:04:05Z",
            "submitter": "lab",
        },
        {"request_id": "r\n2", "label": "no"},
    ]


def test_refused_labels_are_listed_with_their_lines(
    load: Load, csv: Csv, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each on standard output with its reason; the others are kept, and the exit code says so."""
    file = csv('request_id,label\nr1,yes\n"r\n2",maybe\nr3\nr4,no\nr5,perhaps\n')

    assert load(file) == 3
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"{file}:3: maybe is no class",
        f"{file}:5: it has 1 cells, the header 2",
        f"{file}:7: perhaps is no class",
    ]
    assert "taxon: 5 labels: 2 accepted, 0 pending, 3 refused" in said.err


def test_a_long_file_is_sent_in_chunks(load: Load, server: FakeServer, csv: Csv) -> None:
    """In the order of the file."""
    file = csv("label,request_id\n" + "".join(f"yes,r{place}\n" for place in range(4_500)))

    assert load(file) == 0
    assert [item["request_id"] for item in server.items] == [f"r{n}" for n in range(4_500)]


def test_a_parquet_file_has_types(
    load: Load, server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times and integers are sent as such; a refused label is named by its row."""
    file = tmp_path / "labels.parquet"
    seen = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    table = {"request_id": ["r1", "r2"], "label": [1.0, 2.0], "observed_at": [seen, None]}
    pq.write_table(pa.table(table), file)

    assert load(file) == 3
    assert server.items == [
        {"request_id": "r1", "label": 1, "observed_at": "2026-01-02T03:04:05+00:00"},
        {"request_id": "r2", "label": 2},
    ]
    assert capsys.readouterr().out == f"{file}:2: 2 is no class\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it needs the columns label and prediction_id or request_id, it has none"),
        ("id,label\n1,yes\n", "it has id, label"),
        ("prediction_id\np1\n", "needs the columns label"),
        ("label,label,request_id\n", "it has several columns label"),
        ("request_id,label\n", "it has no labels"),
        (b"request_id,label\nr1,yes\nr2,\xff\n", "line 3 is not UTF-8"),
        ('request_id,label\nr1,"yes\n', "line 2: unexpected end of data"),
    ],
)
def test_a_file_that_has_no_labels_is_refused(
    load: Load, csv: Csv, capsys: pytest.CaptureFixture[str], content: str | bytes, said: str
) -> None:
    """With one sentence that names file, line and remedy."""
    assert load(csv(content)) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [("labels.txt", "must end with .csv or .parquet"), ("labels.csv", "No such file")],
)
def test_a_file_that_is_not_there_is_refused(
    load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    """Or is of another format."""
    assert load(tmp_path / name) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_only_says_it_is_parquet_is_refused(
    load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one sentence."""
    file = tmp_path / "labels.parquet"
    file.write_bytes(b"label\n")

    assert load(file) == 2
    assert "it cannot be read as Parquet" in capsys.readouterr().err


def test_a_busy_server_is_asked_again(load: Load, server: FakeServer, csv: Csv) -> None:
    """A 503, a 429 and a gateway's 502 pass; the labels arrive once."""
    server.failures = [
        (503, {"Retry-After": "1"}, '{"detail": "the spool is full"}'),
        (429, {}, ""),
        (502, {}, "<html>"),
    ]

    assert load(csv("request_id,label\nr1,yes\n")) == 0
    assert len(server.items) == 1


def test_a_server_that_stays_busy_ends_the_command(
    load: Load,
    server: FakeServer,
    csv: Csv,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After its patience, with the server's sentence and the remedy."""
    monkeypatch.setattr(label_server, "PATIENCE_SECONDS", 0.05)
    server.failures = [(503, {}, '{"detail": "the spool is full"}')] * 1000

    assert load(csv("request_id,label\nr1,yes\n")) == 1
    said = capsys.readouterr().err
    assert "it answers 503 (the spool is full): load the file again later" in said


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        ((409, '{"detail": "predictions are not logged"}'), "answers 409 (predictions are not"),
        ((404, "<h1>Not Found</h1>"), "answers 404 (<h1>Not Found</h1>)"),
        ((200, "<html>"), "did not answer with JSON: check the URL"),
        ((200, "[]"), "did not answer as a Taxon server"),
    ],
)
def test_a_server_that_refuses_ends_the_command(
    load: Load,
    server: FakeServer,
    csv: Csv,
    capsys: pytest.CaptureFixture[str],
    *,
    answered: tuple[int, str],
    said: str,
) -> None:
    """At once, with what it says."""
    server.failures = [(answered[0], {}, answered[1])]

    assert load(csv("request_id,label\nr1,yes\n")) == 1
    assert said in capsys.readouterr().err


def test_a_server_that_is_away_ends_the_command(
    load: Load,
    csv: Csv,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also one that was never there."""
    monkeypatch.setattr(label_server, "PATIENCE_SECONDS", 0.05)

    assert load(csv("request_id,label\nr1,yes\n"), "--url", "http://127.0.0.1:1") == 1
    assert "it does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--url", "ftp://x"), "is not a URL like"),
        (("--url", "127.0.0.1:8000"), "is not a URL like"),
        (("--namespace", "default"), "pass --namespace NAMESPACE and MODEL together"),
        (("churn", "--url", "http://x"), "pass --namespace NAMESPACE and MODEL together"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    load: Load, csv: Csv, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    """With the remedy."""
    assert load(csv("request_id,label\nr1,yes\n"), *words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("reached", [True, False])
def test_a_model_of_the_cluster_is_reached(
    load: Load,
    server: FakeServer,
    csv: Csv,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    reached: bool,
) -> None:
    """At its URL, or through a forwarded port where this machine does not reach the URL."""
    url = f"http://127.0.0.1:{server.port if reached else 1}"
    port = 1 if reached else server.port
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL.format(python=sys.executable, url=url, port=port))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    assert load(csv("request_id,label\nr1,yes\n"), "churn", "--namespace", "default") == 0
    assert server.paths == {"/v2/models/churn/labels"}

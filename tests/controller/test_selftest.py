"""`helm test`: a tiny model is made, awaited, asked and removed."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from taxon_contracts.resource import ClassifierModel
from taxon_controller.commands import selftest
from taxon_controller.commands.selftest import ROW, Settings, TestFailed, carry_out
from taxon_kube.api import MODEL, AlreadyExists, Kind, Manifest

SETTINGS = Settings(
    namespace="fraud", patience_seconds=0.05, answer_seconds=0.05, pause_seconds=0.01
)


class Models:
    """A cluster that says one thing about every model."""

    def __init__(self, *conditions: Manifest) -> None:
        self.conditions = list(conditions)
        self.kept: Manifest | None = None
        self.made: Manifest | None = None

    def create(self, manifest: Manifest) -> Manifest:
        """Keep the model."""
        if self.kept is not None:
            raise AlreadyExists("there is one")
        self.kept = self.made = manifest
        return manifest

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the model with its status."""
        assert (kind, namespace, name) == (MODEL, "fraud", "taxon-selftest")
        if self.kept is None:
            return None
        address = {"url": "http://model"}
        return self.kept | {"status": {"conditions": self.conditions, "address": address}}

    def delete(self, kind: Kind, manifest: Manifest) -> None:
        """Forget the model."""
        assert kind == MODEL
        assert manifest
        self.kept = None


def condition(kind: str, status: str, reason: str) -> Manifest:
    """Return a condition."""
    return {"type": kind, "status": status, "reason": reason, "message": "as it is"}


READY = condition("Ready", "True", "VersionLive")
TRAINING = condition("Ready", "False", "Training")
STALLED = condition("Stalled", "True", "DatasetNotFound")


def answer(_url: str, _model: str) -> str:
    """Answer as a model would."""
    return "class_0"


def test_a_ready_model_is_asked_and_removed() -> None:
    """What the model answers is the result, and nothing of it is left."""
    models = Models(READY)
    assert carry_out(models, answer, SETTINGS) == "class_0"
    assert models.kept is None


def test_a_model_may_answer_a_moment_after_it_is_ready() -> None:
    """Nodes learn of a Service late, so a first failure is no failure of the test."""
    answers: Iterator[TestFailed | str] = iter([TestFailed("no route"), "class_0"])

    def late(_url: str, _model: str) -> str:
        said = next(answers)
        if isinstance(said, TestFailed):
            raise said
        return said

    assert carry_out(Models(READY), late, SETTINGS) == "class_0"


def test_a_model_that_never_answers_fails_and_is_removed() -> None:
    """Its patience is bounded."""
    models = Models(READY)

    def silent(_url: str, _model: str) -> str:
        raise TestFailed("no route")

    with pytest.raises(TestFailed, match="no route"):
        carry_out(models, silent, SETTINGS)
    assert models.kept is None


def test_the_model_is_a_valid_one() -> None:
    """The resource that is made is one the definition accepts."""
    models = Models(READY)
    carry_out(models, answer, SETTINGS)
    assert ClassifierModel.model_validate(models.made)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        pytest.param((TRAINING,), "not Ready after 0 s, Training: as it is", id="too-slow"),
        pytest.param((TRAINING, STALLED), "the model is stalled, Training: as it is", id="stalled"),
        pytest.param((), "not Ready after 0 s, no condition: none", id="no-controller"),
    ],
)
def test_a_model_that_does_not_get_ready_fails_with_its_reason(
    conditions: tuple[Manifest, ...], message: str
) -> None:
    """The condition's own words say why, and the model is removed."""
    models = Models(*conditions)
    with pytest.raises(TestFailed, match=message):
        carry_out(models, answer, SETTINGS)
    assert models.kept is None


def test_a_model_of_that_name_stays_untouched() -> None:
    """A model that was there before is not taken for the test's own."""
    models = Models(READY)
    models.kept = {"metadata": {}}
    with pytest.raises(TestFailed, match="fraud/taxon-selftest exists already"):
        carry_out(models, answer, SETTINGS)
    assert models.kept is not None


@contextmanager
def server(content: bytes) -> Iterator[tuple[str, list[Any]]]:
    """Yield the URL of a server that answers so, and what it was asked."""
    asked: list[Any] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            asked.append((self.path, json.loads(self.rfile.read(length))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}", asked
        finally:
            http.shutdown()
            thread.join()


def test_one_row_is_asked_over_v2() -> None:
    """The question is one row over the Open Inference Protocol; the label is the answer."""
    content = json.dumps({"outputs": [{"name": "label", "data": ["class_0"]}]}).encode()
    with server(content) as (url, asked):
        assert selftest.ask(url, "wine") == "class_0"
    [(path, body)] = asked
    assert path == "/v2/models/wine/infer"
    assert body["inputs"][0]["data"] == ROW


def test_an_answer_without_a_label_is_a_failure() -> None:
    """Whatever else answers at the URL is not taken for a model."""
    with server(b"<html>") as (url, _), pytest.raises(TestFailed, match="gave no label"):
        selftest.ask(url, "wine")

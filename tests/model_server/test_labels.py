"""Labels over HTTP: what becomes of each item, and of the request."""

import json
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from model_server.client import Client
from model_server.conftest import MakeClient
from model_server.kept_labels import MINE, NEW, NOW, OLD, OTHERS, KeptLabels, id_at

from taxon_bundle.bundle import Bundle
from taxon_contracts.metrics import LABELS_RECEIVED

PATHS = ("/v2/models/small/labels", "/v2/models/small/versions/v0123456789/labels", "/labels")


@pytest.fixture
def kept() -> KeptLabels:
    """Return a log and a database of the test's own."""
    return KeptLabels()


@pytest.fixture
def labelled(make_client: MakeClient, kept: KeptLabels) -> Client:
    """Return a client of a server that takes labels of the classes benign and malignant."""
    return make_client(labels=kept)


def take(client: Client, *items: Any, path: str = "/labels") -> dict[str, Any]:
    """Send labels; return the answer."""
    response = client.post(path, json={"labels": items})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def label(**changes: Any) -> dict[str, Any]:
    """Return a label of a known prediction."""
    return {"prediction_id": str(MINE), "label": "malignant"} | changes


@pytest.mark.parametrize("path", PATHS)
def test_a_label_is_kept_before_it_is_accepted(
    labelled: Client, kept: KeptLabels, path: str
) -> None:
    """Each of the three paths takes it, and its row has what was sent."""
    seen = "2026-01-02T03:04:05.000006+02:00"
    answer = take(labelled, label(observed_at=seen, submitter="lab 7"), path=path)

    [row] = kept.values
    assert answer == {
        "accepted": 1,
        "pending": 0,
        "refused": 0,
        "results": [{"index": 0, "outcome": "accepted"}],
    }
    assert row[1:6] == [b"default", b"small", MINE.bytes, None, b'\x01"malignant"']
    assert row[8] == b"lab 7"


@pytest.mark.parametrize(
    ("item", "outcome", "said"),
    [
        (label(), "accepted", None),
        (label(prediction_id=str(OTHERS)), "refused", "is of model 'birds'"),
        (label(prediction_id=str(NEW)), "pending", "the log does not have its prediction yet"),
        (label(prediction_id=str(OLD)), "refused", f"the log has no prediction {OLD}"),
        ({"request_id": "one", "label": "benign"}, "accepted", None),
        ({"request_id": "three", "label": "benign"}, "refused", "'three' has 3 predictions: label"),
        ({"request_id": "none", "label": "benign"}, "pending", "does not have its prediction yet"),
        ({"request_id": "", "label": "benign"}, "refused", "request_id '' is not a text"),
        ({"request_id": "a\0", "label": "benign"}, "refused", "no NUL"),
        ({"request_id": 7, "label": "benign"}, "refused", "request_id 7 is not a text"),
        ({"label": "benign"}, "refused", "send either prediction_id or request_id"),
        (label(request_id="one"), "refused", "send either prediction_id or request_id"),
        ({"prediction_id": str(MINE)}, "refused", "it has no label"),
        (label(label="Malignant"), "refused", "'Malignant' is not a class of the model: 'benign',"),
        (label(label=1), "refused", "label 1 is not a class"),
        (label(label=None), "refused", "label None is not a class"),
        (label(label=["benign"]), "refused", "is not a class"),
        (label(label="x" * 10**6), "refused", "is not a class"),
        (label(prediction_id="r7"), "refused", "prediction_id 'r7' cannot be one"),
        (label(prediction_id=7), "refused", "prediction_id 7 cannot be one"),
        (label(prediction_id=str(uuid4())), "refused", "a UUID of version 7"),
        (label(prediction_id=str(id_at(NOW + timedelta(hours=1)))), "refused", "in the future"),
        (label(prediction_id="ffffffff-ffff-7fff-bfff-ffffffffffff"), "refused", "cannot be one"),
        (label(observed_at="2026-01-02"), "refused", "is not a time of RFC 3339"),
        (label(observed_at="2026-13-02T00:00:00Z"), "refused", "is not a time of RFC 3339"),
        (label(observed_at="0001-01-01T00:00:00+14:00"), "refused", "is not a time of RFC 3339"),
        (label(observed_at=1767312000), "refused", "is not a time of RFC 3339"),
        (label(observed_at="2026-01-02T03:04:05"), "refused", "has no offset from UTC: add Z"),
        (label(observed_at="9998-01-02T03:04:05Z"), "refused", "is in the future"),
        (label(submitter="x" * 257), "refused", "submitter has 257 characters: send at most 256"),
        (label(observd_at="x"), "refused", "unknown key 'observd_at': the keys are prediction_id,"),
        (label(Submitter="x"), "refused", "unknown key 'Submitter': it may be 'submitter'"),
        ("malignant", "refused", "it is not an object"),
        (None, "refused", "it is not an object"),
    ],
    ids=map(str, count()),  # the ids of predictions differ from run to run
)
def test_each_item_is_judged_by_itself(
    labelled: Client, kept: KeptLabels, item: Any, outcome: str, said: str | None
) -> None:
    """Whatever one item is, the label beside it is accepted."""
    answer = take(labelled, item, label())

    [first, second] = answer["results"]
    assert (first["index"], first["outcome"], second["outcome"]) == (0, outcome, "accepted")
    assert said is None or said in first["reason"]
    assert len(kept.values) == (1 if outcome == "refused" else 2)


def test_a_label_by_request_id_is_stored_under_its_prediction(
    labelled: Client, kept: KeptLabels
) -> None:
    """Where a request has one prediction its id is known; where it has none yet, the request's."""
    take(labelled, *({"request_id": name, "label": "benign"} for name in ("one", "none")))

    assert [row[3:5] for row in kept.values] == [[MINE.bytes, None], [None, b"none"]]


def test_a_label_is_pending_while_the_database_is_away(labelled: Client, kept: KeptLabels) -> None:
    """It is kept all the same, also one that could have been refused."""
    kept.database = RuntimeError("down")
    answer = take(
        labelled, label(), label(prediction_id=str(OLD)), {"request_id": "three", "label": "benign"}
    )

    assert (answer["accepted"], answer["pending"], answer["refused"]) == (0, 3, 0)
    assert "the log cannot be asked now" in answer["results"][0]["reason"]
    assert len(kept.values) == 3


def test_labels_that_cannot_be_kept_are_to_be_sent_again(
    labelled: Client, kept: KeptLabels
) -> None:
    """The answer is a 503 that says when, and nothing counts as taken."""
    kept.disk = OSError("the disk is full")
    response = labelled.post(PATHS[0], json={"labels": [label()]})

    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert "cannot be written to the server's spool now" in response.json()["error"]
    lines = labelled.get("/metrics").text.splitlines()
    counts = [line.split()[-1] for line in lines if line.startswith(f"{LABELS_RECEIVED.name}{{")]
    assert counts == ["0.0"] * 3


def test_the_same_label_has_the_same_id(labelled: Client, kept: KeptLabels) -> None:
    """Sent again it changes nothing, however its time is written; another one is another row."""
    same = [
        label(observed_at="2026-01-02T03:04:05Z", submitter="one"),
        label(observed_at="2026-01-02T05:04:05.000+02:00", submitter="two"),
    ]
    others = [
        label(),
        label(label="benign"),
        label(observed_at="2026-01-02T03:04:06Z"),
        {"request_id": "one", "label": "malignant"},
    ]
    for item in (*same, *others):
        take(labelled, item)

    ids = [row[0] for row in kept.values]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 1 + len(others)


def test_of_two_labels_of_a_request_the_later_is_received_later(
    labelled: Client, kept: KeptLabels
) -> None:
    """A correction in the same request counts, also without a time of observation."""
    take(labelled, label(), label(label="benign"))

    times = [int.from_bytes(row[7] or b"", "big") for row in kept.values]
    assert times[1] == times[0] + 1


def test_integers_may_come_as_text(
    make_client: MakeClient, kept: KeptLabels, three_classes: Bundle
) -> None:
    """A file of labels has no types: both are stored as the model's classes are."""
    client = make_client(served=three_classes, labels=kept)
    answer = take(client, *(label(label=value) for value in (10, "10", "10.0", True)))

    assert [one["outcome"] for one in answer["results"]] == [*["accepted"] * 2, *["refused"] * 2]
    assert [row[5] for row in kept.values] == [b"\x0110", b"\x0110"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"[]", 'send {"labels": [...]} with at least one label'),
        (b'{"labels": []}', "at least one label"),
        (b'{"labels": {}}', "at least one label"),
        (b'{"rows": [1]}', "at least one label"),
        (b"[" * 100_000, "not JSON"),
        (b'{"labels": ["\\ud800"]}', "not JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_request_without_labels_is_refused(labelled: Client, body: bytes, said: str) -> None:
    """Each path answers as its other errors do: 400 with a sentence, or 422 with a list."""
    v2 = labelled.post(PATHS[0], content=body)
    plain = labelled.post("/labels", content=body)

    assert (v2.status_code, plain.status_code) == (400, 422)
    assert said in v2.json()["error"]
    assert said in plain.json()["detail"][0]["msg"]


@pytest.mark.parametrize("path", PATHS)
def test_a_request_has_ten_thousand_labels_at_most(
    labelled: Client, kept: KeptLabels, path: str
) -> None:
    """One more is refused as a whole; the sentence says how many may be sent."""
    items = [label()] * 10_001
    over = labelled.post(path, json={"labels": items})
    most = labelled.post(path, json={"labels": items[1:]})

    assert over.status_code == 413
    assert "send at most 10000 at a time" in over.text
    assert most.json()["accepted"] == len(kept.values) == 10_000


def test_a_body_over_its_limit_is_refused(make_client: MakeClient, kept: KeptLabels) -> None:
    """The limits of the other requests hold."""
    client = make_client(labels=kept, max_body_bytes=1024)
    response = client.post("/labels", json={"labels": [label()] * 100})

    assert response.status_code == 413


def test_the_rate_limit_holds(make_client: MakeClient, kept: KeptLabels) -> None:
    """Labels and predictions of a client count together."""
    client = make_client(labels=kept, rate_limit="1/hour")
    client.post("/predict", json={"length": 1.1, "width": 2.2, "batch": 7})

    assert client.post("/labels", json={"labels": [label()]}).status_code == 429


@pytest.mark.parametrize("path", PATHS)
def test_where_nothing_is_logged_labels_are_refused(client: Client, path: str) -> None:
    """The sentence says what to set."""
    response = client.post(path, json={"labels": [label()]})

    assert response.status_code == 409
    assert "set spec.serving.predictionLog.mode to Full or WithoutFeatures" in response.text


@pytest.mark.parametrize(
    "path", ["/v2/models/birds/labels", "/v2/models/small/versions/v9999999999/labels"]
)
def test_another_models_path_is_not_here(labelled: Client, path: str) -> None:
    """As for every other path of V2."""
    assert labelled.post(path, json={"labels": [label()]}).status_code == 404


def test_a_server_without_its_model_takes_no_labels(
    make_client: MakeClient, kept: KeptLabels
) -> None:
    """Which classes there are is not known yet."""
    client = make_client(labels=kept, loaded=False)

    assert client.post("/labels", json={"labels": [label()]}).status_code == 503
    assert kept.rows == []


def test_labels_are_counted_by_what_became_of_them(labelled: Client) -> None:
    """Each outcome has its counter, and the request is counted by its route."""
    take(labelled, label(), label(label="x"), label(prediction_id=str(NEW)), path=PATHS[0])
    scraped = labelled.get("/metrics").text

    for outcome in ("accepted", "pending", "refused"):
        sample = f'{{model="small",outcome="{outcome}",version="v0123456789"}} 1.0'
        assert f"{LABELS_RECEIVED.name}{sample}" in scraped
    assert 'endpoint="/v2/models/{model}/labels"' in scraped


def test_a_reason_is_short_whatever_was_sent(labelled: Client) -> None:
    """An answer does not repeat a megabyte."""
    answer = take(labelled, label(label="x" * 10**6))

    assert len(json.dumps(answer)) < 500

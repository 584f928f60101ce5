import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from model_server.client import Client
from model_server.conftest import MakeClient

from taxon_bundle.bundle import Bundle
from taxon_bundle.classifier import Classifier
from taxon_model_server.rest.plain_schema import Health, Info, Prediction, Predictions

ROW = {"length": 1.1, "width": 2.2, "batch": 7}
TOO_LARGE = "is too large for the classifier"


def problems(client: Client, path: str, body: Any) -> list[tuple[list[str | int], str]]:
    """Return where a refused request is wrong and the kinds of its mistakes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(path, content=content)
    assert answer.status_code == 422, answer.text
    return [(problem["loc"], problem["type"]) for problem in answer.json()["detail"]]


def test_predict_answers_one_row(client: Client, bundle: Bundle) -> None:
    """/predict answers the class, its probability and that of each class, and who says so."""
    answer = client.post("/predict", json=ROW).json()
    expected = Classifier.load(bundle).probabilities(np.array([[1.1, 2.2, 7.0]]))[0].tolist()
    given = datetime.fromisoformat(answer.pop("timestamp"))

    assert datetime.now(UTC) - given < timedelta(minutes=1)
    assert answer == {
        "prediction": "malignant",
        "confidence": expected[1],
        "probability_class_0": expected[0],
        "probability_class_1": expected[1],
        "probabilities": {"benign": expected[0], "malignant": expected[1]},
        "model": "small",
        "version": "v0123456789",
    }


def test_beyond_two_classes_probabilities_go_by_name(
    make_client: MakeClient, three_classes: Bundle
) -> None:
    """With three classes every one has its probability by name, and the binary fields are gone."""
    answer = make_client(served=three_classes).post("/predict", json=ROW).json()

    assert set(answer["probabilities"]) == {"10", "20", "30"}
    assert answer["prediction"] in (10, 20, 30)
    assert not {"probability_class_0", "probability_class_1"} & set(answer)


def test_the_order_of_the_features_does_not_matter(client: Client) -> None:
    """Features go by name: another order gives the same answer."""
    first, second = (
        client.post("/predict", json=ROW),
        client.post("/predict", json=dict(reversed(ROW.items()))),
    )

    assert first.json()["probabilities"] == second.json()["probabilities"]


def test_predict_batch_answers_row_by_row(client: Client) -> None:
    """/predict-batch answers each row as /predict does, in order, under one head."""
    rows = [ROW, ROW | {"length": 0.1, "width": 0.2}]
    answer = client.post("/predict-batch", json={"rows": rows}).json()
    alone = [client.post("/predict", json=row).json() for row in rows]

    assert [one["prediction"] for one in answer["predictions"]] == ["malignant", "benign"]
    for one, expected in zip(answer["predictions"], alone, strict=True):
        assert one.items() <= expected.items()
    assert (answer["model"], answer["version"]) == ("small", "v0123456789")


@pytest.mark.parametrize(
    ("change", "field", "kind"),
    [
        ({"width": None}, "width", "missing"),
        ({"width": "2.2"}, "width", "float_type"),
        ({"width": True}, "width", "float_type"),
        ({"width": [1]}, "width", "float_type"),
        ({"width": float("nan")}, "width", "missing"),
        ({"width": float("-inf")}, "width", "finite_number"),
        ({"width": 10**400}, "width", "finite_number"),
        ({"batch": float("inf")}, "batch", "finite_number"),
        ({"width": 1e300}, "width", "finite_number"),
        ({"height": 1.0}, "height", "extra_forbidden"),
    ],
)
def test_a_wrong_value_is_422_with_its_field(
    client: Client, change: dict[str, Any], field: str, kind: str
) -> None:
    """A value the feature does not take is a 422 whose place ends with the field's name."""
    assert problems(client, "/predict", ROW | change) == [(["body", field], kind)]


def test_a_missing_feature_is_named(client: Client) -> None:
    """A missing feature is a 422 with its name, also one the classifier ignores."""
    assert problems(client, "/predict", {"length": 1, "width": 1}) == [
        (["body", "batch"], "missing")
    ]


def test_everything_wrong_is_listed_at_once(client: Client) -> None:
    """All mistakes of a row are listed together."""
    found = problems(client, "/predict", {"length": "x", "height": 1, "batch": 10**400})

    assert found == [
        (["body", "width"], "missing"),
        (["body", "length"], "float_type"),
        (["body", "height"], "extra_forbidden"),
        (["body", "batch"], "finite_number"),
    ]


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", "json_invalid"), (b"{", "json_invalid"), (b"[]", "dict_type"), (b"1", "dict_type")],
)
def test_a_body_that_is_not_an_object_is_422(client: Client, body: bytes, kind: str) -> None:
    """A body that is not a JSON object is a 422 for the body as a whole."""
    assert problems(client, "/predict", body) == [(["body"], kind)]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "rows"]),
        ({"rows": {}}, ["body", "rows"]),
        ({"rows": []}, ["body", "rows"]),
        ({"instances": [ROW]}, ["body", "rows"]),
        ([], ["body"]),
        (7, ["body"]),
    ],
)
def test_a_batch_needs_rows(client: Client, body: Any, place: list[str]) -> None:
    """A batch without a list of rows is a 422 that names where the list should be."""
    assert problems(client, "/predict-batch", body) == [(place, "list_type")]


def test_a_bare_list_is_answered_with_a_bare_list(client: Client) -> None:
    """/predict-batch takes a JSON list of objects and answers each as /predict does, in a list."""
    rows = [ROW, ROW | {"length": 0.1, "width": 0.2}]
    answers = client.post("/predict-batch", json=rows).json()

    assert [answer["prediction"] for answer in answers] == ["malignant", "benign"]
    for answer, row in zip(answers, rows, strict=True):
        alone = client.post("/predict", json=row).json()
        assert answer | {"timestamp": None} == alone | {"timestamp": None}


@pytest.mark.parametrize(
    ("row", "path"),
    [
        (ROW | {"width": None}, ["body", "rows", 1, "width"]),
        (ROW | {"width": float("nan")}, ["body", "rows", 1, "width"]),
        (7, ["body", "rows", 1]),
    ],
)
def test_a_batchs_errors_carry_the_row(client: Client, row: Any, path: list[Any]) -> None:
    """A mistake in a batch is reported with its row and its field."""
    named = problems(client, "/predict-batch", {"rows": [ROW, row]})
    bare = problems(client, "/predict-batch", [ROW, row])

    assert [place for place, _ in named] == [path]
    assert [place for place, _ in bare] == [["body", *path[2:]]]


def test_health_follows_the_server(make_client: MakeClient) -> None:
    """/health is loading, healthy or draining, and 200 only when healthy."""
    client = make_client(loaded=False)
    loading = client.get("/health")
    client.load()
    ready = client.get("/health")
    client.exchange.state.draining = True
    draining = client.get("/health")

    assert [
        (answer.status_code, Health.model_validate(answer.json()).status)
        for answer in (loading, ready, draining)
    ] == [(503, "loading"), (200, "healthy"), (503, "draining")]


@pytest.mark.parametrize("path", ["/predict", "/predict-batch", "/info"])
def test_without_a_model_plain_endpoints_answer_503(make_client: MakeClient, path: str) -> None:
    """While no model is loaded, the plain endpoints answer 503 and say so."""
    method = "GET" if path == "/info" else "POST"
    answer = make_client(loaded=False).request(method, path)

    assert answer.status_code == 503
    assert answer.json() == {"detail": "model 'small' is not loaded yet: try again shortly"}


def test_a_server_whose_threads_hang_says_so_everywhere(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/health is unhealthy, and all ready paths are 503, while the threads do not respond."""

    async def hang() -> bool:
        return False

    monkeypatch.setattr(client.exchange, "_workers", SimpleNamespace(respond=hang))
    health = client.get("/health")
    [entry] = client.get("/v2/repository/index").json()
    ready = [client.get(f"/v2/{path}/ready").status_code for path in ("health", "models/small")]

    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
    assert (entry["state"], entry["reason"]) == ("UNAVAILABLE", "unhealthy")
    assert ready == [503, 503]


def test_health_says_when_and_whether_a_model_is_loaded(make_client: MakeClient) -> None:
    """/health has model_loaded and a timestamp, before a model is loaded and afterwards."""
    client = make_client(loaded=False)
    before = Health.model_validate(client.get("/health").json(), extra="forbid")
    client.load()
    after = Health.model_validate(client.get("/health").json(), extra="forbid")

    assert (before.model_loaded, before.version) == (False, None)
    assert (after.model_loaded, after.version) == (True, "v0123456789")
    assert datetime.now(UTC) - after.timestamp < timedelta(minutes=1)


def test_info_describes_the_model(client: Client, bundle: Bundle) -> None:
    """/info gives the signature, the classes, the held-out metrics and the digests."""
    info = Info.model_validate(client.get("/info").json())

    assert [(feature.name, feature.dropped) for feature in info.features] == [
        ("length", False),
        ("width", False),
        ("batch", True),
    ]
    assert info.classes == ["benign", "malignant"]
    assert info.manifest_digest == bundle.digest
    assert "roc_auc" in {metric["name"] for metric in info.metrics}


def test_answers_have_the_shape_that_is_described(client: Client) -> None:
    """What /predict and /predict-batch answer is what their published types say."""
    Prediction.model_validate(client.post("/predict", json=ROW).json(), extra="forbid")
    Predictions.model_validate(
        client.post("/predict-batch", json={"rows": [ROW]}).json(), extra="forbid"
    )
    [bare] = client.post("/predict-batch", json=[ROW]).json()
    Prediction.model_validate(bare, extra="forbid")

"""Plain endpoints over numbers, booleans, categories and missing values."""

import json
from typing import Any

import numpy as np
import pytest
from model_server.client import Client
from model_server.mixed import CODEC, ROW
from prometheus_client import CollectorRegistry

from taxon_bundle.bundle import Bundle
from taxon_bundle.classifier import Classifier
from taxon_model_server.rest.plain_schema import Info, Prediction

NARVIK = "port 'Narvik' was not in the training rows: it counts as none of the feature's categories"
NO_GAP = "it is missing, and the model takes no missing value there"


def answered(client: Client, **changes: Any) -> dict[str, Any]:
    """Return the answer to a row with some other values."""
    answer = client.post("/predict", content=json.dumps(ROW | changes))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def problems(client: Client, path: str, body: Any) -> list[tuple[list[str | int], str, str]]:
    """Return everything a refusal lists."""
    answer = client.post(path, content=json.dumps(body))
    assert answer.status_code == 422, answer.text
    return [(one["loc"], one["msg"], one["type"]) for one in answer.json()["detail"]]


def unseen_of(registry: CollectorRegistry, feature: str) -> float | None:
    """Return how many unseen categories of a feature were counted."""
    labels = {"model": "small", "version": "v0123456789", "feature": feature}
    return registry.get_sample_value("unseen_categories_total", labels)


@pytest.mark.parametrize(
    ("changes", "encoded"),
    [
        ({}, {}),
        ({"age": None}, {"age": np.nan}),
        ({"age": 31}, {"age": 31.0}),
        ({"age": float("nan")}, {"age": np.nan}),
        ({"member": False}, {"member": 0.0}),
        ({"member": 1}, {"member": 1.0}),
        ({"port": " Southampton "}, {"port": 0.0}),
        ({"port": "A\u030abo"}, {"port": 2.0}),
        ({"port": None}, {"port": np.nan}),
        ({"port": "n/a"}, {"port": np.nan}),
        ({"port": ""}, {"port": np.nan}),
        ({"port": "southampton"}, {"port": -1.0}),
        ({"port": 7}, {"port": -1.0}),
        ({"deck": "Z"}, {"deck": -1.0}),
    ],
    ids=str,
)
def test_a_row_is_answered_by_what_the_codec_makes_of_it(
    mixed_client: Client, mixed: Bundle, changes: dict[str, Any], encoded: dict[str, float]
) -> None:
    """Text, true and false, null and the words for missing, alone and in a batch."""
    row = [31.5, 7.25, 1.0, 1.0, 0.0]
    for name, value in encoded.items():
        row[CODEC.places[name]] = value
    expected = Classifier.load(mixed).probabilities(np.array([row]))[0].tolist()
    body = json.dumps({"rows": [ROW, ROW | changes]})
    batch = mixed_client.post("/predict-batch", content=body).json()

    assert answered(mixed_client, **changes)["probabilities"] == dict(
        zip(("no", "yes"), expected, strict=True)
    )
    assert list(batch["predictions"][1]["probabilities"].values()) == expected


@pytest.mark.parametrize(
    ("changes", "message", "kind"),
    [
        ({"age": "31"}, "it is text: send a number", "float_type"),
        ({"age": True}, "it is not a number: send a number", "float_type"),
        ({"age": [31]}, "it is not a number: send a number", "float_type"),
        ({"age": 10**400}, "it is not a finite number", "finite_number"),
        ({"age": float("inf")}, "it is not a finite number", "finite_number"),
        ({"fare": None}, NO_GAP, "missing"),
        ({"fare": float("nan")}, NO_GAP, "missing"),
        ({"fare": 1e300}, "it is too large for the classifier (1e+300)", "finite_number"),
        ({"member": "true"}, "it is neither true nor false: send one of them", "bool_type"),
        ({"member": 0.5}, "it is neither true nor false: send one of them", "bool_type"),
        ({"member": None}, NO_GAP, "missing"),
        ({"port": True}, "it is not text: send a category as text", "string_type"),
        ({"port": {}}, "it is not text: send a category as text", "string_type"),
        ({"port": "a\0b"}, "it has a NUL character in it: send text without", "string_type"),
        ({"deck": None}, NO_GAP, "missing"),
        ({"deck": "?"}, NO_GAP, "missing"),
    ],
    ids=str,
)
def test_a_wrong_value_has_its_own_sentence(
    mixed_client: Client, changes: dict[str, Any], message: str, kind: str
) -> None:
    """By its feature, and in a batch by its row."""
    [name] = changes
    body = {"rows": [ROW, ROW | changes]}

    assert problems(mixed_client, "/predict", ROW | changes) == [(["body", name], message, kind)]
    assert problems(mixed_client, "/predict-batch", body) == [
        (["body", "rows", 1, name], message, kind)
    ]


def test_everything_wrong_is_listed_at_once(mixed_client: Client) -> None:
    """Also gaps where none is allowed, and what is said of a missing name depends on its type."""
    row = {"fare": None, "member": "yes", "AGE": 3, "Age ": 3, "zip": 1}

    assert problems(mixed_client, "/predict", row) == [
        (["body", "age"], "it is missing: send a number, or null", "missing"),
        (["body", "port"], "it is missing: send text, or null", "missing"),
        (["body", "deck"], "it is missing: send text", "missing"),
        (["body", "fare"], NO_GAP, "missing"),
        (["body", "member"], "it is neither true nor false: send one of them", "bool_type"),
        (["body", "AGE"], "the model has no such feature: it may be 'age'", "extra_forbidden"),
        (["body", "Age "], "the model has no such feature: it may be 'age'", "extra_forbidden"),
        (["body", "zip"], "the model has no such feature", "extra_forbidden"),
    ]


def test_all_gaps_and_infinities_of_a_row_are_listed(mixed_client: Client) -> None:
    """Where every value is of its feature's type, too."""
    row = ROW | {"fare": None, "member": None, "age": float("inf"), "port": None}

    assert [place[-1] for place, *_ in problems(mixed_client, "/predict-batch", [row])] == [
        "age",
        "fare",
        "member",
    ]


def test_an_unseen_category_is_answered_with_a_warning_and_counted(mixed_client: Client) -> None:
    """The warning stands at its row; a feature the classifier ignores has none."""
    registry = mixed_client.exchange.telemetry.registry
    before = {name: unseen_of(registry, name) for name in ("port", "deck", "fare")}
    rows = [ROW, ROW | {"port": "Narvik", "deck": "Z"}, ROW | {"port": "Narvik"}]
    batch = mixed_client.post("/predict-batch", json=rows).json()

    assert before == {"port": 0, "deck": None, "fare": None}
    assert [one.get("warnings") for one in batch] == [None, [NARVIK], [NARVIK]]
    assert answered(mixed_client, port=" Narvik")["warnings"] == [NARVIK]
    assert "warnings" not in answered(mixed_client, deck="Z")
    assert (unseen_of(registry, "port"), unseen_of(registry, "deck")) == (3, None)


def test_warnings_are_bounded(mixed_client: Client) -> None:
    """An answer has the first twenty, and a long category is cut; every one is counted."""
    rows = [ROW | {"port": "x" * 1000}] * 3000
    batch = mixed_client.post("/predict-batch", json=rows).json()
    said = [one["warnings"] for one in batch if "warnings" in one]

    assert [one for place, one in enumerate(said) if place >= 20] == []
    assert said[0][0].startswith(f"port '{'x' * 40}' was not")
    assert unseen_of(mixed_client.exchange.telemetry.registry, "port") == 3000


def test_large_batches_mean_what_small_ones_do(mixed_client: Client) -> None:
    """Rows read in pieces are the rows, with their unseen categories in their places."""
    rows = [ROW | {"age": place, "port": f'{place}, ]}}]"\\'} for place in range(2500)]
    rows[7] = ROW | {"port": None, "age": None}
    batch = mixed_client.post("/predict-batch", json={"rows": rows}).json()["predictions"]

    assert len(batch) == 2500
    assert f"port {rows[3]['port']!r} was not" in batch[3]["warnings"][0]
    assert batch[7]["probabilities"] == answered(mixed_client, **rows[7])["probabilities"]
    assert batch[2400]["probabilities"] == answered(mixed_client, **rows[2400])["probabilities"]


def test_info_describes_each_feature(mixed_client: Client) -> None:
    """Type, gaps and categories."""
    document = mixed_client.get("/info").json()
    Info.model_validate(document, extra="forbid")

    assert [
        (one["name"], one["type"], one["gaps"], one["dropped"], one.get("categories"))
        for one in document["features"]
    ] == [
        ("age", "Numeric", True, False, None),
        ("fare", "Numeric", False, False, None),
        ("member", "Boolean", False, False, None),
        ("port", "Categorical", True, False, ["Southampton", "Cherbourg", "Åbo"]),
        ("deck", "Categorical", False, True, ["A"]),
    ]


def test_answers_have_the_shape_that_is_described(mixed_client: Client) -> None:
    """Warnings are part of the published type."""
    Prediction.model_validate(answered(mixed_client, port="Narvik"), extra="forbid")

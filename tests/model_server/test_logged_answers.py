"""What answers say of the predictions that were logged."""

import json
from pathlib import Path

import pytest
from model_server.conftest import MakeClient
from model_server.kept_log import MemoryStore, running
from model_server.mixed import ROW as MIXED_ROW

from taxon_bundle.bundle import Bundle
from taxon_model_server.telemetry import Telemetry

ROW = {"length": 1.1, "width": 2.2, "batch": 7}


@pytest.fixture
def store() -> MemoryStore:
    """Return an empty database."""
    return MemoryStore()


@pytest.fixture
def telemetry() -> Telemetry:
    """Return metrics of a model."""
    return Telemetry("small")


@pytest.mark.parametrize("mode", ["Full", "WithoutFeatures"])
def test_answers_carry_the_ids_of_their_events(
    tmp_path: Path,
    store: MemoryStore,
    telemetry: Telemetry,
    make_client: MakeClient,
    mode: str,
) -> None:
    """A logged answer names its event, which holds the features where the mode keeps them."""
    with running(tmp_path, store, telemetry) as log:
        client = make_client(log=log.put, log_mode=mode)
        answer = client.post("/predict", json=ROW, headers={"x-request-id": "r7"}).json()

    [event] = store.events.values()
    features = (1.1, 2.2, 7.0) if mode == "Full" else None
    assert str(event.id) == answer["prediction_id"]
    assert (event.request_id, event.label, event.features) == ("r7", "malignant", features)
    assert event.confidence == answer["confidence"]


@pytest.mark.parametrize("mode", ["Full", "WithoutFeatures"])
def test_what_was_sent_is_logged_by_its_type(
    tmp_path: Path, store: MemoryStore, make_client: MakeClient, mixed: Bundle, mode: str
) -> None:
    """Text, booleans and missing values, an unseen category too, where the mode keeps them."""
    row = MIXED_ROW | {"age": None, "port": " Narvik"}
    with running(tmp_path, store, Telemetry("small")) as log:
        make_client(served=mixed, log=log.put, log_mode=mode).post("/predict", json=row)

    [event] = store.events.values()
    features = (None, 7.25, True, "Narvik", "A") if mode == "Full" else None
    assert event.features == features


def test_v2_answers_carry_the_ids_of_their_events(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry, make_client: MakeClient
) -> None:
    """Over V2 the ids are a parameter, and the request's own id is the event's."""
    tensor = {"name": "input", "shape": [2, 3], "datatype": "FP64", "data": [1.0] * 6}
    with running(tmp_path, store, telemetry) as log:
        client = make_client(log=log.put)
        asked = {"id": "q1", "inputs": [tensor]}
        answer = client.post("/v2/models/small/infer", json=asked).json()

    assert answer["parameters"]["prediction_ids"] == json.dumps(store.ids())
    assert {event.request_id for event in store.events.values()} == {"q1"}


@pytest.mark.parametrize("path", ["/predict", "/v2/models/small/infer"])
def test_a_refused_request_is_logged_as_failed(
    tmp_path: Path, store: MemoryStore, telemetry: Telemetry, make_client: MakeClient, path: str
) -> None:
    """A request that got no answer leaves one event that says so, its id cut to a sane length."""
    with running(tmp_path, store, telemetry) as log:
        client = make_client(log=log.put)
        client.post(path, json={"length": None}, headers={"x-request-id": "r" * 1000})

    [event] = store.events.values()
    assert (event.outcome, event.label, event.features) == ("Failed", None, None)
    assert event.request_id == "r" * 256

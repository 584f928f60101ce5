"""What answers say of the predictions that were logged."""

import json
import struct
from pathlib import Path

import pytest
from model_server.conftest import LogLines, MakeClient
from model_server.kept_log import MemoryStore, new_log, running
from model_server.mixed import ROW as MIXED_ROW
from support.waiting import wait_until

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


def test_an_excluded_feature_reaches_no_part_of_the_log(
    tmp_path: Path, store: MemoryStore, make_client: MakeClient, mixed: Bundle
) -> None:
    """Its values are neither in the event nor in the spool's files; the other features are."""
    row = MIXED_ROW | {"age": 61.0625, "port": "Narvik"}
    store.down.set()
    telemetry = Telemetry("small")
    log = new_log(tmp_path, store, telemetry)
    log.start()
    client = make_client(served=mixed, log=log.put, log_exclude=["age", "port"])
    answer = client.post("/predict", json=row)
    log.close(0.2)
    spooled = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    store.down.clear()
    with running(tmp_path, store, telemetry):
        wait_until(lambda: len(store.events) == 1)

    [event] = store.events.values()
    assert (answer.status_code, event.outcome) == (200, "Answered")
    assert event.features == (None, 7.25, True, None, "A")
    assert struct.pack(">d", 7.25) in spooled
    assert struct.pack(">d", 61.0625) not in spooled
    assert b"Narvik" not in spooled


def test_an_excluded_name_that_no_feature_has_keeps_all_features_out(
    tmp_path: Path, store: MemoryStore, make_client: MakeClient, log_lines: LogLines
) -> None:
    """A name may be misspelt: nothing is logged by mistake, and a line says what to correct."""
    with running(tmp_path, store, Telemetry("small")) as log:
        client = make_client(log=log.put, log_exclude=["width", "lenght"])
        answer = client.post("/predict", json=ROW)

    [event] = store.events.values()
    assert (answer.status_code, event.outcome, event.features) == (200, "Answered", None)
    [line] = [one for one in log_lines() if one["event"] == "features_not_logged"]
    assert line["reason"].startswith("excludeFeatures has 'lenght', which version v")
    assert line["reason"].endswith("correct spec.serving.predictionLog")


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

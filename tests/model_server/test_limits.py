import json
from collections.abc import AsyncIterator

import pytest
from model_server.client import Client
from model_server.conftest import LogLines, MakeClient

ROW = {"length": 1.1, "width": 2.2, "batch": 7}
INFER = "/v2/models/small/infer"
ORIGIN = "https://people.example"


@pytest.mark.parametrize(
    ("path", "key"), [("/predict", "detail"), ("/predict-batch", "detail"), (INFER, "error")]
)
def test_a_body_over_the_limit_is_413(make_client: MakeClient, path: str, key: str) -> None:
    """A body that says it is larger than the limit is refused, with the limit."""
    answer = make_client(max_body_bytes=2048).post(path, content=b" " * 2049)

    assert answer.status_code == 413
    assert answer.json() == {key: "the body has 2049 bytes: send at most 2048"}


def test_a_body_of_unknown_length_is_cut_off(make_client: MakeClient) -> None:
    """A body sent in pieces is refused once it is over the limit."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    answer = make_client(max_body_bytes=2048).post("/predict", content=pieces())

    assert answer.status_code == 413


def test_too_many_rows_are_413(make_client: MakeClient) -> None:
    """More rows than the limit are refused by both ways of sending many."""
    client = make_client(max_rows=2)
    tensor = {"name": "input", "shape": [3, 3], "datatype": "FP64", "data": [1.0] * 9}
    plain = client.post("/predict-batch", json={"rows": [ROW] * 3})
    v2 = client.post(INFER, json={"inputs": [tensor]})

    assert (plain.status_code, v2.status_code) == (413, 413)
    assert v2.json() == {"error": "the request has 3 rows: send at most 2"}


def test_large_bodies_get_the_same_answer(make_client: MakeClient) -> None:
    """A body large enough for a worker thread is answered as a small one is."""
    client = make_client()
    answer = client.post("/predict-batch", json={"rows": [ROW] * 500}).json()

    assert answer["predictions"] == [answer["predictions"][0]] * 500


def test_a_client_over_its_rate_waits(make_client: MakeClient) -> None:
    """Over the rate, predictions are 429 with the seconds to wait; health is not counted."""
    client = make_client(rate_limit="2/hour")
    codes = [client.post("/predict", json=ROW).status_code for _ in range(2)]
    refused = client.post(INFER, json={})

    assert codes == [200, 200]
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert "2 per 1 hour" in refused.json()["error"]
    assert client.get("/health").status_code == 200


def test_browsers_may_not_call_by_default(client: Client) -> None:
    """Without the setting no origin is let in."""
    answer = client.post("/predict", json=ROW, headers={"origin": ORIGIN})

    assert "access-control-allow-origin" not in answer.headers


def test_origins_of_the_setting_may_call(make_client: MakeClient) -> None:
    """Origins of the setting are let in, others are not."""
    client = make_client(cors_origins=f"{ORIGIN}, https://other.example")
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    allowed = client.request("OPTIONS", "/predict", headers=asked)
    refused = client.request("OPTIONS", "/predict", headers=asked | {"origin": "https://x.example"})

    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in refused.headers


def test_there_is_no_access_log_by_default(client: Client, log_lines: LogLines) -> None:
    """Requests leave no line by default."""
    client.get("/health")

    assert log_lines() == []


def test_the_access_log_is_one_json_line_per_request(
    make_client: MakeClient, log_lines: LogLines
) -> None:
    """With the setting, every request leaves one JSON line with its route, code and id."""
    client = make_client(access_log=True)
    client.get("/v2/models/other/ready?secret=1", headers={"x-request-id": "r1"})
    [line] = log_lines()

    assert line["event"] == "request"
    assert line["endpoint"] == "/v2/models/{model}/ready"
    assert (line["method"], line["code"], line["request_id"]) == ("GET", 404, "r1")
    assert line["seconds"] > 0
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize(("path", "key"), [("/predict", "detail"), (INFER, "error")])
def test_a_fault_of_the_server_is_500_without_its_details(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, path: str, key: str
) -> None:
    """A fault of the server's own answers 500 and a sentence, never its inner text."""
    client = make_client()

    def fail(*_: object) -> None:
        raise RuntimeError("inner text")

    monkeypatch.setattr(client.exchange, "_predict", fail)
    tensor = {"name": "input", "shape": [1, 3], "datatype": "FP64", "data": [1.0] * 3}
    answer = client.post(path, json=ROW if path == "/predict" else {"inputs": [tensor]})

    assert answer.status_code == 500
    assert answer.json() == {key: "the server failed to answer; its log has the reason"}


def test_names_a_client_made_up_do_not_make_long_answers(client: Client) -> None:
    """An error that repeats a client's name stays short."""
    tensor = {"name": "x" * 10_000, "shape": [1, 1], "datatype": "FP64", "data": [1.0]}
    answer = client.post(INFER, json={"inputs": [tensor]})

    assert answer.status_code == 400
    assert len(answer.content) < 1000

"""How a body may be sent: what it may be called, how it may be encoded."""

import gzip
import json
import zlib

import httpx
import pytest
from model_server.client import Client
from model_server.conftest import MakeClient

ROW = {"length": 1.1, "width": 2.2, "batch": 7}
BODY = json.dumps(ROW).encode()
GZIP = gzip.compress(BODY, mtime=0)
RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATE = RAW.compress(BODY) + RAW.flush()


def post(client: Client, content: bytes, **headers: str) -> httpx.Response:
    """Send a body to the plain endpoint."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/predict", content=content, headers=named)


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", GZIP),
        ("GZIP", GZIP),
        ("x-gzip", gzip.compress(BODY[:9], mtime=0) + gzip.compress(BODY[9:], mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", RAW_DEFLATE),
        ("identity", BODY),
        ("gzip, identity", GZIP),
        ("deflate, gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
    ],
)
def test_an_encoded_body_is_decoded(client: Client, coding: str, content: bytes) -> None:
    """Bodies may be compressed in every way HTTP has had from the start."""
    assert post(client, content, content_encoding=coding).status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_nothing_is_nothing_in_every_coding(client: Client, coding: str) -> None:
    """An empty body that is said to be encoded is not JSON, and no more than that."""
    assert post(client, b"", content_encoding=coding).status_code == 422


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "gzip, gzip, gzip", "x"])
def test_another_coding_is_415(client: Client, coding: str) -> None:
    """A coding that is not read is refused with the ones that are."""
    answer = post(client, BODY, content_encoding=coding)

    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert answer.json() == {
        "detail": f"Content-Encoding {coding!r} is not read: send gzip, deflate or neither"
    }


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", BODY),
        ("gzip", GZIP[:-4]),
        ("gzip", GZIP + b"more"),
        ("deflate", BODY),
        ("deflate", zlib.compress(BODY) + b"more"),
        ("deflate", zlib.compress(BODY)[:-1]),
    ],
)
def test_a_body_that_is_not_what_its_coding_says_is_400(
    client: Client, coding: str, content: bytes
) -> None:
    """A damaged or mislabelled body is refused with the coding it should have."""
    answer = post(client, content, content_encoding=coding)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"the body is not {coding}, although")


@pytest.mark.parametrize("times", [1, 2])
def test_a_body_is_as_large_as_it_is_decoded(make_client: MakeClient, times: int) -> None:
    """A small body that becomes a large one is refused, however often it is compressed."""
    content = b" " * 2**25
    for _ in range(times):
        content = zlib.compress(content, 9)
    client = make_client(max_body_bytes=2**16)
    answer = post(client, content, content_encoding=", ".join(["deflate"] * times))

    assert answer.status_code == 413
    assert answer.json()["detail"] == "the body is too large once decoded: send at most 65536 bytes"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.example+json",
        "application/x-www-form-urlencoded",
        "text/plain;charset=UTF-8",
        "",
    ],
)
def test_json_may_be_called_what_clients_call_it(client: Client, media_type: str) -> None:
    """JSON is read whatever common name it has; curl calls it a form."""
    assert post(client, BODY, content_type=media_type).status_code == 200


@pytest.mark.parametrize("media_type", ["text/csv", "multipart/form-data; boundary=x", "image/png"])
def test_what_is_called_something_else_is_415(client: Client, media_type: str) -> None:
    """Another media type is refused with the one that is read."""
    answer = post(client, BODY, content_type=media_type)

    assert answer.status_code == 415
    assert answer.headers["accept"] == "application/json"
    assert "send JSON" in answer.json()["detail"]

"""What happens where requests would need more memory than there is."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from model_server.conftest import MakeClient
from model_server.connected import connected
from model_server.wire import Wire, request

from taxon_model_server.memory import MemoryBudget, request_memory
from taxon_model_server.rest import app

Serve = Callable[..., AbstractContextManager[str]]
ROW = {"length": 1.1, "width": 2.2, "batch": 7}
BODY = json.dumps([ROW] * 3000).encode()
LARGE = request("POST /predict-batch", BODY)
SMALL = request("POST /predict", json.dumps(ROW).encode())


@pytest.fixture
def serve(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return a function that serves with memory for one large request at a time."""

    def start(wait_seconds: float = 60) -> AbstractContextManager[str]:
        need = request_memory(len(BODY), features=3, classes=2, max_rows=100_000)
        budget = MemoryBudget(lambda: int(1.5 * need), wait_seconds=wait_seconds)
        monkeypatch.setattr(app, "MemoryBudget", lambda _: budget)
        return connected(make_client())

    return start


def test_beyond_the_memory_requests_wait_for_those_before_them(serve: Serve) -> None:
    """A large request is answered once the one before it is, and small ones meanwhile."""
    with (
        serve() as address,
        Wire(address) as first,
        Wire(address) as second,
        Wire(address) as third,
    ):
        first.send(LARGE[:-10])
        second.send(LARGE)
        third.send(SMALL)
        small = third.reply()
        first.send(LARGE[-10:])

        assert small.code == 200
        assert first.reply().code == 200
        assert second.reply().code == 200


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_who_waits_too_long_may_come_back(serve: Serve, framing: str) -> None:
    """Beyond the wait a request is 503 with the seconds to wait, and then answered."""
    chunked = request("POST /predict-batch", **{"Transfer-Encoding": "chunked"})
    with (
        serve(wait_seconds=0.3) as address,
        Wire(address) as first,
        Wire(address) as second,
    ):
        first.send(LARGE[:-10])
        if framing == "length":
            second.send(LARGE)
        else:
            second.send(chunked, b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
        refused = second.reply()
        first.send(LARGE[-10:])

        assert (refused.code, refused.headers["retry-after"]) == (503, "1")
        assert "try again in 1 s" in refused.json()["detail"]
        assert first.reply().code == 200
        assert second.send(LARGE).reply().code == 200


def test_a_request_that_never_fits_is_413(serve: Serve) -> None:
    """A request that needs more than there is at all is refused with what it needs."""
    with serve() as address, Wire(address) as wire:
        wire.send(request("POST /predict-batch", b"[" + b" " * 10 * len(BODY)))
        refused = wire.reply()

        assert refused.code == 413
        assert "MiB of memory to answer, this server has" in refused.json()["detail"]
        assert wire.send(SMALL).reply().code == 200

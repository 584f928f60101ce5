"""What a slow client gets, from the application behind a connection with short deadlines."""

import json
import socket
import time
from collections.abc import Iterator

import pytest
from model_server.client import Client
from model_server.conftest import MakeClient
from model_server.connected import connected
from model_server.wire import Wire, request
from support.waiting import wait_until

from taxon_model_server.rest.http_protocol import HttpLimits

ROW = {"length": 1.1, "width": 2.2, "batch": 7}
SHORT = HttpLimits(head_seconds=0.2, body_seconds=0.4, body_rate=1, write_seconds=0.2)


@pytest.fixture
def address(client: Client) -> Iterator[str]:
    """Yield the address of a server with short deadlines."""
    with connected(client, SHORT) as address:
        yield address


def test_a_head_that_does_not_end_is_408(address: str) -> None:
    """A client that drips its headers gets 408 and a close, however busy it looks."""
    with Wire(address) as wire:
        wire.send(b"GET /health HTTP/1.1\r\nHost: x\r\nX: ")
        reply = wire.reply()

        assert reply.code == 408
        assert "head" in reply.json()["detail"]
        assert wire.ends()


@pytest.mark.parametrize("path", ["/predict", "/v2/models/small/infer"])
def test_a_body_that_does_not_end_is_408(address: str, path: str) -> None:
    """A client that stops in its body gets 408 and a close."""
    with Wire(address) as wire:
        wire.send(request(f"POST {path}", b"{}")[:-2])
        reply = wire.reply()

        assert reply.code == 408
        assert b"body" in reply.body
        assert wire.ends()


def test_a_slow_body_that_keeps_coming_is_answered(address: str) -> None:
    """A body may take longer the more of it has come."""
    sent = request("POST /predict", json.dumps(ROW).encode())
    with Wire(address) as wire:
        wire.send(sent[:-5])
        begun = time.monotonic()
        wait_until(lambda: time.monotonic() > begun + 3 * SHORT.body_seconds)
        wire.send(sent[-5:])

        assert wire.reply().code == 200


def test_a_refused_body_that_does_not_end_is_closed(make_client: MakeClient) -> None:
    """Behind a 413 the rest of the body is thrown away, but not for ever."""
    with connected(make_client(max_body_bytes=1024), SHORT) as address, Wire(address) as wire:
        wire.send(request("POST /predict", b" " * 2000)[:-2000])

        assert wire.reply().code == 413
        assert wire.ends()


def test_a_client_that_sends_nothing_is_closed(client: Client) -> None:
    """A connection without a request is closed as an idle one is, and without an answer."""
    with connected(client, SHORT, keep_alive=0) as address, Wire(address) as wire:
        assert wire.ends()


def test_a_client_that_reads_nothing_is_disconnected(client: Client) -> None:
    """A client that leaves its answers unread is cut off, and what waits for it is let go."""
    with connected(client, SHORT) as address, Wire(address) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sending = request("GET /swagger/swagger-ui-bundle.js") * 100
        wire.send(sending)

        wait_until(lambda: cut_off(wire, request("GET /health")))


def cut_off(wire: Wire, sent: bytes) -> bool:
    """Return whether a connection takes nothing more."""
    try:
        wire.socket.sendall(sent)
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False

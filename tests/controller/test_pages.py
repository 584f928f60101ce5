"""The kubelet and Prometheus read their pages whatever else connects, over IPv4 and IPv6."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest
from support.waiting import wait_until

from taxon_controller.loop import pages
from taxon_controller.loop.health import Health
from taxon_controller.telemetry import Telemetry


@pytest.fixture
def health() -> Health:
    """Return the health the pages show."""
    return Health(limit=180)


@pytest.fixture
def port(health: Health) -> Iterator[int]:
    """Serve the pages; return their port."""
    server = pages.serve(0, health, Telemetry())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join(5)


def read(port: int, path: str, address: str = "127.0.0.1") -> tuple[int, str]:
    """Return status and content of a page."""
    connection = HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_pages_are_served(port: int, health: Health, address: str) -> None:
    """Over IPv4 and IPv6."""
    assert read(port, "/readyz", address)[0] == 503
    health.ready.set()
    assert read(port, "/readyz", address) == (200, "ok\n")
    assert read(port, "/healthz", address) == (200, "ok\n")
    assert "taxon_lease_held" in read(port, "/metrics", address)[1]
    assert read(port, "/", address)[0] == 404


def test_without_ipv6_the_pages_are_served_over_ipv4(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel may have it switched off."""

    def bind(_: object) -> None:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(pages._DualStackServer, "server_bind", bind)  # noqa: SLF001 - what the kernel refuses
    server = pages.serve(0, health, Telemetry())
    threading.Thread(target=server.serve_forever, daemon=True).start()

    assert read(server.server_port, "/healthz")[0] == 200
    server.shutdown()
    server.server_close()


def test_clients_that_say_nothing_hold_up_nobody(port: int) -> None:
    """The kubelet would restart a controller that works."""
    with ExitStack() as silent:
        for _ in range(20):
            silent.enter_context(socket.create_connection(("127.0.0.1", port)))
        began = time.monotonic()
        assert read(port, "/healthz")[0] == 200

    assert time.monotonic() - began < 2


def test_a_client_that_drips_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is one for the whole connection."""
    monkeypatch.setattr(pages, "SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", port)) as client:
        wait_until(lambda: is_gone(client), seconds=3, every=0.05)


def is_gone(client: socket.socket) -> bool:
    """Send one byte; return whether the other side has hung up."""
    try:
        client.sendall(b"G")
    except OSError:
        return True
    return False

"""The pages for the kubelet and Prometheus: liveness, readiness and metrics of the controller.

A slow client, or one that sends no request, blocks no other and is disconnected.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from taxon_controller.loop.health import Health
from taxon_controller.telemetry import Telemetry

SECONDS = 10.0
"""How long one connection may last in all."""


class _Connection(WSGIRequestHandler):
    """Answers without a log line each, within a bounded time."""

    def setup(self) -> None:
        """Start the timeout of the connection."""
        super().setup()
        self._end = threading.Timer(SECONDS, self._cut_off)
        self._end.daemon = True
        self._end.start()

    def finish(self) -> None:
        """Close the connection and stop its timeout."""
        self._end.cancel()
        with suppress(OSError):  # nobody listens any more
            super().finish()

    def handle(self) -> None:
        """Answer, unless the client has disconnected or was disconnected."""
        with suppress(OSError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def _cut_off(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingMixIn, WSGIServer):
    """Listens on IPv4, with a thread for each connection."""

    daemon_threads = True
    block_on_close = False


class _DualStackServer(_Server):
    """Listens on IPv6 and IPv4."""

    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        """Accept connections of IPv4 and IPv6, independent of the system's default."""
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def serve(port: int, health: Health, telemetry: Telemetry) -> WSGIServer:
    """Return a server of the pages; once started it answers in its own thread."""

    def answer(environ: dict[str, str], start: Callable[..., object]) -> list[bytes]:
        status, content = page(environ["PATH_INFO"], health, telemetry)
        start(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [content]

    kind = _DualStackServer if socket.has_dualstack_ipv6() else _Server
    try:
        return make_server("", port, answer, server_class=kind, handler_class=_Connection)
    except OSError:  # where IPv6 is switched off on the node, its sockets can be made but not bound
        return make_server("", port, answer, server_class=_Server, handler_class=_Connection)


def page(path: str, health: Health, telemetry: Telemetry) -> tuple[str, bytes]:
    """Return status and content of one page."""
    telemetry.heartbeat_age.set(health.age())
    if path == "/metrics":
        return "200 OK", _exposition(telemetry.registry)
    if path == "/healthz":
        return _health_of(well=health.alive(), otherwise="the watch does not receive its heartbeat")
    if path == "/readyz":
        return _health_of(well=health.ready.is_set(), otherwise="not watching yet")
    return "404 Not Found", b"there are /healthz, /readyz and /metrics\n"


def _health_of(*, well: bool, otherwise: str) -> tuple[str, bytes]:
    return ("200 OK", b"ok\n") if well else ("503 Service Unavailable", f"{otherwise}\n".encode())


def _exposition(registry: CollectorRegistry) -> bytes:
    return generate_latest(registry)

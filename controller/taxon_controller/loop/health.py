"""Whether the controller is alive: its own heartbeat comes back through its own watch."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from taxon_controller.telemetry import Telemetry

Page = Literal["/healthz", "/readyz", "/metrics"]


@dataclass
class Health:
    """What is known about the process's own health.

    The Lease is the heartbeat: it is written every few seconds, and each write is seen back through
    the watch. A heartbeat that was written and is not seen back means the watch is deaf. While the
    API server does not answer there is no heartbeat to see, and nothing to restart for.
    """

    limit: float
    monotonic: Callable[[], float] = time.monotonic
    ready: threading.Event = field(default_factory=threading.Event)
    _seen: float | None = None
    _written: float | None = None

    def wrote(self, time: float) -> None:
        """Note that a heartbeat was written."""
        self._written = time
        if self._seen is None:
            self._seen = time

    def saw(self) -> None:
        """Note that a heartbeat came back."""
        self._seen = self.monotonic()

    def age(self) -> float:
        """Return for how many seconds heartbeats were written without one coming back."""
        if self._written is None or self._seen is None:
            return 0.0
        return max(0.0, self._written - self._seen)

    def alive(self) -> bool:
        """Tell whether the watch still hears."""
        return self.age() < self.limit


class Quiet(WSGIRequestHandler):
    """Answers without a log line each."""

    timeout = 10

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def serve(port: int, health: Health, telemetry: Telemetry) -> WSGIServer:
    """Return a server of probes and metrics; it answers in a thread of its own once started."""

    def answer(environ: dict[str, str], start: Callable[..., object]) -> list[bytes]:
        status, content = page(environ["PATH_INFO"], health, telemetry)
        start(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [content]

    return make_server("", port, answer, handler_class=Quiet)


def page(path: str, health: Health, telemetry: Telemetry) -> tuple[str, bytes]:
    """Return status and content of one page."""
    telemetry.heartbeat_age.set(health.age())
    if path == "/metrics":
        return "200 OK", _exposition(telemetry.registry)
    if path == "/healthz":
        return _told(well=health.alive(), otherwise="the watch does not hear its heartbeat")
    if path == "/readyz":
        return _told(well=health.ready.is_set(), otherwise="not watching yet")
    return "404 Not Found", b"there are /healthz, /readyz and /metrics\n"


def _told(*, well: bool, otherwise: str) -> tuple[str, bytes]:
    return ("200 OK", b"ok\n") if well else ("503 Service Unavailable", f"{otherwise}\n".encode())


def _exposition(registry: CollectorRegistry) -> bytes:
    return generate_latest(registry)

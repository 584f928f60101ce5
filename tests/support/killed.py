"""The controller in a process of its own that dies, or sleeps, at one of its writes."""

import logging
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from support.world import SETTINGS

from hack.cluster.api_server import ApiServer
from taxon_controller.loop import controller
from taxon_kube.api import Kind, Manifest
from taxon_kube.client import Cluster

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["taxon_controller.loop.controller"]
)  # forkserver does not find what is ours

Moment = Literal["before", "asleep", "after"]


@dataclass(frozen=True)
class Fate:
    """At which write what happens: nothing, for a number no run reaches."""

    write: int = 10**9
    moment: Moment = "before"


def run(server: ApiServer, settings: dict[str, Any], fate: Fate, writes: Path) -> None:
    """Run the controller until it is stopped or its fate comes; write down the writes it begins.

    They go to a file, as what a killed process was about to send through a queue never arrives.
    """
    logging.disable(logging.CRITICAL)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    controller.Cluster = _fated(fate, writes)  # type: ignore[attr-defined]  # each client of the process
    chosen = SETTINGS.model_copy(update=settings)
    controller.Controller(chosen, server.configuration(), server.login, stop).run()


def _fated(fate: Fate, writes: Path) -> type[Cluster]:
    count = 0

    class Fated(Cluster):
        """A client that meets its fate at one write; Leases and tries do not count."""

        def _request(
            self, method: Any, path: str, kind: Kind, query: dict[str, str], body: Manifest | None
        ) -> Manifest:
            nonlocal count
            counts = method != "GET" and kind.name != "Lease" and "dryRun" not in query
            number, count = count, count + int(counts)
            due = counts and number == fate.write
            if due and fate.moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if due and fate.moment == "asleep":
                os.kill(os.getpid(), signal.SIGSTOP)
            if counts:
                with writes.open("a") as file:
                    file.write(f"{method} {kind.name}\n")
            answer = super()._request(method, path, kind, query, body)
            if due and fate.moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

    return Fated

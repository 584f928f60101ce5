"""`taxon-controller`: looks after every ClassifierModel until it is told to stop."""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import kopf

from taxon_controller import clock, handlers, liveness, probe
from taxon_controller.crew import Crew
from taxon_controller.observe import Asks
from taxon_controller.reconcile import Reconciler
from taxon_controller.resync import await_kinds, await_models, is_served, resync
from taxon_controller.settings import Settings
from taxon_controller.telemetry import JsonLines, Telemetry
from taxon_controller.work import BURST_SECONDS, Key, Worker, WorkQueue
from taxon_kube.api import ApiError
from taxon_kube.client import Cluster, Configuration, load_configuration
from taxon_kube.lease import Lease, acquire, keep

logger = logging.getLogger(__name__)


def main() -> None:
    """Run the command; exit 0 when told to stop, 1 when it has to begin anew."""
    settings = Settings()
    log_as_json()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        Controller(settings, load_configuration(), kopf.login_via_client, stop).run()
    except Exception:
        logger.exception("The controller ends")
        sys.exit(1)


def log_as_json() -> None:
    """Write one JSON object per line to standard error; kopf's own steps stay out of it."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("kopf", "aiohttp", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Controller:
    """Everything that runs in one process."""

    settings: Settings
    configuration: Configuration
    login: handlers.Login
    stop: threading.Event
    ask: Asks = probe.ask

    def run(self) -> None:
        """Wait for the Lease, then look after the models until told to stop.

        Raises:
            Exception: a part of it has ended; the process has to begin anew.
        """
        settings, stop = self.settings, self.stop
        telemetry = Telemetry()
        health = liveness.Liveness(limit=settings.heartbeat_seconds)
        lease = Lease(
            Cluster(self.configuration), settings.namespace, settings.identity,
            settings.lease_seconds,
        )  # fmt: skip
        server = liveness.serve(settings.port, health, telemetry)
        threading.Thread(target=server.serve_forever, name="pages", daemon=True).start()
        try:
            if acquire(lease, stop):
                self._lead(lease, health, telemetry)
        finally:
            stop.set()
            server.shutdown()
            server.server_close()
            with suppress(ApiError):
                lease.release()

    def _lead(self, lease: Lease, health: liveness.Liveness, telemetry: Telemetry) -> None:
        """Look after the models as long as the Lease is held."""
        settings, stop = self.settings, self.stop
        cluster = Cluster(
            self.configuration,
            may_write=lease.held,
            wrote=lambda verb, kind: telemetry.writes.labels(verb, kind).inc(),
            connections=settings.workers + 2,
        )
        crew, queue = Crew(stop), WorkQueue()
        crew.start("lease", lambda: self._keep(lease, health, telemetry))
        if await_models(cluster, settings, stop):
            self._watch(crew, cluster, queue, health)
            reconciler = Reconciler(cluster, self.ask, settings, telemetry)
            for number in range(settings.workers):
                worker = Worker(queue, reconciler.reconcile, clock.now, telemetry)
                crew.start(f"worker {number}", worker.run)
            logger.info("Looking after models")
            stop.wait()
        queue.close()
        crew.join()

    def _keep(self, lease: Lease, health: liveness.Liveness, telemetry: Telemetry) -> None:
        """Keep the Lease, whose writes are the heartbeat."""
        telemetry.lease_held.set(1)
        health.wrote(lease.renewed_at())
        try:
            keep(lease, self.stop, renewed=lambda: health.wrote(lease.renewed_at()))
        finally:
            telemetry.lease_held.set(0)

    def _watch(
        self, crew: Crew, cluster: Cluster, queue: WorkQueue, health: liveness.Liveness
    ) -> None:
        """Start what makes models due: the watches and the resync."""
        settings = self.settings
        present = [k for k in handlers.CHILDREN if is_served(cluster, k, settings)]
        absent = [k for k in handlers.CHILDREN if k not in present]

        def changed(key: Key) -> None:
            queue.add(key, BURST_SECONDS)

        models = handlers.watch_models(changed, self.login, children=present)
        own = handlers.watch_own_namespace(changed, health.saw, self.login)
        crew.start("watch", self._operator(models, settings.watch_namespaces, health.ready))
        crew.start("own watch", self._operator(own, (settings.namespace,), threading.Event()))
        crew.start("resync", lambda: resync(cluster, settings, queue.add, self.stop))
        if absent:
            crew.start("kinds", lambda: await_kinds(cluster, settings, absent, self.stop))

    def _operator(
        self, registry: kopf.OperatorRegistry, namespaces: tuple[str, ...], ready: threading.Event
    ) -> Callable[[], None]:
        """Return what runs one kopf operator in a loop of its own until told to stop."""
        # Left out, kopf asks for the user's name, and a container's user has none.
        kopf_identity = cast("Any", self.settings.identity)

        def operate() -> None:
            asyncio.run(
                kopf.operator(
                    registry=registry,
                    settings=handlers.operator_settings(),
                    identity=kopf_identity,
                    standalone=True,
                    clusterwide=not namespaces,
                    namespaces=namespaces,
                    ready_flag=ready,
                    stop_flag=self.stop,
                )
            )

        return operate


if __name__ == "__main__":
    main()

"""The controller's process: the Lease, the watches, the workers."""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import kopf

from taxon_controller import clock
from taxon_controller.loop import handlers
from taxon_controller.loop.health import Health
from taxon_controller.loop.pages import serve
from taxon_controller.loop.queue import BURST_SECONDS, Key, ModelQueue, Worker
from taxon_controller.loop.reconcile import Reconciler
from taxon_controller.loop.resync import await_kinds, await_models, is_served, resync
from taxon_controller.loop.threads import Threads
from taxon_controller.observe.datasets import Datasets, monitor_at
from taxon_controller.observe.prober import Ask, Prober
from taxon_controller.settings import Settings
from taxon_controller.telemetry import Telemetry
from taxon_kube.api import ApiError
from taxon_kube.client import Cluster, Configuration
from taxon_kube.lease import RENEWALS, Lease, acquire, keep

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Controller:
    """The controller's process."""

    settings: Settings
    configuration: Configuration
    login: handlers.Login
    stop: threading.Event
    ask: Ask | None = None

    def run(self) -> None:
        """Wait for the Lease, then reconcile the models until stopped.

        Raises:
            Exception: a part of it has ended; the process has to restart.
        """
        settings, stop = self.settings, self.stop
        telemetry = Telemetry()
        health = Health(limit=settings.heartbeat_seconds)
        lease = Lease(
            Cluster(self.configuration, seconds=settings.lease_seconds / RENEWALS),
            settings.namespace,
            settings.identity,
            settings.lease_seconds,
        )
        server = serve(settings.port, health, telemetry)
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

    def _lead(self, lease: Lease, health: Health, telemetry: Telemetry) -> None:
        """Reconcile the models as long as the Lease is held."""
        settings, stop = self.settings, self.stop
        cluster = Cluster(
            self.configuration,
            may_write=lease.held,
            wrote=lambda verb, kind: telemetry.writes.labels(verb, kind).inc(),
            connections=settings.workers + 2,
        )
        threads, queue = Threads(stop), ModelQueue()
        threads.start("lease", lambda: self._keep(lease, health, telemetry))
        if await_models(cluster, settings, stop):
            self._watch(threads, cluster, queue, health)
            prober = Prober(queue.add, self.ask)
            threads.start("prober", lambda: prober.run(stop))
            datasets = Datasets(queue.add, monitor_at(settings.monitor_url or ""))
            threads.start("data sets", lambda: datasets.run(stop))
            reconciler = Reconciler(cluster, prober, datasets, settings, telemetry)
            for number in range(settings.workers):
                worker = Worker(queue, reconciler.reconcile, clock.now, telemetry)
                threads.start(f"worker {number}", worker.run)
            logger.info("Reconciling models")
            stop.wait()
        queue.close()
        threads.join()

    def _keep(self, lease: Lease, health: Health, telemetry: Telemetry) -> None:
        """Renew the Lease, whose writes are the heartbeat."""
        telemetry.lease_held.set(1)
        health.wrote(lease.renewed_at())
        try:
            keep(lease, self.stop, renewed=lambda: health.wrote(lease.renewed_at()))
        finally:
            telemetry.lease_held.set(0)

    def _watch(self, threads: Threads, cluster: Cluster, queue: ModelQueue, health: Health) -> None:
        """Start the watches and the resync, which make models due."""
        settings = self.settings
        present = [k for k in handlers.CHILDREN if is_served(cluster, k, settings)]
        absent = [k for k in handlers.CHILDREN if k not in present]

        def changed(key: Key) -> None:
            queue.add(key, BURST_SECONDS)

        models = handlers.watch_models(changed, self.login, children=present)
        own = handlers.watch_own_namespace(changed, health.saw, self.login)
        threads.start("watch", self._operator(models, settings.watch_namespaces, health.ready))
        threads.start("own watch", self._operator(own, (settings.namespace,), threading.Event()))
        threads.start("resync", lambda: resync(cluster, settings, queue.add, self.stop))
        if absent:
            threads.start("kinds", lambda: await_kinds(cluster, settings, absent, self.stop))

    def _operator(
        self, registry: kopf.OperatorRegistry, namespaces: tuple[str, ...], ready: threading.Event
    ) -> Callable[[], None]:
        """Return what runs one kopf operator in a loop of its own until stopped."""
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

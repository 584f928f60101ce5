"""Killed between any two writes, against a real kube-apiserver, the same end is reached.

What Kubernetes and KServe do to Jobs and InferenceServices is played, so that a run takes a
second; everything the controller does goes through a real API server.
"""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.killed import CONTEXT, Fate, Moment, run
from support.waiting import wait_until
from support.world import SETTINGS, model_body

from hack.cluster.api_server import NAMESPACE, Admin, ApiServer, running_api_server
from hack.cluster.played import playing
from taxon_cli.local.ports import PortBlock
from taxon_contracts import names
from taxon_kube.api import (
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    JOB,
    MODEL,
    SERVICE,
    Conflict,
    Kind,
    Manifest,
)

SECONDS = 120.0
AT_A_TIME = 6
"""Stories that run at a time: each mostly waits."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ports: PortBlock) -> Iterator[ApiServer]:
    """Yield an API server that knows the kinds the controller needs."""
    with running_api_server(tmp_path_factory.mktemp("api"), ports) as found:
        found.install_kinds()
        found.cluster().put(NAMESPACE, {"metadata": {"name": SETTINGS.namespace}})
        yield found


@dataclass
class Stage:
    """One namespace, and everyone but the controller."""

    admin: Admin
    namespace: str
    server: ApiServer
    gateway: str
    writes: Path

    def start(self, fate: Fate | None = None, identity: str = "one") -> Any:
        """Start a controller; return its process."""
        settings = {
            "watch_namespaces": (self.namespace,),
            "namespace": self.namespace,
            "identity": identity,
            "gateway_url": self.gateway,
            "lease_seconds": 6.0,
            "port": 0,
        }
        arguments = (self.server, settings, fate or Fate(), self.writes)
        process = CONTEXT.Process(target=run, args=arguments, daemon=True)
        process.start()
        return process

    def list(self, kind: Kind) -> list[Manifest]:
        """Return the objects of a kind."""
        return self.admin.list(kind, self.namespace)

    def submit(self, *, pin: str | None = None, annotation: str = "", **spec: Any) -> None:
        """Apply the model as a person does."""
        body = model_body(namespace=self.namespace, **spec)
        if pin:
            body["spec"]["pinnedVersion"] = pin
        body["metadata"]["annotations"] = {names.ANNOTATION_RETRAIN: annotation}
        wait_until(lambda: self._accepts(body), seconds=SECONDS)

    def _accepts(self, body: Manifest) -> bool:
        """Write the model; return whether nobody else wrote in between."""
        there = self.admin.get(MODEL, self.namespace, "wine")
        if there is None:
            self.admin.create(body)
            return True
        metadata = there["metadata"] | {"annotations": body["metadata"]["annotations"]}
        try:
            self.admin.replace(there | {"spec": body["spec"], "metadata": metadata})
        except Conflict:
            return False
        return True

    def conditions(self) -> dict[str, str]:
        """Return the model's conditions, once they are about its newest spec."""
        body = self.admin.get(MODEL, self.namespace, "wine") or {}
        status = body.get("status", {})
        if status.get("observedGeneration") != body["metadata"]["generation"]:
            return {}
        return {one["type"]: one["status"] for one in status.get("conditions", ())}

    def settled(self, versions: int, live: str | None = None) -> bool:
        """Tell whether so many versions are recorded and the right one is live."""
        body = self.admin.get(MODEL, self.namespace, "wine") or {}
        status = body.get("status", {})
        recorded = [one["version"] for one in status.get("versions", ())]
        wanted = live or (recorded[0] if recorded else "")
        return (
            len(recorded) == versions
            and status.get("live", {}).get("version") == wanted
            and self.conditions().get("Ready") == "True"
            and "run" not in status
            and "candidate" not in status
        )

    def state(self) -> Manifest:
        """Return what must be the same whether or not the controller was killed."""
        body = self.admin.get(MODEL, self.namespace, "wine") or {}
        versions = body["status"]["versions"]
        kinds = (JOB, INFERENCE_SERVICE, SERVICE, HTTP_ROUTE)
        return {
            "objects": [[one["metadata"]["name"] for one in self.list(kind)] for kind in kinds],
            "versions": [(one["version"], one["outcome"]) for one in versions],
            "live": body["status"]["live"]["version"],
            "conditions": self.conditions(),
        }


@pytest.fixture(scope="module")
def gateway(server: ApiServer) -> Iterator[str]:
    """Yield the URL of the Gateway; Kubernetes and KServe are played as long."""
    with playing(server) as url:
        yield url


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """Return numbers of namespaces."""
    return iter(range(10**6))


@pytest.fixture
def stages(
    server: ApiServer, gateway: str, numbers: Iterator[int], tmp_path: Path
) -> Iterator[Stage]:
    """Yield one fresh stage after the other."""

    def fresh() -> Iterator[Stage]:
        while True:
            admin = server.cluster()
            namespace = f"stage-{next(numbers)}"
            admin.put_namespace(namespace)
            yield Stage(admin, namespace, server, gateway, tmp_path / namespace)

    return fresh()


def create(stage: Stage) -> None:
    """Make a model, up to Ready."""
    stage.submit()
    wait_until(lambda: stage.settled(1), seconds=SECONDS, every=0.1)


def retrain(stage: Stage) -> None:
    """Make a second version, up to Ready."""
    create(stage)
    stage.submit(annotation="again")
    wait_until(lambda: stage.settled(2), seconds=SECONDS, every=0.1)


def rollback(stage: Stage) -> None:
    """Pin the first version, up to Ready."""
    retrain(stage)
    body = stage.admin.get(MODEL, stage.namespace, "wine") or {}
    first = body["status"]["versions"][-1]["version"]
    stage.submit(annotation="again", pin=first)
    wait_until(lambda: stage.settled(2, first), seconds=SECONDS, every=0.1)


def tell(story: Any, stage: Stage, fate: Fate | None = None) -> Manifest:
    """Tell a story, starting another controller whenever one has ended. Return how it ends."""
    stop = threading.Event()

    def keep_running() -> None:
        process = stage.start(fate)
        while not stop.wait(0.05):
            if not process.is_alive():
                process = stage.start()
        process.kill()
        process.join()

    kubelet = threading.Thread(target=keep_running)
    kubelet.start()
    try:
        story(stage)
        return stage.state()
    finally:
        stop.set()
        kubelet.join()


@pytest.mark.timeout(900)
def test_killed_before_or_after_any_write_the_same_end_is_reached(stages: Iterator[Stage]) -> None:
    """Create, retrain and rollback in one story; every write of it is a point to be killed at."""
    undisturbed = next(stages)
    expected = tell(rollback, undisturbed)
    writes = undisturbed.writes.read_text().splitlines()
    assert len(writes) > 20
    moments: tuple[Moment, ...] = ("before", "after")
    fates = [(Fate(at, moment), next(stages)) for at in range(len(writes)) for moment in moments]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        ends = pool.map(lambda one: tell(rollback, one[1], one[0]), fates)
        for (fate, _), state in zip(fates, ends, strict=True):
            assert state == expected, f"killed {fate.moment} {fate.write}: {writes[fate.write]}"


@pytest.mark.timeout(300)
def test_a_late_write_of_a_controller_that_slept_conflicts(stages: Iterator[Stage]) -> None:
    """Stopped between its look at the Lease and its write, woken after another has taken over."""
    stage = next(stages)
    old = stage.start(Fate(2, "asleep"), identity="old")
    stage.submit()
    wait_until(lambda: _is_stopped(old.pid), seconds=SECONDS)
    new = stage.start(identity="new")
    wait_until(lambda: stage.settled(1), seconds=SECONDS, every=0.1)
    before = stage.admin.get(MODEL, stage.namespace, "wine")
    os.kill(old.pid, signal.SIGCONT)
    old.join(SECONDS)
    after = stage.admin.get(MODEL, stage.namespace, "wine")
    new.kill()
    new.join()

    assert old.exitcode == 1
    assert after == before
    assert len(stage.list(JOB)) == 1


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

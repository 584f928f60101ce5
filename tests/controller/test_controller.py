"""The whole controller in process: kopf's watches, the queue and the client, over HTTP."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import kmock
import kopf
import pytest
import pytest_asyncio
from kubernetes.client import Configuration
from support.emulated import Emulated
from support.story import READY, Story
from support.world import SETTINGS, World

from taxon_controller.loop.controller import Controller
from taxon_kube.api import JOB, LEASE, SERVICE

DEADLINE_SECONDS = 60.0


@dataclass
class Running:
    """A controller in threads of its own, and the cluster it looks after."""

    story: Story
    emulated: Emulated
    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)
    thread: threading.Thread | None = None

    def start(self, **changes: object) -> None:
        """Start the controller."""
        settings = SETTINGS.model_copy(
            update={
                "watch_namespaces": ("default",),
                "port": 0,
                "lease_seconds": 10.0,
                "resync_seconds": 600.0,
                **changes,
            }
        )
        controller = Controller(
            settings,
            Configuration(host=self.url),
            lambda **_: kopf.ConnectionInfo(server=self.url),
            self.stop,
            self.emulated.world.ask,
        )

        def run() -> None:
            try:
                controller.run()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.errors.append(error)

        self.thread = threading.Thread(target=run, name="controller")
        self.thread.start()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let time go by and Jobs and servers get on until something holds."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, (self.story.conditions, self.errors)
            self.emulated.world.now = datetime.now(UTC)
            self.emulated.world.settle()
            await asyncio.sleep(0.05)

    async def end(self) -> None:
        """Stop the controller and wait for its end."""
        self.stop.set()
        if self.thread is not None:
            await asyncio.to_thread(self.thread.join)


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    """Yield a cluster and a controller that is not started yet."""
    emulated = Emulated(World(now=datetime.now(UTC)))
    async with kmock.KubernetesScaffold() as api, kmock.Server(api):
        emulated.serve(api)
        found = Running(Story(emulated.world), emulated, str(api.url).rstrip("/"))
        yield found
        await found.end()


def is_ready(running: Running) -> Callable[[], bool]:
    """Return the question whether the model is ready."""
    return lambda: running.story.conditions == READY


@pytest.mark.asyncio
async def test_a_model_that_is_there_before_the_controller_becomes_ready(running: Running) -> None:
    """The first list of the watch makes it due."""
    running.story.submit()
    running.start()

    await running.until(is_ready(running))


@pytest.mark.asyncio
async def test_faults_of_the_api_server_are_waited_out(running: Running) -> None:
    """Broken watches, too many requests, conflicts and outages end nothing and lose nothing."""
    running.story.submit()
    running.emulated.fail("GET", 410, times=2, watch=True)
    running.emulated.fail("GET", 429, times=2, kind="ClassifierModel")
    running.emulated.fail("PUT", 409, times=2, kind="ClassifierModel")
    running.emulated.fail("POST", 500, times=1, kind="Job")
    running.emulated.fail("*", 503, times=5)
    running.start()
    await running.until(is_ready(running))

    assert running.errors == []
    assert all(fault.seen for fault in running.emulated.faults)
    assert len(running.story.world.named(JOB)) == 1


@pytest.mark.asyncio
async def test_what_happens_to_a_child_makes_its_model_due(running: Running) -> None:
    """A Service deleted by hand comes back without waiting for the resync."""
    running.story.submit()
    running.start()
    await running.until(is_ready(running))
    world = running.story.world
    world.remove(world.named(SERVICE)["wine"])

    await running.until(lambda: "wine" in world.named(SERVICE))


@pytest.mark.asyncio
async def test_another_writer_ends_this_one(running: Running) -> None:
    """Whoever took the Lease writes; the old one writes nothing more and starts again."""
    running.start(lease_seconds=3.0)
    world = running.story.world
    await running.until(lambda: world.named(LEASE, SETTINGS.namespace) != {})
    [lease] = world.named(LEASE, SETTINGS.namespace).values()
    world.replace(lease | {"spec": lease["spec"] | {"holderIdentity": "other"}}, part="spec")
    await running.until(lambda: running.errors != [])

    assert [type(error).__name__ for error in running.errors] == ["LeaseLost"]
    [lease] = world.named(LEASE, SETTINGS.namespace).values()
    assert lease["spec"]["holderIdentity"] == "other"


@pytest.mark.asyncio
async def test_a_kind_installed_later_makes_the_controller_start_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was there at the start is watched; the resync is not waited for."""
    monkeypatch.setattr("taxon_controller.loop.resync.KIND_LOOK_SECONDS", 0.2)
    running.emulated.world.missing.add("HTTPRoute")
    running.start()
    await running.until(lambda: "GET HTTPRoute" in running.emulated.calls)
    running.emulated.world.missing.clear()
    await running.until(lambda: running.errors != [])

    assert [type(error).__name__ for error in running.errors] == ["KindAppeared"]


@pytest.mark.asyncio
async def test_a_stopped_controller_leaves_the_lease_to_the_next(running: Running) -> None:
    """A rollout of the controller does not wait for the Lease to run out."""
    running.start()
    world = running.story.world
    await running.until(lambda: world.named(LEASE, SETTINGS.namespace) != {})
    await running.end()
    [lease] = world.named(LEASE, SETTINGS.namespace).values()

    assert lease["spec"]["holderIdentity"] == ""
    assert running.errors == []

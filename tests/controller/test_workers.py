"""Several workers share many models: what holds one model up holds up no other."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from support.story import SHOWN, Story
from support.waiting import wait_until
from support.world import SETTINGS, World

from taxon_controller.loop.queue import ModelQueue, Worker
from taxon_controller.loop.reconcile import Reconciler
from taxon_controller.observe.datasets import Datasets
from taxon_controller.observe.observed import Newest
from taxon_controller.observe.probe import Answer, Question
from taxon_controller.observe.prober import Pace, Prober
from taxon_kube.api import Api, Refused

WORKERS = 2
HANGING = tuple(f"hanging-{number}" for number in range(3 * WORKERS))
QUICK = Pace(first=0.005, longest=0.02, settled=0.02)


@dataclass
class Shared:
    """A cluster in memory that several threads use."""

    world: World
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a call of the cluster that nothing interrupts."""

        def call(*words: Any, **named: Any) -> Any:
            with self.lock:
                return getattr(self.world, name)(*words, **named)

        return call

    async def ask(self, question: Question) -> Answer:
        """Answer as the cluster does; some URLs never do."""
        if question.model in HANGING:
            await asyncio.Event().wait()
        with self.lock:
            return self.world.answer(question)

    async def newest_of(self, dataset: tuple[str, str]) -> Newest:
        """Answer as the monitor does."""
        with self.lock:
            return self.world.newest_of(dataset)


@contextmanager
def controlled(shared: Shared, *names: str) -> Iterator[Callable[[Callable[[], bool]], None]]:
    """Run workers over these models; yield what lets everyone act until something holds."""
    stop, queue = threading.Event(), ModelQueue()
    prober = Prober(queue.add, shared.ask, QUICK)
    api = cast("Api", shared)
    datasets = Datasets(queue.add, shared.newest_of)
    reconciler = Reconciler(api, prober, datasets, SETTINGS, SHOWN, lambda: shared.world.now)
    workers = [
        Worker(queue, reconciler.reconcile, lambda: shared.world.now, SHOWN) for _ in range(WORKERS)
    ]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    threads.append(threading.Thread(target=prober.run, args=(stop,)))
    threads.append(threading.Thread(target=datasets.run, args=(stop,)))
    for thread in threads:
        thread.start()

    def until(holds: Callable[[], bool]) -> None:
        def acted() -> bool:
            with shared.lock:
                shared.world.settle()
                for name in names:
                    queue.add(("default", name))
                return holds()

        wait_until(acted, seconds=30, every=0.02)

    try:
        yield until
    finally:
        stop.set()
        queue.close()
        for thread in threads:
            thread.join(10)


def is_ready(story: Story) -> bool:
    """Return whether a model is Ready."""
    return story.conditions.get("Ready") == ("True", "VersionLive")


def test_urls_that_hang_hold_up_no_other_model() -> None:
    """There are more of them than workers."""
    shared = Shared(World())
    stories = {name: Story(shared.world, name=name) for name in (*HANGING, "wine", "iris")}
    for story in stories.values():
        story.submit()

    with controlled(shared, *stories) as until:
        until(lambda: is_ready(stories["wine"]) and is_ready(stories["iris"]))
        waits = ("False", "SwitchingTraffic")
        until(lambda: all(stories[name].conditions["Ready"] == waits for name in HANGING))


def test_a_route_that_fails_and_heals_is_seen_by_whichever_worker_looks() -> None:
    """The answer makes the model due, and the status follows."""
    shared = Shared(World())
    story = Story(shared.world)
    story.submit()

    with controlled(shared, "wine") as until:
        until(lambda: is_ready(story))
        shared.world.routes = False
        until(lambda: story.conditions["Ready"] == ("False", "URLNotAnswering"))
        shared.world.routes = True
        until(lambda: is_ready(story))


def test_a_kind_that_cannot_be_read_is_reported_and_heals_with_several_workers() -> None:
    """Failures are counted for the model, not for the worker that met them."""
    shared = Shared(World(unreadable={"Job": Refused("it is forbidden")}))
    story = Story(shared.world)
    story.submit()

    with controlled(shared, "wine") as until:
        until(lambda: story.conditions.get("Stalled") == ("True", "ReadFailed"))
        shared.world.unreadable = {}
        until(lambda: is_ready(story))

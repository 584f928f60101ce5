"""One writer at a time, also when one of them slept through it."""

import threading
from dataclasses import dataclass

import pytest
from support.world import SETTINGS, World

from taxon_kube.api import LEASE, Manifest, Unavailable
from taxon_kube.lease import Lease, LeaseLost, acquire, keep

SECONDS = 20.0


@dataclass
class Stopwatch:
    """A monotonic clock that a test moves."""

    time: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.time


class Leases(World):
    """A cluster whose Leases are replaced by their spec."""

    away = False

    def get(self, kind: object, namespace: str, name: str) -> Manifest | None:
        """Return one object, unless the API server is away."""
        if self.away:
            raise Unavailable("the API server is away")
        return super().get(kind, namespace, name)  # type: ignore[arg-type]  # the same as the world's

    def replace(self, manifest: Manifest, *, part: str = "spec") -> Manifest:
        """Replace a Lease."""
        return super().replace(manifest, part=part)


def contender(world: World, name: str, watch: Stopwatch) -> Lease:
    """Return one process's view of the Lease."""
    return Lease(world, SETTINGS.namespace, name, SECONDS, lambda: world.now, watch)


def test_the_first_takes_the_lease_and_the_second_waits() -> None:
    """Both see the same Lease."""
    world, watch = Leases(), Stopwatch()
    first, second = contender(world, "a", watch), contender(world, "b", watch)

    assert (first.hold(), second.hold()) == (True, False)
    assert (first.held(), second.held()) == (True, False)


def test_a_lease_that_is_not_renewed_is_taken_over() -> None:
    """After it was seen unchanged for as long as it holds, by the waiting process's own clock."""
    world, watch = Leases(), Stopwatch()
    first, second = contender(world, "a", watch), contender(world, "b", watch)
    first.hold()
    second.hold()
    watch.time += SECONDS - 1
    assert not second.hold()

    watch.time += 1
    assert second.hold()
    [lease] = world.named(LEASE, SETTINGS.namespace).values()
    assert lease["spec"]["leaseTransitions"] == 1


def test_a_process_that_slept_stops_writing_before_another_may_begin() -> None:
    """Its clock ran on while it was paused."""
    watch = Stopwatch()
    lease = contender(Leases(), "a", watch)
    lease.hold()
    watch.time += SECONDS * 0.81

    assert not lease.held()


def test_a_renewal_that_lost_the_race_is_no_renewal() -> None:
    """The write is over the version that was read."""
    world, watch = Leases(), Stopwatch()
    first = contender(world, "a", watch)
    first.hold()
    stale = world.get(LEASE, SETTINGS.namespace, "taxon-controller")
    contender(world, "a", watch).hold()
    world.get = lambda *_: stale  # type: ignore[method-assign]  # a stale read

    assert not first.hold()
    assert not first.held()


def test_keeping_a_lost_lease_ends() -> None:
    """The process has to start again."""
    world, watch = Leases(), Stopwatch()
    first = Lease(world, SETTINGS.namespace, "a", 0.03, lambda: world.now, watch)
    first.hold()
    [there] = world.named(LEASE, SETTINGS.namespace).values()
    world.replace(there | {"spec": there["spec"] | {"holderIdentity": "b"}})

    with pytest.raises(LeaseLost):
        keep(first, threading.Event(), renewed=lambda: None)


def test_an_api_server_that_is_away_is_waited_for() -> None:
    """Nobody else can take the Lease meanwhile; it is renewed when the API server is back."""
    world, stop = Leases(), threading.Event()
    lease = Lease(world, SETTINGS.namespace, "a", 0.03, lambda: world.now)
    lease.hold()
    world.away = True
    threading.Timer(0.1, lambda: setattr(world, "away", False)).start()
    keep(lease, stop, renewed=stop.set)

    assert stop.is_set()


def test_a_process_told_to_stop_does_not_wait_for_the_lease() -> None:
    """It goes without it."""
    world, stop = Leases(), threading.Event()
    contender(world, "a", Stopwatch()).hold()
    stop.set()

    assert not acquire(contender(world, "b", Stopwatch()), stop)


def test_a_released_lease_is_free_at_once() -> None:
    """The next process need not wait."""
    world, watch = Leases(), Stopwatch()
    first, second = contender(world, "a", watch), contender(world, "b", watch)
    first.hold()
    first.release()

    assert second.hold()
    first.release()
    assert second.hold()

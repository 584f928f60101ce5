"""What is due is looked at, once at a time, and again after an error."""

import threading
from datetime import timedelta

import pytest
from support.world import START

from taxon_controller.loop.queue import Key, ModelQueue, Worker
from taxon_controller.telemetry import Telemetry
from taxon_kube.api import Conflict, Unavailable

WINE, IRIS = ("default", "wine"), ("default", "iris")


class Stopwatch:
    """A monotonic clock that a test moves."""

    time = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.time


def taken(queue: ModelQueue) -> Key | None:
    """Return the model that is taken, if one is due."""
    if not queue.depth():
        return None
    found = queue.take()
    return found[0] if found else None


def test_a_model_that_is_added_twice_is_due_once() -> None:
    """Events come in bursts."""
    queue = ModelQueue(Stopwatch())
    queue.add(WINE)
    queue.add(WINE)

    assert (taken(queue), taken(queue)) == (WINE, None)


def test_the_sooner_time_counts() -> None:
    """A change is not kept waiting by a look that is due much later."""
    watch = Stopwatch()
    queue = ModelQueue(watch)
    queue.add(WINE, 600)
    queue.add(IRIS, 5)
    queue.add(WINE, 1)
    watch.time = 2
    assert taken(queue) == WINE
    queue.done(WINE)
    watch.time = 700

    assert (taken(queue), taken(queue)) == (IRIS, None)


def test_a_model_that_changes_while_it_is_looked_at_comes_again() -> None:
    """And is not looked at by two workers at once."""
    queue = ModelQueue(Stopwatch())
    queue.add(WINE)
    assert taken(queue) == WINE
    queue.add(WINE)
    queue.add(IRIS)
    assert taken(queue) == IRIS
    queue.done(WINE)

    assert taken(queue) == WINE


def test_a_closed_queue_sends_workers_home() -> None:
    """Also one that waits."""
    queue = ModelQueue()
    queue.add(WINE, 3600)
    waiting = threading.Thread(target=lambda: ended.append(queue.take()))
    ended: list[object] = []
    waiting.start()
    queue.close()
    waiting.join(10)

    assert ended == [None]


def test_a_model_is_looked_at_again_when_its_plan_says_so() -> None:
    """Nothing else would wake the controller."""
    watch = Stopwatch()
    queue = ModelQueue(watch)
    worker = Worker(queue, lambda *_: START + timedelta(seconds=30), lambda: START, Telemetry())
    worker.work(WINE)
    watch.time = 29.9
    assert taken(queue) is None

    watch.time = 30
    assert taken(queue) == WINE


def test_errors_are_followed_by_growing_pauses_and_success_forgets_them() -> None:
    """Jittered, bounded, and never giving up."""
    watch, telemetry = Stopwatch(), Telemetry()
    queue = ModelQueue(watch)
    outcomes: list[Exception | None] = [Conflict("changed")] * 12 + [None, Conflict("changed")]

    def reconcile(*_: object) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    worker = Worker(queue, reconcile, lambda: START, telemetry)
    pauses = []
    while outcomes:
        worker.work(WINE)
        due = queue._due.get(WINE)  # noqa: SLF001 - no method returns when a model is due
        pauses.append(due - watch.time if due is not None else 0.0)
        queue._due.clear()  # noqa: SLF001 - it falls due

    assert 0.1 < pauses[0] < 0.3
    assert 30 <= pauses[11] <= 60
    assert pauses[12] == 0
    assert 0.1 < pauses[13] < 0.3


def test_a_success_of_any_worker_ends_the_pauses() -> None:
    """Failures are those of the model, and not of the worker that met them."""
    watch = Stopwatch()
    queue, outcomes = ModelQueue(watch), [Conflict("changed")] * 8

    def reconcile(*_: object) -> None:
        if outcomes:
            raise outcomes.pop()

    first, second = (Worker(queue, reconcile, lambda: START, Telemetry()) for _ in range(2))
    for worker in (first, second) * 4:
        worker.work(WINE)
    assert queue.failures(WINE) == 8
    second.work(WINE)
    assert queue.failures(WINE) == 0

    queue._due.clear()  # noqa: SLF001 - it falls due
    outcomes.append(Conflict("changed"))
    first.work(WINE)
    assert queue._due[WINE] < 0.3  # noqa: SLF001 - no method returns when a model is due


@pytest.mark.parametrize("wished", [1e9, float("inf"), -5.0])
def test_no_wish_of_the_api_server_keeps_a_model_waiting_for_ever(wished: float) -> None:
    """A proxy on the way may send any Retry-After."""

    def reconcile(*_: object) -> None:
        raise Unavailable("away", retry_after=wished)

    queue = ModelQueue(Stopwatch())
    Worker(queue, reconcile, lambda: START, Telemetry()).work(WINE)

    assert 0 < queue._due[WINE] <= 60  # noqa: SLF001 - no method returns when a model is due


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Unavailable("away", retry_after=7.0), "Unavailable"), (KeyError("x"), "Unexpected")],
)
def test_an_error_of_one_model_is_counted_and_ends_nothing(error: Exception, reason: str) -> None:
    """Whatever it is; what the API server asks for is obeyed."""

    def reconcile(*_: object) -> None:
        raise error

    telemetry, queue = Telemetry(), ModelQueue(Stopwatch())
    Worker(queue, reconcile, lambda: START, telemetry).work(WINE)

    counted = telemetry.registry.get_sample_value(
        "taxon_reconcile_errors_total", {"reason": reason}
    )
    assert counted == 1
    assert queue._due[WINE] >= (7.0 if reason == "Unavailable" else 0.1)  # noqa: SLF001 - see above


def test_a_worker_works_until_the_queue_is_closed() -> None:
    """One after the other."""
    queue, seen = ModelQueue(), []

    def reconcile(_: str, name: str, __: int) -> None:
        seen.append(name)
        if name == "iris":
            queue.close()

    queue.add(WINE)
    queue.add(IRIS, 0.01)
    Worker(queue, reconcile, lambda: START, Telemetry()).run()

    assert seen == ["wine", "iris"]

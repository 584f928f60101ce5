"""The monitor is asked beside the workers, seldom, and believed only when it says something."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from support.rude import (
    STATUS,
    UNBOUNDED,
    Says,
    Server,
    drips,
    headers_without_end,
    reset,
    sends,
    serving,
    without_end,
)
from support.waiting import wait_until

from taxon_controller.observe.datasets import (
    AT_A_TIME,
    EVERY_SECONDS,
    MOST_BYTES,
    Dataset,
    Datasets,
    answer_of,
    monitor_at,
    newest_of,
)
from taxon_controller.observe.observed import Newest
from taxon_controller.observe.prober import Key

WINE, IRIS = ("default", "wine"), ("default", "iris")
TABLE: Dataset = ("default", "table")
AWAY = Newest(None, "the monitor does not answer (ConnectionRefusedError)")
NEVER_AGAIN = 3600.0
AT_ONCE = 0.001


@dataclass
class Monitor:
    """Answers as the test says, and counts."""

    answers: dict[Dataset, Newest] = field(default_factory=dict)
    asked: list[tuple[Dataset, float]] = field(default_factory=list)
    changed: list[Key] = field(default_factory=list)
    hangs: bool = False
    going: int = 0
    most: int = 0

    async def ask(self, dataset: Dataset) -> Newest:
        """Answer for one data set."""
        self.asked.append((dataset, time.monotonic()))
        self.going += 1
        self.most = max(self.most, self.going)
        try:
            await (asyncio.Event().wait() if self.hangs else asyncio.sleep(0))
            return self.answers.get(dataset, Newest(None))
        finally:
            self.going -= 1

    def count(self) -> Counter[Dataset]:
        """Return how often each data set was asked for."""
        return Counter(dataset for dataset, _ in self.asked)


@contextmanager
def running(datasets: Datasets) -> Iterator[None]:
    """Ask in a thread of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=datasets.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def test_a_look_never_waits_and_the_answer_makes_the_model_due() -> None:
    """What is not known yet is None."""
    monitor = Monitor({TABLE: Newest(3)})
    datasets = Datasets(monitor.changed.append, monitor.ask, every=NEVER_AGAIN)
    assert datasets.newest(WINE, "table") is None

    with running(datasets):
        wait_until(lambda: monitor.changed == [WINE])
        assert datasets.newest(WINE, "table") == Newest(3)


def test_a_newer_version_makes_every_model_due_that_follows_the_data_set() -> None:
    """An answer that stays makes none due."""
    monitor = Monitor({TABLE: Newest(3)})
    datasets = Datasets(monitor.changed.append, monitor.ask, every=AT_ONCE)
    with running(datasets):
        for model in (WINE, IRIS):
            datasets.newest(model, "table")
        wait_until(lambda: len(monitor.asked) > 20)
        monitor.changed.clear()
        monitor.answers[TABLE] = Newest(4)
        wait_until(lambda: sorted(monitor.changed) == [IRIS, WINE])
        so_far = len(monitor.asked)
        wait_until(lambda: len(monitor.asked) > so_far + 20)

        assert sorted(monitor.changed) == [IRIS, WINE]
        assert datasets.newest(IRIS, "table") == Newest(4)


def test_a_monitor_that_is_away_changes_nothing() -> None:
    """The last good answer counts, however often there is none."""
    monitor = Monitor({TABLE: Newest(3)})
    datasets = Datasets(monitor.changed.append, monitor.ask, every=AT_ONCE)
    with running(datasets):
        datasets.newest(WINE, "table")
        wait_until(lambda: monitor.changed == [WINE])
        monitor.answers[TABLE] = AWAY
        so_far = len(monitor.asked)
        wait_until(lambda: len(monitor.asked) > so_far + 20)

        assert monitor.changed == [WINE]
        assert datasets.newest(WINE, "table") == Newest(3)


def test_before_a_good_answer_the_reason_is_known() -> None:
    """A model that waits can say why."""
    monitor = Monitor({TABLE: AWAY})
    datasets = Datasets(monitor.changed.append, monitor.ask, every=AT_ONCE)
    with running(datasets):
        datasets.newest(WINE, "table")
        wait_until(lambda: monitor.changed == [WINE])
        assert datasets.newest(WINE, "table") == AWAY

        monitor.answers[TABLE] = Newest(1)
        wait_until(lambda: monitor.changed == [WINE, WINE])
        assert datasets.newest(WINE, "table") == Newest(1)


def test_a_thousand_models_ask_once_per_data_set() -> None:
    """Only a few requests are under way at a time."""
    monitor = Monitor()
    datasets = Datasets(monitor.changed.append, monitor.ask, every=NEVER_AGAIN)
    models = [("default", f"model-{number}") for number in range(1000)]
    for number, model in enumerate(models):
        datasets.newest(model, f"table-{number % 50}")
    with running(datasets):
        wait_until(lambda: len(monitor.changed) == 1000)
        for number, model in enumerate(models):  # the models are reconciled again
            assert datasets.newest(model, f"table-{number % 50}") == Newest(None)

    assert set(monitor.count().values()) == {1}
    assert len(monitor.count()) == 50
    assert sorted(monitor.changed) == sorted(models)
    assert monitor.most <= AT_A_TIME


def test_a_thousand_data_sets_never_ask_more_than_a_few_at_a_time() -> None:
    """A monitor that hangs holds the rest of the questions back, and no look."""
    monitor = Monitor(hangs=True)
    datasets = Datasets(monitor.changed.append, monitor.ask, every=NEVER_AGAIN)
    with running(datasets):
        for number in range(1000):
            assert datasets.newest(("default", f"model-{number}"), f"table-{number}") is None
        wait_until(lambda: monitor.going == AT_A_TIME)

        assert len(monitor.asked) == AT_A_TIME


def test_a_data_set_is_never_asked_for_more_often_than_the_interval() -> None:
    """Not even when its only model is edited to and fro."""
    monitor, every = Monitor({TABLE: Newest(3)}), 0.1
    datasets = Datasets(monitor.changed.append, monitor.ask, every=every)
    with running(datasets):
        while monitor.count()[TABLE] < 4:
            datasets.newest(WINE, "table")
            datasets.forget(WINE)
            datasets.newest(WINE, "table")
    times = [at for dataset, at in monitor.asked if dataset == TABLE]

    assert min(after - before for before, after in pairwise(times)) >= every
    assert EVERY_SECONDS == 30


def test_a_data_set_that_no_model_follows_is_asked_for_no_more() -> None:
    """The model was deleted, or follows another one."""
    monitor = Monitor({TABLE: Newest(3)})
    datasets = Datasets(monitor.changed.append, monitor.ask, every=AT_ONCE)
    with running(datasets):
        datasets.newest(WINE, "table")
        datasets.newest(IRIS, "table")
        wait_until(lambda: monitor.count()[TABLE] > 0)
        datasets.forget(IRIS)
        datasets.newest(WINE, "other")
        wait_until(lambda: monitor.count()[("default", "other")] > 20)
        so_far = monitor.count()[TABLE]
        wait_until(lambda: monitor.count()[("default", "other")] > 60)

        assert monitor.count()[TABLE] == so_far
        assert datasets.newest(IRIS, "table") is None


def versions(*numbers: object) -> bytes:
    """Return the monitor's answer with these versions."""
    stated = [
        {"version": one, "digest": "sha256:" + "5" * 64, "rows": 178,
         "created_at": "2026-11-27T11:00:00Z", "unheardOf": {"a": 1}} for one in numbers
    ]  # fmt: skip
    return json.dumps({"versions": stated, "unheardOf": []}).encode()


def found(content: bytes) -> bytes:
    """Return a whole answer with this content."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


def asked(says: Says) -> Newest:
    """Ask a monitor that answers like this."""
    with serving(says) as server:
        return asyncio.run(answer_of(f"http://127.0.0.1:{server.port}", TABLE))


def test_the_monitor_is_asked_for_the_data_set_of_the_namespace() -> None:
    """Fields that nobody here knows are ignored."""
    with serving(sends(found(versions(3, 2, 1)))) as server:
        ask = monitor_at(f"http://127.0.0.1:{server.port}/")

        async def once() -> Newest:
            return await ask(("team-a", "wine"))

        answer = asyncio.run(once())
        [request] = server.requests

    assert answer == Newest(3)
    assert request.startswith(b"GET /v1/namespaces/team-a/datasets/wine HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("content", "newest"),
    [
        (versions(), None),
        (versions(1), 1),
        (versions(1, 3, 2), 3),
        (versions(2, 0, -1, 1_000_001, 10**30, "7", None, []), 2),
        (b'{"versions": [{"version": 4}]}', 4),
        (versions(*range(10_000, 0, -1)), 10_000),
    ],
    ids=["no data set", "one", "any order", "some unreadable", "number only", "ten thousand"],
)
def test_the_newest_readable_version_counts(content: bytes, newest: int | None) -> None:
    """A version that cannot be read is left out."""
    assert asked(sends(found(content))) == Newest(newest)


@pytest.mark.parametrize(
    "says",
    [
        sends(STATUS % 500), sends(STATUS % 503), sends(STATUS % 404), sends(STATUS % 302),
        sends(found(b"null")), sends(found(b"{}")), sends(found(b'{"versions": {}}')),
        sends(found(b'{"versions": [{}]}')), sends(found(b'{"versions": [1, "2"]}')),
        sends(found(b'{"versions": ' + b"[" * 100_000)), sends(found(b"\xff\xfe")),
        sends(found(b" " * (MOST_BYTES + 1))), without_end, headers_without_end,
        sends(b"not HTTP at all\r\n\r\n"), sends(UNBOUNDED), sends(), reset,
    ],
    ids=[
        "error", "away", "not found", "redirect", "null", "nothing", "no list", "empty version",
        "numbers", "deep", "no text", "huge", "endless", "headers", "no HTTP", "cut off", "closed",
        "reset",
    ],
)  # fmt: skip
def test_whatever_else_the_monitor_says_is_no_answer(says: Says) -> None:
    """It never means that the data set does not exist."""
    answer = asked(says)

    assert answer.version is None
    assert answer.why.startswith("the monitor ")


@pytest.mark.parametrize(
    "content",
    [b"", b"HTTP/1.1 200 OK", found(versions(1))[:-3]],
    ids=["hangs", "drips its status", "drips its body"],
)
def test_a_slow_monitor_is_given_up_in_time(content: bytes) -> None:
    """The limit is one for the whole exchange, and not one for each byte."""
    seconds = 0.4
    server = Server(lambda c: drips(c, content, server.over, pause=seconds / 4))
    try:
        base = f"http://127.0.0.1:{server.port}"
        answer = asyncio.run(answer_of(base, TABLE, seconds=seconds))
    finally:
        server.close()

    assert answer == Newest(None, "the monitor does not answer within 0.4 s")


def test_an_address_without_a_monitor_is_a_sentence() -> None:
    """With what the system says."""
    assert asyncio.run(answer_of("http://127.0.0.1:1", TABLE)) == AWAY


def test_a_list_as_long_as_an_answer_may_be_is_read_in_one_go() -> None:
    """Each unreadable version costs the same, however many there are."""
    many: list[Any] = [{}] * (MOST_BYTES // 4) + [{"version": 5}]

    assert newest_of(json.dumps({"versions": many}).encode()) == 5

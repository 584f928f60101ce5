"""URLs are asked beside the workers: slow ones starve nobody, and news make a model due."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from support.waiting import wait_until

from taxon_controller.observe.gateway import Entrance
from taxon_controller.observe.probe import Answer, Question
from taxon_controller.observe.prober import AT_A_TIME, FAILURES_TO_DOUBT, Key, Pace, Prober

WINE, IRIS = ("default", "wine"), ("default", "iris")
ENTRANCE = Entrance("http", 80, ("10.0.0.7",))
V1, V2 = "v1111111111", "v2222222222"
AWAY = Answer(None, "http://10.0.0.7 does not answer (ConnectionRefusedError)")
QUICK = Pace(first=0.001, longest=0.002, settled=0.001)
NEVER_AGAIN = Pace(first=3600, longest=3600, settled=3600)


def about(model: str) -> Question:
    """Return the question about a model's host."""
    return Question(ENTRANCE, f"{model}.default.example.com", model)


@dataclass
class Urls:
    """Answers as the test says; a model that hangs is not answered at all."""

    answers: dict[str, Answer] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    changed: list[Key] = field(default_factory=list)

    async def ask(self, question: Question) -> Answer:
        """Answer for one model."""
        self.asked.append(question.model)
        if question.model in self.hanging:
            await asyncio.Event().wait()
        return self.answers[question.model]


@contextmanager
def running(prober: Prober) -> Iterator[None]:
    """Run the prober in its thread."""
    stop = threading.Event()
    thread = threading.Thread(target=prober.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def urls() -> Urls:
    """Return URLs that answer with the first version."""
    return Urls({"wine": Answer(V1), "iris": Answer(V1)})


def prober_of(urls: Urls, pace: Pace = QUICK) -> Prober:
    """Return a prober of these URLs."""
    return Prober(urls.changed.append, urls.ask, pace)


def test_a_look_never_waits_and_the_answer_makes_the_model_due(urls: Urls) -> None:
    """What is not known yet is None; the model is looked at again once it is."""
    prober = prober_of(urls)
    assert prober.watch(WINE, about("wine"), expected=V1) is None

    with running(prober):
        wait_until(lambda: urls.changed == [WINE])
        assert prober.watch(WINE, about("wine"), expected=V1) == Answer(V1)


def test_an_answer_that_stays_makes_nothing_due(urls: Urls) -> None:
    """It is asked again and again all the same."""
    prober = prober_of(urls)
    with running(prober):
        prober.watch(WINE, about("wine"), expected=V1)
        wait_until(lambda: len(urls.asked) > 20)

    assert urls.changed == [WINE]


def test_urls_that_hang_hold_up_no_other(urls: Urls) -> None:
    """Not even as many as may be asked at a time, less one."""
    urls.hanging = {f"slow-{number}" for number in range(AT_A_TIME - 1)}
    prober = prober_of(urls)
    with running(prober):
        for name in urls.hanging:
            prober.watch(("default", name), about(name), expected=V1)
        wait_until(lambda: len(urls.asked) == AT_A_TIME - 1)
        began = time.monotonic()
        prober.watch(WINE, about("wine"), expected=V1)
        wait_until(lambda: urls.changed == [WINE])

    assert time.monotonic() - began < 2


def test_another_expected_version_is_a_new_question(urls: Urls) -> None:
    """An answer from before a switch does not count after it, and no pause is waited for."""
    prober = prober_of(urls, NEVER_AGAIN)
    with running(prober):
        prober.watch(WINE, about("wine"), expected=V1)
        wait_until(lambda: urls.changed == [WINE])
        urls.answers["wine"] = Answer(V2)
        assert prober.watch(WINE, about("wine"), expected=V2) is None
        wait_until(lambda: urls.changed == [WINE, WINE])

        assert prober.watch(WINE, about("wine"), expected=V2) == Answer(V2)


def test_a_single_failure_is_no_news_of_a_version_that_answers() -> None:
    """A connection may break; several in a row are a route that leads nowhere."""
    left = [Answer(V1), *[AWAY] * (FAILURES_TO_DOUBT - 1), Answer(V1), *[AWAY] * FAILURES_TO_DOUBT]
    answers: list[Answer | None] = []

    async def ask(_: Question) -> Answer:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    def changed(key: Key) -> None:
        answers.append(prober.watch(key, about("wine"), expected=V1))

    prober = Prober(changed, ask, QUICK)
    with running(prober):
        prober.watch(WINE, about("wine"), expected=V1)
        wait_until(lambda: len(answers) == 2)

    assert answers == [Answer(V1), AWAY]
    assert left == []


def test_a_first_failure_is_news_of_a_version_that_never_answered(urls: Urls) -> None:
    """The condition says what the switch waits for."""
    urls.answers["wine"] = AWAY
    prober = prober_of(urls, NEVER_AGAIN)
    with running(prober):
        prober.watch(WINE, about("wine"), expected=V1)
        wait_until(lambda: urls.changed == [WINE])

        assert prober.watch(WINE, about("wine"), expected=V1) == AWAY


def test_a_model_that_is_forgotten_is_asked_no_more(urls: Urls) -> None:
    """Its question ends, even one that hangs."""
    urls.hanging = {"wine"}
    prober = prober_of(urls)
    with running(prober):
        prober.watch(WINE, about("wine"), expected=V1)
        wait_until(lambda: urls.asked == ["wine"])
        prober.forget(WINE)
        prober.watch(IRIS, about("iris"), expected=V1)
        wait_until(lambda: urls.asked.count("iris") > 5)

    assert urls.asked.count("wine") == 1
    assert WINE not in urls.changed


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [(0, 30, 60), (1, 0.125, 0.25), (2, 0.25, 0.5), (5, 2, 4), (1000, 7.5, 15)],
)
def test_pauses_grow_with_failures_to_a_bound(failures: int, least: float, most: float) -> None:
    """Each is jittered, so that models do not ask together."""
    pauses = [Pace().pause(failures) for _ in range(100)]

    assert least <= min(pauses) <= max(pauses) <= most
    assert len(set(pauses)) > 50

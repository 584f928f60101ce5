"""What one exchange does for every transport: translate, count and log what goes wrong."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from model_server.client import Client
from model_server.conftest import LogLines, MakeClient

from taxon_bundle.codec import BadRow, Encoded
from taxon_model_server import workers
from taxon_model_server.errors import InvalidInput, NotLoaded, RequestError, TooLarge
from taxon_model_server.exchange import Answer, Asked
from taxon_model_server.loader import Model
from taxon_model_server.prediction_log.batches import Batch

LARGE = workers.INLINE_BYTES + 1


def good_row() -> Asked:
    """Return a row the classifier takes, with an id of its own."""
    return Asked(Encoded(np.array([[1.1, 2.2, 7.0]])), "inside")


def bad_row() -> Asked:
    """Return a row the classifier refuses."""
    return Asked(Encoded(np.array([[1.1, float("nan"), 7.0]])))


def failing(error: Exception) -> Callable[[], Asked]:
    """Return a function that raises an error."""

    def fail() -> Asked:
        raise error

    return fail


@dataclass
class ScriptedCall:
    """A request of a transport of its own, read by a function of the test."""

    reading: Callable[[], Asked] = good_row

    def read(self, _: Model) -> Asked:
        """Read."""
        return self.reading()

    def write(self, answer: Answer) -> str:
        """Write."""
        return str(answer.labels[0])

    def refuse(self, bad: BadRow) -> RequestError:
        """Refuse."""
        return InvalidInput(f"in this transport's words: {bad}")


@dataclass
class Served:
    """A loaded server and the batches it logged."""

    client: Client
    batches: list[Batch] = field(default_factory=list)

    def answer(self, call: ScriptedCall, size: int = 0) -> str:
        """Answer one call."""
        return asyncio.run(self.client.exchange.answer(call, request_id="outside", size=size))

    def health(self) -> str:
        """Return how it is."""
        return asyncio.run(self.client.exchange.health())


@pytest.fixture
def served(make_client: MakeClient) -> Served:
    """Return a loaded server that logs to a list."""
    batches: list[Batch] = []
    return Served(make_client(log=batches.append), batches)


def chosen(batch: Batch) -> list[str | int] | None:
    """Return the label of each row that was answered."""
    return None if batch.chosen is None else [batch.of.classes[place] for place in batch.chosen]


def test_an_answer_is_logged_under_the_requests_own_id(served: Served) -> None:
    """The id inside a request counts more than the one beside it."""
    label = served.answer(ScriptedCall())

    assert label == "malignant"
    assert [(batch.request_id, chosen(batch)) for batch in served.batches] == [
        ("inside", ["malignant"])
    ]


@pytest.mark.parametrize(
    ("reading", "raised", "message"),
    [
        pytest.param(bad_row, InvalidInput, "in this transport's words: row 0: width", id="row"),
        pytest.param(failing(TooLarge("so much")), TooLarge, "so much", id="refused"),
        pytest.param(
            failing(ValueError("inner text")),
            InvalidInput,
            "the request cannot be read: correct its body",
            id="the reader breaks",
        ),
        pytest.param(
            failing(RecursionError()), InvalidInput, "the request cannot be read", id="recursion"
        ),
        pytest.param(
            failing(MemoryError()), TooLarge, "needs more memory than the server has", id="memory"
        ),
    ],
)
def test_whatever_fails_while_reading_is_refused_and_logged(
    served: Served, reading: Callable[[], Asked], raised: type[Exception], message: str
) -> None:
    """What a client sent is never the server's fault: one refusal, and one Failed event."""
    with pytest.raises(raised, match=message):
        served.answer(ScriptedCall(reading))

    assert [(chosen(batch), batch.request_id) for batch in served.batches] == [(None, "outside")]


def test_a_reader_that_breaks_leaves_its_traceback(served: Served, log_lines: LogLines) -> None:
    """The operator finds why a request could not be read."""
    with pytest.raises(InvalidInput):
        served.answer(ScriptedCall(failing(ValueError("inner text"))))

    [line] = log_lines()
    assert line["event"] == "unreadable_request"
    assert "inner text" in line["exception"]


def test_a_fault_while_predicting_is_logged_as_failed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the server's own stays one, and leaves a Failed event too."""
    monkeypatch.setattr(served.client.exchange, "_predict", None)
    with pytest.raises(TypeError):
        served.answer(ScriptedCall())

    assert [chosen(batch) for batch in served.batches] == [None]


def test_a_log_that_fails_does_not_fail_the_answer(make_client: MakeClient) -> None:
    """An answer is given though the log raises; the event is counted as dropped."""

    def broken(_: Batch) -> None:
        raise MemoryError

    served = Served(make_client(log=broken))

    assert served.answer(ScriptedCall()) == "malignant"
    dropped = {"reason": "log_failed"}
    registry = served.client.exchange.telemetry.registry
    assert registry.get_sample_value("prediction_log_dropped_total", dropped) == 1


def test_before_a_model_is_loaded_every_call_is_refused(make_client: MakeClient) -> None:
    """Without a model a call is NotLoaded, and nothing is logged: there is no version yet."""
    batches: list[Batch] = []
    served = Served(make_client(loaded=False, log=batches.append), batches)
    with pytest.raises(NotLoaded):
        served.answer(ScriptedCall())

    assert batches == []
    assert served.health() == "loading"


def occupy(
    served: Served,
    work: Callable[[], object],
    release: Callable[[], None],
    *,
    seconds: float = 0.0,
) -> list[str]:
    """Return the health while every thread does some work, and once it was released.

    Threads use some processor time on their way into the work, so health is asked until it is not
    "healthy", for so many seconds at most.
    """
    started = threading.Semaphore(0)
    exchange = served.client.exchange

    def reading() -> Asked:
        started.release()
        work()
        return good_row()

    async def check() -> list[str]:
        calls = [
            asyncio.ensure_future(
                exchange.answer(ScriptedCall(reading), request_id=None, size=LARGE)
            )
            for _ in range(exchange.threads)
        ]
        for _ in calls:
            await asyncio.to_thread(started.acquire)
        deadline = time.monotonic() + seconds
        while (occupied := await exchange.health()) == "healthy" and time.monotonic() < deadline:
            pass
        release()
        await asyncio.gather(*calls)
        return [occupied, await exchange.health()]

    return asyncio.run(check())


def test_threads_that_hang_make_the_server_unready(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When every thread waits for something that never comes, it is unhealthy; then not."""
    monkeypatch.setattr(workers, "RESPONSE_SECONDS", 0.05)
    stuck = threading.Event()

    assert occupy(served, stuck.wait, stuck.set, seconds=20) == ["unhealthy", "healthy"]


def test_threads_that_compute_leave_the_server_ready(served: Served) -> None:
    """A server whose threads are all busy with large requests is still ready."""
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(1000))

    assert occupy(served, compute, stop.set) == ["healthy", "healthy"]

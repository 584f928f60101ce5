"""What is waited for is asked for again and again, until it holds or the process is stopped."""

import threading
import time

from taxon_kube.api import Unavailable
from taxon_kube.waiting import wait_until


def test_errors_and_no_are_asked_again() -> None:
    """The API server may be away for a while."""
    answers: list[Unavailable | bool] = [Unavailable("away"), False, Unavailable("away"), True]

    def holds() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    assert wait_until(holds, threading.Event(), every=0.01, what="a test")
    assert answers == []


def test_a_stop_ends_a_pause_at_once() -> None:
    """A pod that waits for the Lease ends when it is asked to."""
    stop, asked = threading.Event(), threading.Event()
    ended: list[bool] = []

    def holds() -> bool:
        asked.set()
        return False

    thread = threading.Thread(
        target=lambda: ended.append(wait_until(holds, stop, every=3600, what="a test"))
    )
    thread.start()
    assert asked.wait(5)
    began = time.monotonic()
    stop.set()
    thread.join(5)

    assert ended == [False]
    assert time.monotonic() - began < 2


def test_nothing_is_asked_once_stopped() -> None:
    """The Lease is not taken by a process that ends."""
    stop = threading.Event()
    stop.set()

    assert not wait_until(lambda: True, stop, every=1, what="a test")

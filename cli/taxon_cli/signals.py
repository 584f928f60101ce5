"""Ending on a signal, after cleaning up."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal to end was received."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first signal to end into an exception, so that everything is cleaned up.

    Cleaning up takes bounded time, and later signals do not interrupt it.
    """

    def interrupt(number: int, _: FrameType | None) -> NoReturn:
        for ignored in NUMBERS:
            signal.signal(ignored, signal.SIG_IGN)
        raise Interrupted(number)

    previous = {
        number: signal.signal(number, interrupt)
        for number in NUMBERS
        if signal.getsignal(number) is not signal.SIG_IGN  # nohup means it
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

"""Asks about many subjects outside the workers, about each again and again, in one thread.

A reconciliation never waits for an answer: it registers its question and uses what is known.
"""

import asyncio
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

Subject = TypeVar("Subject", bound=Hashable)
Known = TypeVar("Known", bound="Inquiry")


class Inquiry(Protocol):
    """What is known about one subject, and how to find out more."""

    async def ask(self) -> bool:
        """Ask once, in bounded time and without raising; return whether what is known changed."""

    def pause(self) -> float:
        """Return the seconds until it is asked again."""

    def is_wanted(self) -> bool:
        """Return whether somebody still needs to know."""


@dataclass(eq=False)
class Asker(Generic[Subject, Known]):
    """Asks about the registered subjects, each at its own interval, in the thread that runs it.

    Args:
        changed: called with a subject when what is known about it has changed.
        at_a_time: questions at a time; more are queued.
    """

    changed: Callable[[Subject], None]
    at_a_time: int
    lock: "threading.RLock" = field(default_factory=threading.RLock)
    _inquiries: dict[Subject, Known] = field(default_factory=dict)
    _tasks: dict[Subject, "asyncio.Task[None]"] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None

    def get(self, subject: Subject) -> Known | None:
        """Return what is known about a subject; None if it is not registered."""
        return self._inquiries.get(subject)

    def put(self, subject: Subject, inquiry: Known | None) -> None:
        """Start asking about a subject, instead of an earlier inquiry; None: stop asking."""
        with self.lock:
            self._inquiries.pop(subject, None)
            if inquiry is not None:
                self._inquiries[subject] = inquiry
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._change_over, subject, inquiry)

    def run(self, stop: threading.Event) -> None:
        """Ask until stopped."""
        asyncio.run(self._run(stop))

    async def _run(self, stop: threading.Event) -> None:
        self._turn = asyncio.Semaphore(self.at_a_time)
        with self.lock:
            self._loop = asyncio.get_running_loop()
            for subject, inquiry in self._inquiries.items():
                self._change_over(subject, inquiry)
        try:
            await asyncio.to_thread(stop.wait)
        finally:
            with self.lock:
                self._loop = None

    def _change_over(self, subject: Subject, inquiry: Known | None) -> None:
        """Stop one inquiry and start another; runs in the loop."""
        before = self._tasks.pop(subject, None)
        if before is not None:
            before.cancel()
        if inquiry is not None:
            task = asyncio.get_running_loop().create_task(self._keep_asking(subject, inquiry))
            self._tasks[subject] = task

    async def _keep_asking(self, subject: Subject, inquiry: Known) -> None:
        while not self._has_ended(subject, inquiry):
            async with self._turn:
                changed = await inquiry.ask()
            if changed:
                self.changed(subject)
            await asyncio.sleep(inquiry.pause())

    def _has_ended(self, subject: Subject, inquiry: Known) -> bool:
        """Return whether nobody needs to know any more; if so, forget what is known."""
        with self.lock:
            if inquiry.is_wanted():
                return False
            if self._inquiries.get(subject) is inquiry:
                del self._inquiries[subject]
                del self._tasks[subject]
            return True

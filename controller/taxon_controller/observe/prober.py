"""Probes the URLs of models outside the workers; a changed answer makes a model due.

A reconciliation never waits for a URL: it registers its question and uses the last known answer.
All probes share one thread, so a slow URL does not delay other models.
"""

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from taxon_controller.observe.probe import Answer, Question, answer_to, trusted

Key = tuple[str, str]
"""Namespace and name of a model."""
Ask = Callable[[Question], Awaitable[Answer]]

AT_A_TIME = 64
"""Probes at a time; more are queued."""
FAILURES_TO_DOUBT = 3
"""Failures in a row after which a version that did answer counts as not answering."""


@dataclass(frozen=True)
class Pace:
    """Seconds between two probes for one model, before jitter.

    ``settled`` applies while the expected version answers; otherwise the pause grows from ``first``
    to ``longest``.
    """

    first: float = 0.25
    longest: float = 15.0
    settled: float = 60.0

    def pause(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row."""
        grown = self.first * 2.0 ** min(failures - 1, 16)
        seconds = min(grown, self.longest) if failures else self.settled
        return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


@dataclass(eq=False)
class _Watch:
    """What is known about the URL of one model."""

    question: Question
    expected: str
    answer: Answer | None = None
    failures: int = 0
    task: asyncio.Task[None] | None = None

    def take(self, answer: Answer) -> bool:
        """Note an answer; return whether what is known has changed."""
        self.failures = 0 if answer.version == self.expected else self.failures + 1
        confirmed = self.answer is not None and self.answer.version == self.expected
        if confirmed and 0 < self.failures < FAILURES_TO_DOUBT:
            return False
        changed, self.answer = answer != self.answer, answer
        return changed


@dataclass(eq=False)
class Prober:
    """Probes the registered URLs, each at its own interval, in the thread that runs it.

    Args:
        changed: called with a model whose URL's answer has changed.
        ask: sends one probe in bounded time and never raises; None: over HTTP.
        pace: the pauses.
    """

    changed: Callable[[Key], None]
    ask: Ask | None = None
    pace: Pace = field(default_factory=Pace)
    _watches: dict[Key, _Watch] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _loop: asyncio.AbstractEventLoop | None = None

    def watch(self, key: Key, question: Question, *, expected: str) -> Answer | None:
        """Return the URL's last answer, or None if there is no answer to this question yet.

        Args:
            key: the model.
            question: the address and the request.
            expected: the version that should answer. Another one starts a new question: an answer
                from before a switch does not count after it.
        """
        with self._lock:
            known = self._watches.get(key)
            if known is not None and (known.question, known.expected) == (question, expected):
                return known.answer
            self._put(key, _Watch(question, expected))
            return None

    def forget(self, key: Key) -> None:
        """Stop probing for a model."""
        with self._lock:
            self._put(key, None)

    def run(self, stop: threading.Event) -> None:
        """Probe until stopped."""
        asyncio.run(self._run(stop))

    def _put(self, key: Key, watch: _Watch | None) -> None:
        """Replace the previous watch; the lock is held."""
        before = self._watches.pop(key, None)
        if watch is not None:
            self._watches[key] = watch
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._change_over, key, before, watch)

    async def _run(self, stop: threading.Event) -> None:
        self._turn = asyncio.Semaphore(AT_A_TIME)
        self._asks = self.ask or partial(answer_to, trust=trusted())
        with self._lock:
            self._loop = asyncio.get_running_loop()
            for key, watch in self._watches.items():
                self._change_over(key, None, watch)
        try:
            await asyncio.to_thread(stop.wait)
        finally:
            with self._lock:
                self._loop = None

    def _change_over(self, key: Key, before: _Watch | None, watch: _Watch | None) -> None:
        """Stop one watch's probes and start another's; runs in the loop."""
        if before is not None and before.task is not None:
            before.task.cancel()
        if watch is not None:
            watch.task = asyncio.get_running_loop().create_task(self._keep_asking(key, watch))

    async def _keep_asking(self, key: Key, watch: _Watch) -> None:
        while True:
            async with self._turn:
                answer = await self._asks(watch.question)
            with self._lock:
                changed = watch.take(answer)
            if changed:
                self.changed(key)
            await asyncio.sleep(self.pace.pause(watch.failures))

"""Probes the URLs of models outside the workers; a changed answer makes a model due.

A reconciliation never waits for a URL: it registers its question and uses the last known answer.
All probes share one thread, so a slow URL does not delay other models.
"""

import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from taxon_controller.observe.asker import Asker
from taxon_controller.observe.exchange import authorities
from taxon_controller.observe.probe import Answer, Question, answer_to

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


async def _over_http(question: Question) -> Answer:
    return await answer_to(question, trust=authorities())


@dataclass(eq=False)
class _Watch:
    """What is known about the URL of one model."""

    question: Question
    expected: str
    asks: Ask
    pace: Pace
    answer: Answer | None = None
    failures: int = 0

    async def ask(self) -> bool:
        """Probe once; return whether what is known has changed."""
        answer = await self.asks(self.question)
        self.failures = 0 if answer.version == self.expected else self.failures + 1
        confirmed = self.answer is not None and self.answer.version == self.expected
        if confirmed and 0 < self.failures < FAILURES_TO_DOUBT:
            return False
        changed, self.answer = answer != self.answer, answer
        return changed

    def pause(self) -> float:
        """Return the seconds until the next probe."""
        return self.pace.pause(self.failures)

    def is_wanted(self) -> bool:
        """Return True: the prober itself ends a watch."""
        return True


class Prober:
    """Probes the registered URLs, each at its own interval, in the thread that runs it.

    Args:
        changed: called with a model whose URL's answer has changed.
        ask: sends one probe in bounded time and never raises; None: over HTTP.
        pace: the pauses.
    """

    def __init__(
        self, changed: Callable[[Key], None], ask: Ask | None = None, pace: Pace | None = None
    ) -> None:
        self._ask, self._pace = ask or _over_http, pace or Pace()
        self._asker: Asker[Key, _Watch] = Asker(changed, AT_A_TIME)

    def watch(self, key: Key, question: Question, *, expected: str) -> Answer | None:
        """Return the URL's last answer, or None if there is no answer to this question yet.

        Args:
            key: the model.
            question: the address and the request.
            expected: the version that should answer. Another one starts a new question: an answer
                from before a switch does not count after it.
        """
        with self._asker.lock:
            known = self._asker.get(key)
            if known is not None and (known.question, known.expected) == (question, expected):
                return known.answer
            self._asker.put(key, _Watch(question, expected, self._ask, self._pace))
            return None

    def forget(self, key: Key) -> None:
        """Stop probing for a model."""
        self._asker.put(key, None)

    def run(self, stop: threading.Event) -> None:
        """Probe until stopped."""
        self._asker.run(stop)

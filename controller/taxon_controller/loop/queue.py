"""The queue of due models: one worker at a time reconciles a model, and none is lost."""

import heapq
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from taxon_controller.telemetry import Telemetry
from taxon_kube.api import ApiError, Conflict, Unavailable

logger = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace and name of a model."""

BURST_SECONDS = 0.05
"""How long a change waits for the next: one write is seen as several events."""
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 60.0


@dataclass
class ModelQueue:
    """Models and when they are due; one that becomes due while it is reconciled is queued again."""

    clock: Callable[[], float] = time.monotonic
    _due: dict[Key, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, Key]] = field(default_factory=list)
    _running: set[Key] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _failures: dict[Key, int] = field(default_factory=dict)
    _closed: bool = False

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Make a model due in ``delay`` seconds, unless it is due sooner anyway."""
        with self._changed:
            due = self.clock() + delay
            if due >= self._due.get(key, float("inf")):
                return
            self._due[key] = due
            self._push(key)

    def take(self) -> tuple[Key, float] | None:
        """Wait for a model that is due; return it and its age in seconds, or None when closed."""
        with self._changed:
            while not self._closed:
                self._drop_stale()
                wait = self._heap[0][0] - self.clock() if self._heap else None
                if wait is not None and wait <= 0:
                    _, _, key = heapq.heappop(self._heap)
                    del self._due[key]
                    self._running.add(key)
                    return key, -wait
                self._changed.wait(wait)
            return None

    def failures(self, key: Key) -> int:
        """Return how many reconciliations of a model have failed in a row, on any worker."""
        with self._changed:
            return self._failures.get(key, 0)

    def failed(self, key: Key) -> int:
        """Count a failed reconciliation; return how many have failed in a row."""
        with self._changed:
            self._failures[key] = self._failures.get(key, 0) + 1
            return self._failures[key]

    def succeeded(self, key: Key) -> None:
        """Reset the count of failures."""
        with self._changed:
            self._failures.pop(key, None)

    def done(self, key: Key) -> None:
        """Allow a model to be taken again."""
        with self._changed:
            self._running.discard(key)
            if key in self._due:
                self._push(key)

    def close(self) -> None:
        """Send every worker home."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def depth(self) -> int:
        """Return how many models are due by now."""
        with self._changed:
            now = self.clock()
            return sum(due <= now for due in self._due.values())

    def _push(self, key: Key) -> None:
        if key not in self._running:
            heapq.heappush(self._heap, (self._due[key], next(self._order), key))
            self._changed.notify()

    def _drop_stale(self) -> None:
        """Drop entries with an earlier one, or whose model is being reconciled."""
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) == due and key not in self._running:
                return
            heapq.heappop(self._heap)


@dataclass
class Worker:
    """Reconciles due models; after an error a model is due again after a growing, random pause."""

    queue: ModelQueue
    reconcile: Callable[[str, str, int], datetime | None]
    now: Callable[[], datetime]
    telemetry: Telemetry

    def run(self) -> None:
        """Work until the queue is closed."""
        while (taken := self.queue.take()) is not None:
            key, age = taken
            self.telemetry.queue_age.observe(age)
            self.telemetry.queue_depth.set(self.queue.depth())
            try:
                self.work(key)
            finally:
                self.queue.done(key)

    def work(self, key: Key) -> None:
        """Reconcile one model once, and queue it again."""
        began = time.monotonic()
        try:
            again = self.reconcile(*key, self.queue.failures(key))
        except Exception as error:  # noqa: BLE001 - an error of one model does not stop the others
            self.queue.add(key, self._pause(key, error))
        else:
            self.queue.succeeded(key)
            if again is not None:
                self.queue.add(key, max(0.0, (again - self.now()).total_seconds()))
        finally:
            self.telemetry.reconcile_seconds.observe(time.monotonic() - began)

    def _pause(self, key: Key, error: Exception) -> float:
        """Return how long to leave a model alone after an error."""
        reason = error.reason if isinstance(error, ApiError) else "Unexpected"
        self.telemetry.reconcile_errors.labels(reason).inc()
        count = self.queue.failed(key)
        fields = {"model": "/".join(key), "reason": reason}
        if isinstance(error, Conflict):
            logger.info("Trying again: %s", error, extra=fields)
        elif isinstance(error, ApiError):
            logger.warning("Trying again: %s", error, extra=fields)
        else:
            logger.error("Trying again", exc_info=error, extra=fields)
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(count - 1, 16), LONGEST_PAUSE_SECONDS)
        wished = (error.retry_after if isinstance(error, Unavailable) else None) or 0.0
        jittered = pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        return max(jittered, min(wished, LONGEST_PAUSE_SECONDS))

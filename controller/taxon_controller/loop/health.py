"""Whether the controller is alive: its own watch delivers its own heartbeat."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Health:
    """The health of the process.

    The Lease is the heartbeat: it is written every few seconds, and the watch delivers each write.
    If a heartbeat was written and is not delivered, the watch is dead. While the API server does
    not answer there is no heartbeat, and a restart would not help.
    """

    limit: float
    monotonic: Callable[[], float] = time.monotonic
    ready: threading.Event = field(default_factory=threading.Event)
    _seen: float | None = None
    _written: float | None = None

    def wrote(self, time: float) -> None:
        """Note that a heartbeat was written."""
        self._written = time
        if self._seen is None:
            self._seen = time

    def saw(self) -> None:
        """Note that a heartbeat came back."""
        self._seen = self.monotonic()

    def age(self) -> float:
        """Return for how many seconds heartbeats were written without one coming back."""
        if self._written is None or self._seen is None:
            return 0.0
        return max(0.0, self._written - self._seen)

    def alive(self) -> bool:
        """Return whether the watch still receives events."""
        return self.age() < self.limit

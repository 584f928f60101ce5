"""A group of threads: when one ends, all are stopped, and its error is raised."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

JOIN_SECONDS = 15.0
"""For all threads together: the Lease is released after it, within a pod's grace of 30 s."""


@dataclass
class Threads:
    """Named threads that stop together."""

    stop: threading.Event
    seconds: float = JOIN_SECONDS
    started: list[threading.Thread] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def start(self, name: str, target: Callable[[], None]) -> None:
        """Start a thread; when it ends, the others are stopped."""

        def run() -> None:
            try:
                target()
            except Exception as error:  # noqa: BLE001 - raised again by wait()
                self.errors.append(error)
            finally:
                if not self.stop.is_set():
                    logger.warning("%s has ended: the controller stops", name)
                self.stop.set()

        thread = threading.Thread(target=run, name=name, daemon=True)
        self.started.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait for the threads to end, with one timeout for all; raise the first error.

        Raises:
            Exception: what stopped the threads.
        """
        deadline = time.monotonic() + self.seconds
        for thread in self.started:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self.errors:
            raise self.errors[0]

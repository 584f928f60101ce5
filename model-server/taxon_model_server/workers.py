"""Threads that answer the requests too large for the event loop, and whether they still do."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from taxon_model_server.container import usable_cores

INLINE_BYTES = 8 * 1024
"""Requests up to this answer within the event loop's budget; larger ones would delay all others."""
RESPONSE_SECONDS = 0.5
"""How long a readiness check waits for a thread; well within the timeout of a probe."""

Result = TypeVar("Result")


class Workers:
    """One thread per core."""

    def __init__(self) -> None:
        self.threads = usable_cores()
        self._started: list[threading.Thread] = []
        self._pool = ThreadPoolExecutor(
            self.threads, thread_name_prefix="answer", initializer=self._register
        )
        self._check: Future[None] | None = None

    async def run(self, work: Callable[[], Result], *, size: int) -> Result:
        """Return ``work()``, computed in a thread when the request has many bytes."""
        if size <= INLINE_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def respond(self) -> bool:
        """Return whether a thread accepts a task now, or all of them are computing.

        Threads that neither accept a task nor use the processor hang. Only one check is queued at
        a time.
        """
        if self._check is None or self._check.done():
            self._check = self._pool.submit(_nothing)
        before = self._processor_seconds()
        done, _ = await asyncio.wait({asyncio.wrap_future(self._check)}, timeout=RESPONSE_SECONDS)
        return bool(done) or self._processor_seconds() > before

    def _register(self) -> None:
        self._started.append(threading.current_thread())

    def _processor_seconds(self) -> float:
        """Return the threads' total processor time; 0 if the system does not report it."""
        if not hasattr(time, "pthread_getcpuclockid"):  # macOS
            return 0.0
        return sum(
            time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
            for thread in self._started
            if thread.ident is not None and thread.is_alive()
        )


def _nothing() -> None:
    """Take a thread for no time."""

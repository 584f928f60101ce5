"""The memory that requests in progress may use together: further ones wait for a limited time."""

import asyncio
from collections import deque
from collections.abc import Callable

from taxon_model_server.container import resident_memory, usable_memory
from taxon_model_server.errors import Overloaded, TooLarge

MEBIBYTE = 2**20
WAIT_SECONDS = 5.0
"""How long a request waits for others to end."""
RETRY_SECONDS = 1
SHARE_OF_FREE = 75
"""Percent of the free memory; the rest is for what allocators keep, and for the prediction log."""
LEAST_VALUE_BYTES = 2
"""A digit and what separates it from the next."""
ROW_BYTES = 600
"""Bytes of a row besides its values and probabilities: label, id, their text, and its log."""
PROBABILITY_BYTES = 64
"""Bytes of a probability: the number, its text, and its name if the answer repeats it."""
TEXT_BYTES = 16
"""Bytes of a category that no training row had, besides its text: its row, and where it ends."""
BASE_BYTES = 8 * MEBIBYTE
"""What does not grow with the request: pieces of text, and rows in the graph."""


def request_memory(
    size: int, *, features: int, classes: int, max_rows: int, categories: bool = False
) -> int:
    """Return how many bytes answering a request may take.

    Args:
        size: bytes of its body.
        features: how many values a row has.
        classes: how many probabilities a row is answered with.
        max_rows: most rows of one request.
        categories: whether a value may be text, which is kept if no training row had it.
    """
    values = min(max_rows * features, size // LEAST_VALUE_BYTES)
    rows = values // features + 1
    body = size + size // 8  # it grows in steps
    texts = 2 * size + TEXT_BYTES * values if categories else 0
    answer = rows * (ROW_BYTES + classes * PROBABILITY_BYTES)
    return BASE_BYTES + body + 8 * values + texts + answer


def free_memory() -> int:
    """Return how many bytes requests may use in addition to the process's current memory."""
    return max(0, usable_memory() - resident_memory()) * SHARE_OF_FREE // 100


class MemoryBudget:
    """Bytes that are reserved in order of arrival and released again."""

    def __init__(self, measure: Callable[[], int], *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Take how to measure the bytes there are, which is done when the first are asked for."""
        self._measure = measure
        self._size: int | None = None
        self._free = 0
        self._wait_seconds = wait_seconds
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def size(self) -> int:
        """Return how many bytes there are in all."""
        if self._size is None:
            self._size = self._free = self._measure()
        return self._size

    async def take(self, size: int) -> None:
        """Wait for bytes.

        Raises:
            TooLarge: there are not as many, whoever else is served.
            Overloaded: others hold them for too long.
        """
        if size > self.size:
            raise TooLarge(
                f"the request may need {size // MEBIBYTE} MiB of memory to answer, this server has"
                f" {self.size // MEBIBYTE}: send fewer rows, or raise its memory limit"
            )
        if not self._waiting and size <= self._free:
            self._free -= size
            return
        turn = (size, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn[1]
        except TimeoutError as error:
            self._leave(turn)
            raise Overloaded(
                "the requests in progress use all available memory: try again in"
                f" {RETRY_SECONDS} s",
                RETRY_SECONDS,
            ) from error
        except asyncio.CancelledError:
            self._leave(turn)
            raise

    def give_back(self, size: int) -> None:
        """Return bytes, and serve who waits."""
        self._free += size
        while self._waiting:
            first, turn = self._waiting[0]
            if not turn.cancelled():
                if first > self._free:
                    return
                self._free -= first
                turn.set_result(None)
            self._waiting.popleft()

    def _leave(self, turn: tuple[int, asyncio.Future[None]]) -> None:
        """Stop waiting; release bytes that were reserved at the last moment."""
        size, future = turn
        self.give_back(0 if future.cancelled() else size)


class Share:
    """One request's reservation."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self.held = 0

    async def take(self, size: int) -> None:
        """Reserve more bytes, once they are available.

        Raises:
            TooLarge: there are not as many, whoever else is served.
            Overloaded: others hold them for too long.
        """
        await self._budget.take(size)
        self.held += size

    async def take_up_to(self, size: int) -> None:
        """Reserve more bytes, or all available ones if that is fewer.

        Raises:
            Overloaded: others hold them for too long.
        """
        await self.take(min(size, self._budget.size))

    def give_back(self) -> None:
        """Hold nothing any more."""
        if self.held:
            self._budget.give_back(self.held)
            self.held = 0

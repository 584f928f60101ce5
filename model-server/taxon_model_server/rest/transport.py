"""Between HTTP and predictions: requests within their limits, large ones off the event loop."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import Scope

from taxon_model_server.errors import EncodedBody, TooLarge
from taxon_model_server.rest.rate_limit import RateLimit

INLINE_BYTES = 8 * 1024
"""Bodies up to this answer within the event loop's budget; others would hold everyone up."""

Result = TypeVar("Result")


class Endpoint(Route):
    """A route that leaves itself in the scope, for whoever counts requests."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for this route."""
        match, found = super().matches(scope)
        if match is not Match.NONE:
            found["route"] = self
        return match, found


class Intake:
    """Takes requests for predictions; large ones are answered by one thread per core."""

    def __init__(self, *, max_bytes: int, rate_limit: RateLimit | None) -> None:
        self._max_bytes = max_bytes
        self._rate_limit = rate_limit
        self._workers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="answer")

    async def body(self, request: Request) -> bytes:
        """Return a request's body.

        Raises:
            TooManyRequests: the client is over its rate limit.
            TooLarge: it has more bytes than the limit; the rest is not read.
            EncodedBody: it is compressed.
        """
        if self._rate_limit:
            self._rate_limit.check(request.client.host if request.client else "")
        headers = request.headers
        encoding = headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise EncodedBody(f"Content-Encoding {encoding[:20]!r} is not read: send plain bytes")
        claimed = headers.get("content-length", "")
        if claimed.isdecimal() and int(claimed) > self._max_bytes:
            raise TooLarge(f"the body has {claimed} bytes: send at most {self._max_bytes}")
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._max_bytes:
                raise TooLarge(f"the body is too large: send at most {self._max_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    async def answer(self, answer: Callable[[], Result], *, body_bytes: int) -> Result:
        """Return ``answer()``, computed in a worker thread when the body is large."""
        if body_bytes <= INLINE_BYTES:
            return answer()
        return await asyncio.get_running_loop().run_in_executor(self._workers, answer)

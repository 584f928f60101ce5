"""What every endpoint shares: routes that can be counted, and bodies within their limits."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from taxon_model_server.errors import EncodedBody, TooLarge
from taxon_model_server.rest.rate_limit import RateLimit


class Endpoint(Route):
    """A route that a slash at the end does not change, and that says which methods it has.

    It leaves itself in the scope, for whoever counts requests.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"/?\Z")
        self._allow = ", ".join(sorted({*(self.methods or ()), "OPTIONS"}))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a request is for this route, and leave the route in its scope."""
        match, found = super().matches(scope)
        if match is not Match.NONE:
            found["route"] = self
        return match, found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say which methods the path has."""
        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers={"allow": self._allow})(scope, receive, send)
        elif scope["method"] not in (self.methods or ()):
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": self._allow})
        else:
            await super().handle(scope, receive, send)


class Intake:
    """Takes the bodies of requests for predictions."""

    def __init__(self, *, max_bytes: int, rate_limit: RateLimit | None) -> None:
        self._max_bytes = max_bytes
        self._rate_limit = rate_limit

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

"""What endpoints share: routes that can be counted, and responses in pieces."""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from taxon_model_server.memory import MemoryBudget, Share
from taxon_model_server.rest.bodies import SHARE

PART_BYTES = 256 * 1024
"""Bytes of a response that are sent at once."""


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
            await self.app(scope, receive, send)


class PredictionEndpoint(Endpoint):
    """A route whose requests share the memory; each holds its part until it is answered."""

    def __init__(self, path: str, endpoint: Callable[..., Any], budget: MemoryBudget) -> None:
        super().__init__(path, endpoint, methods=["POST"])
        self._budget = budget

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope[SHARE] = share = Share(self._budget)
        try:
            await super().handle(scope, receive, send)
        finally:
            share.give_back()


def json_response(pieces: Sequence[bytes]) -> Response:
    """Return a response of JSON."""
    if len(pieces) == 1:
        return Response(pieces[0], media_type="application/json")
    return PiecesResponse(pieces, "application/json")


class PiecesResponse(Response):
    """A response that is sent piece by piece, as the client takes it."""

    def __init__(
        self, pieces: Sequence[bytes], media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        size = sum(map(len, pieces))
        super().__init__(
            media_type=media_type, headers={**(headers or {}), "content-length": str(size)}
        )
        self._pieces = deque(pieces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope, receive
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        while self._pieces:
            part, size = [], 0
            while self._pieces and size < PART_BYTES:
                part.append(self._pieces.popleft())
                size += len(part[-1])
            body, more = b"".join(part), bool(self._pieces)
            await send({"type": "http.response.body", "body": body, "more_body": more})

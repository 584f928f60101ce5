"""Counting HTTP requests, and the access log."""

import time
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taxon_model_server.exchange import Exchange
from taxon_model_server.rest.failures import refuse_connection
from taxon_model_server.rest.http_cycle import REFUSAL
from taxon_model_server.rest.transport import Endpoint

UNMATCHED = "unmatched"
SWAGGER_PATH = "/swagger"
"""Where the script and style of /docs are served from: a closed network reaches no other host."""

_log = structlog.get_logger("taxon_model_server.access")


class Counted:
    """Counts every request by route and code, and writes the access log where it is wanted."""

    def __init__(self, app: ASGIApp, exchange: Exchange, *, access_log: bool) -> None:
        self._app = app
        self._exchange = exchange
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        started = time.perf_counter()
        code = int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def noted(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        refused = REFUSAL in scope.get("extensions", ())
        try:
            await (refuse_connection if refused else self._app)(scope, receive, noted)
        finally:
            self._count(scope, code, time.perf_counter() - started)

    def _count(self, scope: Scope, code: int, seconds: float) -> None:
        endpoint = _endpoint(scope)
        self._exchange.telemetry.requested(
            self._exchange.state.version, endpoint, scope["method"], code
        )
        if self._access_log:
            headers = dict(scope["headers"])
            _log.info(
                "request",
                client=scope["client"][0] if scope["client"] else None,
                method=scope["method"],
                path=scope["path"],
                endpoint=endpoint,
                code=code,
                seconds=round(seconds, 6),
                request_id=headers.get(b"x-request-id", b"").decode("latin-1") or None,
            )


def _endpoint(scope: Scope) -> str:
    """Return the path of the route that took a request; FastAPI's own have no parameters."""
    route = scope.get("route")
    if isinstance(route, Endpoint):
        return route.path
    if scope["path"].startswith(f"{SWAGGER_PATH}/"):
        return SWAGGER_PATH
    return str(scope["path"]) if "endpoint" in scope else UNMATCHED

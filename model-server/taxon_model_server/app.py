"""The server as an ASGI application: the route tables, and one table of what errors answer."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taxon_model_server import errors
from taxon_model_server.dataplane import DataPlane
from taxon_model_server.events import tell
from taxon_model_server.openapi import api_description
from taxon_model_server.plain_routes import plain_routes
from taxon_model_server.rate_limit import RateLimit
from taxon_model_server.transport import Endpoint, Intake
from taxon_model_server.v2_routes import v2_routes

STATUS: Mapping[type[Exception], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.InvalidFields: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownModel: HTTPStatus.NOT_FOUND,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.EncodedBody: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotLoaded: HTTPStatus.INTERNAL_SERVER_ERROR,
    ClientDisconnect: HTTPStatus.BAD_REQUEST,
}
LONGEST_MESSAGE = 500
"""Characters of an error's message; it may repeat names the client made up."""
UNMATCHED = "unmatched"
SWAGGER_PATH = "/swagger"
"""Where the script and style of /docs are served from: a closed network reaches no other host."""


class Api(FastAPI):
    """FastAPI with the description of the model that is loaded, and routes outside it."""

    def __init__(self, plane: DataPlane) -> None:
        super().__init__(
            docs_url=None,
            redoc_url=None,
            swagger_ui_oauth2_redirect_url=None,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # tenth of a request
        )
        self._plane = plane

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return api_description(self._plane)


def create_app(plane: DataPlane) -> ASGIApp:
    """Return the application that answers for ``plane``."""
    settings = plane.settings
    intake = Intake(
        max_bytes=settings.max_body_bytes,
        rate_limit=RateLimit(settings.rate_limit) if settings.rate_limit else None,
    )
    api = Api(plane)
    api.router.routes[:0] = [
        *v2_routes(plane, intake),
        *plain_routes(plane, intake),
        Route("/docs", _docs),
        Mount(SWAGGER_PATH, StaticFiles(packages=[("fastapi_swagger", "resources")])),
    ]
    for kind in STATUS:
        api.add_exception_handler(kind, _refuse)
    api.add_exception_handler(HTTPException, _refuse_route)
    api.add_exception_handler(Exception, _fail)
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
        )
    api.add_middleware(Counted, plane=plane)
    return api


class Counted:
    """Counts every request by route and code, and writes the access log where it is wanted."""

    def __init__(self, app: ASGIApp, plane: DataPlane) -> None:
        self._app = app
        self._plane = plane
        self._writes = plane.settings.access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        started = time.perf_counter()
        code = int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def noted(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._count(scope, code, time.perf_counter() - started)

    def _count(self, scope: Scope, code: int, seconds: float) -> None:
        endpoint = _endpoint(scope)
        self._plane.telemetry.requested(self._plane.version, endpoint, scope["method"], code)
        if self._writes:
            headers = dict(scope["headers"])
            tell(
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


async def _docs(_: Request) -> Response:
    """Answer the page that shows the description."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Taxon",
        swagger_js_url=f"{SWAGGER_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{SWAGGER_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{SWAGGER_PATH}/favicon-32x32.png",
        swagger_ui_parameters={"tryItOutEnabled": True, "displayRequestDuration": True},
    )


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer an error of the table."""
    headers = None
    if isinstance(error, errors.TooManyRequests):
        headers = {"retry-after": str(error.seconds)}
    if isinstance(error, errors.InvalidFields):
        problems = [
            {"loc": ["body", *problem.path], "msg": problem.message, "type": problem.kind}
            for problem in error.problems
        ]
        return JSONResponse({"detail": problems}, STATUS[type(error)])
    return _answer(request, STATUS[type(error)], str(error), headers)


async def _refuse_route(request: Request, error: Exception) -> Response:
    """Answer a path or a method that is not there."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    message = f"{request.method} {request.url.path}: {error.detail}; /docs lists what there is"
    return _answer(request, error.status_code, message, error.headers)


async def _fail(request: Request, _: Exception) -> Response:
    """Answer a fault of the server's own; its traceback goes to the log."""
    message = "the server failed to answer; its log says why"
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, message)


def _answer(
    request: Request, code: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    path = request.url.path
    key = "error" if path == "/v2" or path.startswith("/v2/") else "detail"
    return JSONResponse({key: message[:LONGEST_MESSAGE]}, code, headers)

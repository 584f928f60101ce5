"""What errors answer over HTTP: one table of status codes, and the two forms of a message."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from taxon_model_server import errors
from taxon_model_server.rest.http_cycle import REFUSAL, Refusal, RefusedRequest

STATUS: Mapping[type[Exception], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.InvalidFields: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownModel: HTTPStatus.NOT_FOUND,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.EncodedBody: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.UnknownMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NotKept: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NotLogged: HTTPStatus.CONFLICT,
    errors.NotLoaded: HTTPStatus.SERVICE_UNAVAILABLE,
    ClientDisconnect: HTTPStatus.BAD_REQUEST,
}
HEADERS: Mapping[type[Exception], Mapping[str, str]] = {
    errors.EncodedBody: {"accept-encoding": "gzip, deflate"},
    errors.UnknownMediaType: {"accept": "application/json"},
}
"""Headers that describe what the server accepts."""
LONGEST_MESSAGE = 500
"""Characters of an error's message; it may repeat names the client made up."""


def add_handlers(app: Starlette) -> None:
    """Answer every error of the table, every path or method that is not there, and every fault."""
    for kind in STATUS:
        app.add_exception_handler(kind, _refuse)
    app.add_exception_handler(RefusedRequest, _refuse_rest)
    app.add_exception_handler(HTTPException, _refuse_route)
    app.add_exception_handler(Exception, _fail)


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer an error of the table."""
    headers = dict(HEADERS.get(type(error), {}))
    if isinstance(error, errors.TryLater):
        headers["retry-after"] = str(error.seconds)
    if isinstance(error, errors.InvalidFields):
        problems = [
            {"loc": ["body", *problem.path], "msg": problem.message, "type": problem.kind}
            for problem in error.problems
        ]
        return JSONResponse({"detail": problems}, STATUS[type(error)])
    return _answer(request, STATUS[type(error)], str(error), headers)


async def refuse_connection(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that the connection refused, as an ASGI application."""
    refusal: Refusal = scope["extensions"][REFUSAL]["refusal"]
    response = _answer(Request(scope), refusal.status, refusal.sentence)
    await response(scope, receive, send)


async def _refuse_rest(request: Request, error: Exception) -> Response:
    """Answer a request whose rest the connection refused."""
    assert isinstance(error, RefusedRequest)  # noqa: S101 - it is registered for nothing else
    return _answer(request, error.refusal.status, error.refusal.sentence)


async def _refuse_route(request: Request, error: Exception) -> Response:
    """Answer a path or a method that is not there."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    message = f"{request.method} {request.scope['path']}: {error.detail}; /docs lists the paths"
    return _answer(request, error.status_code, message, error.headers)


async def _fail(request: Request, _: Exception) -> Response:
    """Answer a fault of the server; log its traceback."""
    message = "the server failed to answer; its log has the reason"
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, message)


def _answer(
    request: Request, code: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    path = request.scope["path"]
    key = "error" if path == "/v2" or path.startswith("/v2/") else "detail"
    return JSONResponse({key: message[:LONGEST_MESSAGE]}, code, headers)

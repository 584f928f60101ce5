"""One HTTP request whose answer is limited in size, and a sentence for each way it can fail."""

import logging
import ssl
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus

import aiohttp

logger = logging.getLogger(__name__)

MOST_HEADERS = 64


class BadAnswer(Exception):  # noqa: N818 - an outcome, not a fault
    """The answer cannot be used; the message goes on after the server's name."""


def trusted() -> ssl.SSLContext:
    """Return the certificate authorities of the image; reading them takes a moment."""
    return ssl.create_default_context()


@cache
def authorities() -> ssl.SSLContext:
    """Return the certificate authorities of the image, read once."""
    return trusted()


async def get(
    url: str,
    *,
    trust: ssl.SSLContext,
    most_bytes: int,
    headers: Mapping[str, str] | None = None,
    server_name: str | None = None,
) -> bytes:
    """Return the content at a URL; the caller limits the time.

    Args:
        url: the address.
        trust: the certificate authorities.
        most_bytes: length of the longest content that is read.
        headers: headers of the request.
        server_name: the name in the server's certificate, if the URL has another.

    Raises:
        BadAnswer: the status is not 200, or the content is too long.
        aiohttp.ClientError: there was no answer, or not one of HTTP.
        OSError: there was no connection.
    """
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_headers=MOST_HEADERS,
    )
    call = session.get(
        url,
        headers={"Accept-Encoding": "identity", **(headers or {})},
        allow_redirects=False,
        server_hostname=server_name,
    )
    async with session, call as response:
        if response.status != HTTPStatus.OK:
            raise BadAnswer(f"answers with status {response.status}")
        return await _content(response, most_bytes)


async def _content(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    parts, size = [], 0
    while chunk := await response.content.read(most_bytes):
        parts.append(chunk)
        size += len(chunk)
        if size > most_bytes:
            raise BadAnswer(f"answers with more than {most_bytes} bytes")
    return b"".join(parts)


def why_none(base: str, error: Exception, *, seconds: float) -> str:
    """Return why a server gave no answer.

    Args:
        base: the server, as a person knows it.
        error: what the request raised.
        seconds: the time the request had.
    """
    match error:
        case TimeoutError():
            return f"{base} does not answer within {seconds:g} s"
        case aiohttp.ClientConnectorCertificateError():
            verdict = getattr(error.certificate_error, "verify_message", "") or "not verified"
            return f"{base} does not answer with a trusted certificate ({verdict})"
        case aiohttp.ClientError() | OSError():
            return f"{base} does not answer ({_cause(error)})"
    logger.error("A request failed unexpectedly", exc_info=error, extra={"server": base})
    return f"{base} cannot be asked ({type(error).__name__})"


def _cause(error: Exception) -> str:
    """Return the name of the error behind an error."""
    below = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return type(below).__name__

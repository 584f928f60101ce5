"""Asks a URL which version of a model answers, over the Open Inference Protocol.

One probe is limited in total: in time, from the name lookup to the last byte, and in the
bytes it reads. For any answer, or none, the result is a version or a sentence.
"""

import asyncio
import json
import logging
import ssl
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from taxon_controller.observe.gateway import Closed, Entrance, entrance_of_url

logger = logging.getLogger(__name__)

SECONDS = 3.0
"""Timeout of one probe in total."""
MOST_BYTES = 65536
MOST_HEADERS = 64
MOST_CHARACTERS = 64


@dataclass(frozen=True)
class Question:
    """Which version of a model answers at an entrance, under a host name."""

    entrance: Entrance
    host: str
    model: str


@dataclass(frozen=True)
class Answer:
    """The version that answered, or None and why none did."""

    version: str | None
    why: str = ""


class _NoVersion(Exception):  # noqa: N818 - an outcome, not a fault
    """The answer has no version; the message describes it."""


def ask(base: str, *, host: str, model: str) -> tuple[str | None, str]:
    """Return the version that answered, or None and why none did; wait for it.

    Args:
        base: the address, as ``http[s]://address[:port]``.
        host: the host name of the request.
        model: the model's name.
    """
    entrance = entrance_of_url(base)
    if isinstance(entrance, Closed):
        return None, entrance.message
    answer = asyncio.run(answer_to(Question(entrance, host, model), trust=trusted()))
    return answer.version, answer.why


def trusted() -> ssl.SSLContext:
    """Return the certificate authorities of the image; reading them takes a moment."""
    return ssl.create_default_context()


async def answer_to(
    question: Question, *, trust: ssl.SSLContext, seconds: float = SECONDS
) -> Answer:
    """Probe once: the addresses in order, with one timeout for all."""
    base = question.entrance.url(question.entrance.addresses[0])
    try:
        async with asyncio.timeout(seconds):
            return Answer(await _first_reached(question, trust))
    except TimeoutError:
        return Answer(None, f"{base} does not answer within {seconds:g} s")
    except _NoVersion as error:
        return Answer(None, f"{question.host} {error}")
    except aiohttp.ClientConnectorCertificateError as error:
        verdict = getattr(error.certificate_error, "verify_message", "") or "not verified"
        return Answer(None, f"{base} does not answer with a trusted certificate ({verdict})")
    except (aiohttp.ClientError, OSError) as error:
        return Answer(None, f"{base} does not answer ({_cause(error)})")
    except Exception as error:  # every error that an unknown server causes becomes a sentence
        logger.exception("Probing the URL failed", extra={"model": question.model})
        return Answer(None, f"{base} cannot be probed ({type(error).__name__})")


async def _first_reached(question: Question, trust: ssl.SSLContext) -> str:
    """Return the version at the first address that accepts a connection."""
    *others, last = question.entrance.addresses
    for address in others:
        try:
            return await _exchange(question, address, trust)
        except aiohttp.ClientConnectorError as error:
            logger.debug("Trying the next address: %s", error)
    return await _exchange(question, last, trust)


async def _exchange(question: Question, address: str, trust: ssl.SSLContext) -> str:
    entrance = question.entrance
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_headers=MOST_HEADERS,
    )
    call = session.get(
        f"{entrance.url(address)}/v2/models/{question.model}",
        headers={"Host": question.host, "Accept-Encoding": "identity"},
        allow_redirects=False,
        server_hostname=entrance.server_name,
    )
    async with session, call as response:
        if response.status != HTTPStatus.OK:
            raise _NoVersion(f"answers with status {response.status}")
        return _version(await _content(response))


async def _content(response: aiohttp.ClientResponse) -> bytes:
    content = b""
    while chunk := await response.content.read(MOST_BYTES):
        content += chunk
        if len(content) > MOST_BYTES:
            raise _NoVersion(f"answers with more than {MOST_BYTES} bytes")
    return content


def _version(content: bytes) -> str:
    try:
        version = json.loads(content)["versions"][0]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        version = None
    if not isinstance(version, str) or len(version) > MOST_CHARACTERS:
        raise _NoVersion("did not return V2 model metadata")
    return version


def _cause(error: Exception) -> str:
    """Return the name of the error behind an error."""
    below = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return type(below).__name__

"""Asks a URL which version of a model answers, over the Open Inference Protocol.

One probe is limited in total: in time, from the name lookup to the last byte, and in the
bytes it reads. For any answer, or none, the result is a version or a sentence.
"""

import asyncio
import json
import logging
import ssl
from dataclasses import dataclass

import aiohttp

from taxon_controller.observe.exchange import BadAnswer, get, trusted, why_none
from taxon_controller.observe.gateway import Closed, Entrance, entrance_of_url

logger = logging.getLogger(__name__)

SECONDS = 3.0
"""Timeout of one probe in total."""
MOST_BYTES = 65536
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


async def answer_to(
    question: Question, *, trust: ssl.SSLContext, seconds: float = SECONDS
) -> Answer:
    """Probe once: the addresses in order, with one timeout for all."""
    base = question.entrance.url(question.entrance.addresses[0])
    try:
        async with asyncio.timeout(seconds):
            return Answer(await _first_reached(question, trust))
    except BadAnswer as error:
        return Answer(None, f"{question.host} {error}")
    except Exception as error:  # noqa: BLE001 - every error that an unknown server causes becomes a sentence
        return Answer(None, why_none(base, error, seconds=seconds))


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
    content = await get(
        f"{entrance.url(address)}/v2/models/{question.model}",
        trust=trust,
        most_bytes=MOST_BYTES,
        headers={"Host": question.host},
        server_name=entrance.server_name,
    )
    return _version(content)


def _version(content: bytes) -> str:
    try:
        version = json.loads(content)["versions"][0]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        version = None
    if not isinstance(version, str) or len(version) > MOST_CHARACTERS:
        raise BadAnswer("did not return V2 model metadata")
    return version

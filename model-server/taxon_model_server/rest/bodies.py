"""The bodies of requests for predictions: limited, in reserved memory, decoded."""

import asyncio
import zlib
from collections.abc import Callable, Sequence

from starlette.requests import Request

from taxon_model_server.errors import EncodedBody, InvalidInput, TooLarge, UnknownMediaType
from taxon_model_server.memory import Share
from taxon_model_server.protocol.json_text import Content
from taxon_model_server.rest.rate_limit import RateLimit

HEADERS = (b"content-type", b"content-encoding", b"content-length")
FREE_BYTES = 64 * 1024
"""Bodies up to this size are read without reserving memory."""
SHARE = "taxon.share"
"""Where the scope of a request has its share of the memory."""
JSON_TYPES = {
    "",
    "application/json",
    "application/octet-stream",  # JSON with binary tensors behind it
    "application/x-www-form-urlencoded",  # what curl says of JSON unless it is asked not to
    "text/json",
    "text/plain",
}
GZIP, ZLIB, RAW = 31, 15, -15
CODINGS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": ZLIB}
"""The content codings, and what zlib calls them."""
MOST_CODINGS = 2
LARGEST_RATIO = 1032
"""How many bytes one byte of deflate can stand for."""
SLICE_BYTES = 16 * 1024


class Intake:
    """Takes bodies."""

    def __init__(
        self, *, max_bytes: int, rate_limit: RateLimit | None, need: Callable[[int], int]
    ) -> None:
        """Take the limits, and how much memory a request with a body of some bytes needs."""
        self._max_bytes = max_bytes
        self._rate_limit = rate_limit
        self._need = need

    async def body(self, request: Request) -> Content:
        """Return a request's body, decoded.

        Raises:
            TooManyRequests: the client is over its rate limit.
            UnknownMediaType: it is not JSON.
            EncodedBody: it has a content coding that is not read.
            TooLarge: it has more bytes than the limit, or than there is memory for.
            Overloaded: other requests use the memory.
            InvalidInput: it is not what its content coding says.
        """
        if self._rate_limit:
            self._rate_limit.check(request.client.host if request.client else "")
        said = {name: value for name, value in request.scope["headers"] if name in HEADERS}
        _check_media_type(said.get(b"content-type", b"").decode("latin-1"))
        codings = _codings(said.get(b"content-encoding", b"").decode("latin-1"))
        claimed = said.get(b"content-length")
        size = None if claimed is None else int(claimed)
        if size is not None and size > self._max_bytes:
            raise TooLarge(f"the body has {size} bytes: send at most {self._max_bytes}")
        share: Share = request.scope[SHARE]
        if size is not None:
            most = min(size * LARGEST_RATIO if codings else size, self._max_bytes)
            if most > FREE_BYTES:
                await share.take(self._need(most))
        body = await self._read(request, share)
        if codings:
            return await asyncio.to_thread(_decoded, body, codings, self._max_bytes)
        return body

    async def _read(self, request: Request, share: Share) -> Content:
        body: Content = b""
        async for chunk in request.stream():
            size = len(body) + len(chunk)
            if size > self._max_bytes:
                raise TooLarge(f"the body is too large: send at most {self._max_bytes} bytes")
            if size > FREE_BYTES and not share.held:
                await share.take_up_to(self._need(self._max_bytes))
            if size > FREE_BYTES and self._need(size) > share.held:
                raise TooLarge(f"there is no memory for the body: send at most {len(body)} bytes")
            if not body:
                body = chunk
            elif chunk:
                body = bytearray(body) if isinstance(body, bytes) else body
                body += chunk
        return body


def _check_media_type(content_type: str) -> None:
    """Check that a body is said to be JSON, or what JSON is called by mistake.

    Raises:
        UnknownMediaType: it is something else.
    """
    if content_type in JSON_TYPES:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in JSON_TYPES and not media_type.endswith("+json"):
        raise UnknownMediaType(f"Content-Type {media_type[:50]!r} is not read: send JSON")


def _codings(content_encoding: str) -> list[str]:
    """Return the content codings in the order they were applied.

    Raises:
        EncodedBody: one of them is not read.
    """
    if not content_encoding:
        return []
    named = [coding.strip().lower() for coding in content_encoding.split(",")]
    codings = [coding for coding in named if coding not in ("", "identity")]
    unknown = [coding for coding in codings if coding not in CODINGS]
    if unknown or len(codings) > MOST_CODINGS:
        raise EncodedBody(
            f"Content-Encoding {content_encoding[:50]!r} is not read: send gzip, deflate or neither"
        )
    return codings


def _decoded(content: Content, codings: Sequence[str], most: int) -> Content:
    """Return what was encoded.

    Raises:
        InvalidInput: it was not encoded as it says.
        TooLarge: it has more than ``most`` bytes.
    """
    for coding in reversed(codings):
        try:
            content = _inflated(content, CODINGS[coding], most)
        except (zlib.error, EOFError) as error:
            raise InvalidInput(
                f"the body is not {coding}, although its Content-Encoding says so: {error}"
            ) from error
    return content


def _inflated(content: Content, window: int, most: int) -> bytearray:
    whole = bytearray()
    rest = memoryview(content)
    if window == ZLIB and not _has_zlib_header(content):
        window = RAW  # what many clients call deflate
    while rest:
        inflater = zlib.decompressobj(window)
        while rest and not inflater.eof:
            whole += inflater.decompress(rest[:SLICE_BYTES], most + 1 - len(whole))
            if len(whole) > most:
                raise TooLarge(f"the body is too large once decoded: send at most {most} bytes")
            rest = rest[SLICE_BYTES:]
        if not inflater.eof:
            raise EOFError("it ends too early")
        rest = rest if not inflater.unused_data else memoryview(inflater.unused_data + bytes(rest))
        if rest and window != GZIP:
            raise zlib.error("something follows it")
    return whole


def _has_zlib_header(content: Content) -> bool:
    return (
        content[:1] != b""
        and content[0] & 15 == zlib.DEFLATED
        and int.from_bytes(content[:2], "big") % 31 == 0
    )

"""HTTP/1.1 on a connection: uvicorn's protocol, made to ignore offers and to keep its bounds.

What uvicorn's own leaves out: an offer to upgrade is ignored together with its header, so that the
request is answered as if it had not been made (RFC 9110 section 7.8); heads have a largest size;
a request that does not arrive in time ends; and what cannot be taken is answered by the
application, after the requests before it, and closes the connection once the client has had time
to read the answer.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from taxon_model_server.rest.http_cycle import (
    REFUSAL,
    Cycle,
    ExpectingCycle,
    Lingering,
    Refusal,
    RefusedRequest,
)
from taxon_model_server.rest.http_target import InvalidTarget, read_target

MAPPED_IPV4 = "::ffff:"
"""How a socket of both families shows the address of an IPv4 client."""


@dataclass(frozen=True)
class HttpLimits:
    """The bounds of one request on its connection.

    A body may take ``body_seconds``, and a second more for every ``body_rate`` bytes that came.
    """

    target_bytes: int = 8 * 1024
    head_bytes: int = 32 * 1024
    headers: int = 100
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    body_rate: int = 32 * 1024
    linger_seconds: float = 2.0
    write_seconds: float = 30.0


MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "the request is not HTTP/1.1: correct its syntax")
MALFORMED_BODY = Refusal(
    HTTPStatus.BAD_REQUEST, "the chunked body is malformed: correct its chunks"
)
NO_HOST = Refusal(HTTPStatus.BAD_REQUEST, "send the Host header exactly once")
CONNECT = Refusal(HTTPStatus.BAD_REQUEST, "CONNECT is for proxies: send the request itself")


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    limits = HttpLimits()
    cycle: Cycle

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = httptools.HttpRequestParser(self)  # without uvicorn's leniency
        self._answering: RequestResponseCycle | None = None
        self._in_head = False
        self._progressed = False
        self._arrived = 0
        self._silent_bytes = 0
        self._most_head_bytes = 0
        self._body_bytes = 0
        self._offered = False
        self._refusal: Refusal | None = None
        self._ended = False
        self._began = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; a client that sends nothing is closed as an idle one is."""
        super().connection_made(transport)
        if self.client and self.client[0].startswith(MAPPED_IPV4):
            self.client = (self.client[0].removeprefix(MAPPED_IPV4), self.client[1])
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; whoever waits for a body or for room to write goes on."""
        super().connection_lost(exc)
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True  # uvicorn tells the last of the pipeline only
            self._answering.message_event.set()
        self._unset_keepalive_if_required()
        for timer in (self._deadline, self._stalled):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take bytes; what follows the last request of a connection is thrown away."""
        self._unset_keepalive_if_required()
        if self._ended:
            return
        self._arrived = len(data)
        self._silent_bytes += self._arrived
        if self._in_head:
            self._most_head_bytes += self._arrived
        self._progressed = False
        try:
            self._parse(data)
        except httptools.HttpParserError:
            if not self._ended:
                self._refuse(self._refusal or (MALFORMED_BODY if self._in_body else MALFORMED))
            return
        if self._progressed:
            self._silent_bytes = 0
        elif self._silent_bytes > self.limits.head_bytes:
            self._refuse(self._too_large() if self._in_head else MALFORMED_BODY)
            return
        if self._in_head or self._in_body:
            if self._deadline is None:
                self._began = self.loop.time()
                self._deadline = self.loop.call_later(self.limits.head_seconds, self._check_pace)
        elif self._silent_bytes and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_request()

    def pause_writing(self) -> None:
        """Wait for the client to read; one that reads nothing is disconnected."""
        super().pause_writing()
        if self._stalled is None:
            self._watch_writing(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin a request, unless the one before it was the last."""
        if self._ended:
            raise EOFError
        super().on_message_begin()
        self._in_head = True
        self._most_head_bytes = self._arrived

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self.url += url
        if len(self.url) > self.limits.target_bytes:
            sentence = f"the target is too long: send at most {self.limits.target_bytes} bytes"
            self._stop(Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, sentence))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what stands behind a chunked body is not one of the request's."""
        if self._in_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the request comes again without its offer to upgrade."""
        self._progressed = True
        parser, scope = self.parser, self.scope
        method = parser.get_method().decode("ascii")
        if parser.should_upgrade():
            if method == "CONNECT":
                self._stop(CONNECT)
            self._offered = True
            return
        version = parser.get_http_version()
        self._check_head(version)
        try:
            scope["path"], scope["raw_path"], scope["query_string"] = read_target(self.url)
        except InvalidTarget as error:
            self._stop(Refusal(HTTPStatus.BAD_REQUEST, str(error)))
        scope["method"] = method
        scope["http_version"] = version
        self._in_head = False
        self._body_bytes = 0
        self._start(
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            expects=self.expect_100_continue and version != "1.0",
        )

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._progressed = True
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if self._offered:
            return
        self._progressed = True
        if self._deadline is not None:
            self._unset_deadline()
        self.cycle.more_body = False
        self.cycle.message_event.set()
        self._ended = not self.cycle.keep_alive

    def _wait_for_request(self) -> None:
        """Close the connection when no request begins for as long as idle ones are kept."""
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    @property
    def _in_body(self) -> bool:
        return self.cycle is not None and not self._in_head and self.cycle.more_body

    def _parse(self, data: bytes) -> None:
        """Parse bytes; a head with an offer to upgrade comes a second time, without it."""
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                rest: int = offer.args[0]
                data = self._head_without_offer() + data[rest:]
                self.parser = httptools.HttpRequestParser(self)
                self._offered = False
            else:
                return

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode("ascii")
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            kept = value
            if name == b"connection":
                tokens = (token.strip() for token in value.split(b","))
                kept = b", ".join(token for token in tokens if token.lower() != b"upgrade")
            if name != b"upgrade" and (kept or name != b"connection"):
                lines.append(b"%s: %s" % (name, kept))
        return b"\r\n".join([*lines, b"\r\n"])

    def _lingering(self) -> "Lingering":
        return Lingering(self.loop, self.transport, self.limits.linger_seconds)

    def _start(self, *, keep_alive: bool, expects: bool) -> None:
        """Hand a request to the application, once those before it are answered."""
        before = self.cycle
        kind = ExpectingCycle if expects else Cycle
        self.cycle = kind(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if expects:
            self.cycle.lingering = self._lingering()
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    # Bounds

    def _check_head(self, version: str) -> None:
        hosts = [name for name, _ in self.headers if name == b"host"]
        if len(hosts) != 1 and version != "1.0":
            self._stop(NO_HOST)
        if len(self.headers) > self.limits.headers:
            sentence = f"the request has too many headers: send at most {self.limits.headers}"
            self._stop(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, sentence))
        if self._most_head_bytes > self.limits.head_bytes:
            size = sum(len(name) + len(value) for name, value in self.headers)
            if size > self.limits.head_bytes:
                self._stop(self._too_large())

    def _stop(self, refusal: Refusal) -> NoReturn:
        """Have the parser stop inside one of its calls."""
        self._refusal = refusal
        raise RefusedRequest(refusal)

    def _too_large(self) -> Refusal:
        return Refusal(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"the request's headers are too large: send at most {self.limits.head_bytes} bytes",
        )

    def _refuse(self, refusal: Refusal) -> None:
        """Answer that a request cannot be taken, and end the connection behind it."""
        self._ended = True
        self._unset_deadline()
        if not self._in_body:
            self._start_refused(refusal)
        elif self.cycle.response_complete:
            self.transport.close()
            return
        self.cycle.refuse(refusal, self._lingering())

    def _start_refused(self, refusal: Refusal) -> None:
        if not self._in_head:
            super().on_message_begin()
        self._in_head = False
        path = self.url.partition(b"?")[0][:100].decode("latin-1")
        self.scope |= {
            "method": self.parser.get_method().decode("ascii") if self.url else "INVALID",
            "path": path or "/",
            "raw_path": path.encode("latin-1"),
            "query_string": b"",
            "extensions": {REFUSAL: {"refusal": refusal}},
        }
        self._start(keep_alive=False, expects=False)

    def _unset_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _check_pace(self) -> None:
        """Refuse a request that is behind its deadline; time the server did not read counts not."""
        self._deadline = None
        now = self.loop.time()
        if self.flow.read_paused:
            self._began = now
        allowed = self.limits.head_seconds
        if self._in_body:
            allowed = self.limits.body_seconds + self._body_bytes / self.limits.body_rate
        left = self._began + allowed - now
        if left > 0:
            self._deadline = self.loop.call_later(left, self._check_pace)
            return
        what = "body" if self._in_body else "head"
        self._refuse(
            Refusal(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the request's {what} took more than {allowed:.3g} s: send it faster",
            )
        )

    def _watch_writing(self, before: int) -> None:
        def check() -> None:
            left = self.transport.get_write_buffer_size()
            if left >= before:
                self.transport.abort()
            else:
                self._watch_writing(left)

        self._stalled = self.loop.call_later(self.limits.write_seconds, check)

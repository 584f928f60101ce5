"""One request on a connection and its answer, and how the connection ends where it has to."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

REFUSAL = "taxon.refusal"
"""The ASGI extension that carries why a request cannot be taken."""


@dataclass(frozen=True)
class Refusal:
    """Why a request cannot be taken: its status, and what the client can do."""

    status: HTTPStatus
    sentence: str


class RefusedRequest(Exception):  # noqa: N818 - an answer to a client, not a fault
    """The rest of a request cannot be taken; raised where its body is read."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    refusal: Refusal | None = None
    lingering: Any = None
    head: ASGISendEvent | None = None

    def refuse(self, refusal: Refusal, transport: Any) -> None:
        """Fail whoever reads the body, and close behind the answer."""
        self.refusal = refusal
        self.keep_alive = False
        self.transport = transport
        self.message_event.set()

    async def receive(self) -> ASGIReceiveEvent:
        """Return a piece of the body.

        Raises:
            RefusedRequest: the rest of the body cannot be taken.
        """
        message = await super().receive()
        if self.refusal is not None and message["type"] == "http.request":
            raise RefusedRequest(self.refusal)
        return message

    async def send(self, message: ASGISendEvent) -> None:
        """Send a part of the answer; the head leaves in one write with the first of the body.

        A proxy may try another server until it has a head: one that hangs between head and body
        would hold the request for as long as it hangs.
        """
        if message["type"] == "http.response.start":
            self.head = message
            return
        head, self.head = self.head, None
        if head is None:
            await super().send(message)
            return
        if self._send_whole(head, message):
            return
        transport = self.transport
        together: Any = Together(transport)
        self.transport = together
        await super().send(head)
        await super().send(message)
        together.flush()
        if self.transport is together:
            self.transport = transport

    def _send_whole(self, head: Any, message: Any) -> bool:
        """Send an answer that is one piece, and return whether it was.

        Most answers are; uvicorn takes a third of its time for one to look at the other cases.
        """
        body: bytes = message.get("body", b"")
        length = (b"content-length", b"%d" % len(body))
        waits = self.disconnected or self.flow.write_paused or self.response_started
        if waits or message.get("more_body") or self.scope["method"] == "HEAD":
            return False
        headers = head["headers"]
        if length not in headers or any(name == b"connection" for name, _ in headers):
            return False
        lines = [name + b": " + value for name, value in (*self.default_headers, *headers)]
        if not self.keep_alive:
            lines.append(b"connection: close")
        text = STATUS_LINE[head["status"]] + b"\r\n".join(lines)
        if text.count(b"\n") != len(lines):
            return False  # uvicorn refuses a header of two lines
        self.transport.write(b"%s\r\n\r\n%s" % (text, body))
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True


class ExpectingCycle(Cycle):
    """A request whose client waits for 100 Continue before it sends the body.

    Answered without it, the connection closes: nobody knows whether the body still comes.
    """

    async def send(self, message: ASGISendEvent) -> None:
        """Send a part of the answer."""
        if self.waiting_for_100_continue and self.more_body and not self.response_started:
            self.keep_alive = False
            self.transport = self.lingering
        await super().send(message)


class Together:
    """A connection whose first write leaves with its second, or when it closes."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._first: bytes | None = None
        self._waits = True

    def write(self, data: bytes) -> None:
        """Keep the first bytes; send them with what comes next."""
        if self._waits and self._first is None:
            self._first = data
            return
        pieces = [data] if self._first is None else [self._first, data]
        self._first, self._waits = None, False
        self._transport.writelines(pieces)

    def flush(self) -> None:
        """Send what still waits."""
        self._waits = False
        if self._first is not None:
            self._transport.write(self._first)
            self._first = None

    def is_closing(self) -> bool:
        """Return whether the connection is being closed."""
        return bool(self._transport.is_closing())

    def close(self) -> None:
        """Close behind the answer."""
        self.flush()
        self._transport.close()


class Lingering:
    """A connection that is closed for writing first, so that the client gets to read the answer.

    Closing at once while a client still sends makes its kernel forget what it has received (RFC
    9112 section 9.6).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: Any, seconds: float) -> None:
        self._loop = loop
        self._transport = transport
        self._seconds = seconds

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._transport.write(data)

    def writelines(self, pieces: list[bytes]) -> None:
        """Send pieces of bytes at once."""
        self._transport.writelines(pieces)

    def is_closing(self) -> bool:
        """Return whether the connection is being closed."""
        return bool(self._transport.is_closing())

    def close(self) -> None:
        """Close for writing now, and in all once the client had its time."""
        if not self.is_closing():
            self._transport.write_eof()
            self._loop.call_later(self._seconds, self._transport.close)

"""A client that sends bytes as they are and reads what a server answers to them."""

import http.client
import json
import socket
from dataclasses import dataclass
from email.message import Message
from typing import Any, Self

SECONDS = 20.0


@dataclass(frozen=True)
class Reply:
    """One answer."""

    code: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """Return the document of its body."""
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, address: str, *, seconds: float = SECONDS) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)
        self._answers = self.socket.makefile("rb")

    def send(self, *parts: bytes) -> Self:
        """Send bytes; a server that has closed already takes no more."""
        try:
            for part in parts:
                self.socket.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def reply(self, method: str = "GET") -> Reply:
        """Return the next answer."""
        code = int(self._answers.readline().split()[1])
        headers = http.client.parse_headers(self._answers)
        if method == "HEAD" or code in (100, 204):
            return Reply(code, headers, b"")
        return Reply(code, headers, self._answers.read(int(headers["content-length"])))

    def ends(self) -> bool:
        """Return whether the server sends nothing more and closes."""
        try:
            return self._answers.read(1) == b""
        except ConnectionResetError:
            return True

    def received(self) -> bytes:
        """Return all that comes until the server closes, or sends nothing for a while."""
        content = b""
        try:
            while piece := self.socket.recv(65536):
                content += piece
        except (TimeoutError, ConnectionResetError):
            pass
        return content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self.socket.close()


def request(head: str, body: bytes = b"", /, **headers: str) -> bytes:
    """Return a request as bytes: ``head`` is its first line; the body's length is added."""
    named = {"Host": "server"} | {name.replace("_", "-"): text for name, text in headers.items()}
    if body and "Transfer-Encoding" not in named:
        named["Content-Length"] = str(len(body))
    lines = [f"{head} HTTP/1.1", *(f"{name}: {text}" for name, text in named.items())]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body

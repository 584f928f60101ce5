"""Servers on the loopback that answer as a test says, however rude that is."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Says = Callable[[socket.socket], None]


class Server:
    """Takes connections and answers each as the test says, until the test is over."""

    def __init__(self, says: Says, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self._says = says
        self._socket = socket.socket(family)
        self._socket.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self._socket.listen()
        self.port = int(self._socket.getsockname()[1])
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.requests.append(connection.recv(65536))
                self._says(connection)
            except OSError:
                return

    def close(self) -> None:
        """End every conversation."""
        self.over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def serving(says: Says, family: socket.AddressFamily = socket.AF_INET) -> Iterator[Server]:
    """Serve on the loopback."""
    server = Server(says, family)
    try:
        yield server
    finally:
        server.close()


def sends(*parts: bytes) -> Says:
    """Return a server that sends this and closes."""

    def says(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return says


STATUS = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n"
UNBOUNDED = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"


def without_end(connection: socket.socket) -> None:
    """Send a body that does not end."""
    connection.sendall(UNBOUNDED)
    while True:
        connection.sendall(b"[" * 65536)


def headers_without_end(connection: socket.socket) -> None:
    """Send a header that does not end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"x" * 4096 + b"\r\n")


def reset(connection: socket.socket) -> None:
    """Break the connection off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def drips(
    connection: socket.socket, content: bytes, over: threading.Event, *, pause: float
) -> None:
    """Send a byte now and then, each in time for a limit per byte, and then nothing more."""
    for byte in content:
        connection.sendall(bytes([byte]))
        if over.wait(pause):
            return
    over.wait()

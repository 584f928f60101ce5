"""Every call of the API server has one deadline in all, whatever it answers, or does not."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from taxon_kube.api import JOB, Unavailable
from taxon_kube.client import Cluster, Configuration

SECONDS = 0.4
SLACK = 2.0
EMPTY = b'{"items": [], "metadata": {}}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = b"%sContent-Length: %d\r\n\r\n%s" % (OK, len(EMPTY), EMPTY)

Says = Callable[[socket.socket], None]


class ApiServer:
    """Answers the first connection as the test says, and every later call as it should."""

    def __init__(self) -> None:
        self.says: Says = self.answers
        self.connections = 0
        self.over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            says, self.says = self.says, self.answers
            thread = threading.Thread(target=self._talk, args=(connection, says), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket, says: Says) -> None:
        with connection:
            try:
                says(connection)
            except OSError:
                return

    def answers(self, connection: socket.socket) -> None:
        """Answer every request of a connection."""
        while connection.recv(65536):
            connection.sendall(WHOLE)

    def drips(self, *parts: bytes) -> Says:
        """Return a server that sends the parts, each byte in time for a limit per read."""

        def says(connection: socket.socket) -> None:
            connection.recv(65536)
            for byte in b"".join(parts):
                connection.sendall(bytes([byte]))
                if self.over.wait(SECONDS / 8):
                    return
            self.over.wait()

        return says

    def close(self) -> None:
        """End every conversation."""
        self.over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """Yield an API server on the loopback."""
    server = ApiServer()
    yield server
    server.close()


def cluster_of(server: ApiServer) -> Cluster:
    """Return a client whose calls may take a moment."""
    return Cluster(Configuration(host=server.url), seconds=SECONDS)


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"HTTP/1.1 200 OK\r\n", b"X-Slow: yes\r\n" * 9),
        (OK, b"Content-Length: 99\r\n\r\n", EMPTY),
        (OK, b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n" * 9),
        (OK, b"Connection: close\r\n\r\n", EMPTY),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 9,),
    ],
    ids=["hangs", "headers", "body", "chunks", "no length", "goes on"],
)
def test_a_slow_answer_ends_in_time_and_the_next_call_works(
    server: ApiServer, parts: tuple[bytes, ...]
) -> None:
    """It is away for this call; a new connection is made for the next."""
    server.says = server.drips(*parts)
    cluster = cluster_of(server)
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"no answer within 0.4 s"):
        cluster.list(JOB, "default")

    assert time.monotonic() - began < SECONDS + SLACK
    assert cluster.list(JOB, "default") == []


def test_a_handshake_that_hangs_ends_in_time(server: ApiServer) -> None:
    """TLS begins with a read of its own."""

    def says(_: socket.socket) -> None:
        server.over.wait()

    server.says = says
    secure = Cluster(Configuration(host=server.url.replace("http", "https")), seconds=SECONDS)
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"no answer within 0.4 s"):
        secure.list(JOB, "default")

    assert time.monotonic() - began < SECONDS + SLACK


def test_calls_in_time_share_a_connection(server: ApiServer) -> None:
    """A deadline that did not pass leaves nothing behind."""
    cluster = cluster_of(server)
    for _ in range(5):
        assert cluster.list(JOB, "default") == []

    assert server.connections == 1


@pytest.mark.parametrize(("body", "why"), [(b"<html>", "not JSON"), (b"[]", "not an object")])
def test_an_answer_that_is_no_object_is_unavailable(
    server: ApiServer, body: bytes, why: str
) -> None:
    """A proxy on the way may answer with anything."""

    def says(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"%sContent-Length: %d\r\n\r\n%s" % (OK, len(body), body))

    server.says = says
    with pytest.raises(Unavailable, match=f"the answer is {why}"):
        cluster_of(server).list(JOB, "default")

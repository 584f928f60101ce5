"""One question to a URL ends in a version or a sentence, in time, whatever answers."""

import asyncio
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.rude import (
    STATUS,
    UNBOUNDED,
    Says,
    Server,
    drips,
    headers_without_end,
    reset,
    sends,
    serving,
    without_end,
)

from taxon_controller.observe.exchange import trusted
from taxon_controller.observe.gateway import Entrance
from taxon_controller.observe.probe import Answer, Question, answer_to, ask

HOST = "wine.example.com"
METADATA = b'{"name": "wine", "versions": ["v3f9c2a71be"]}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(METADATA), METADATA)
SECONDS = 0.4
"""The limit of a question in these tests."""
SLACK = 2.0
"""What a busy machine may add."""


def asked(*addresses: str, port: int, seconds: float = 5.0) -> Answer:
    """Ask once."""
    question = Question(Entrance("http", port, addresses or ("127.0.0.1",)), HOST, "wine")
    return asyncio.run(answer_to(question, trust=trusted(), seconds=seconds))


def answer_of(says: Says, *, seconds: float = 5.0) -> Answer:
    """Ask a server that answers like this."""
    with serving(says) as server:
        return asked(port=server.port, seconds=seconds)


def test_the_version_is_asked_for_by_host_name() -> None:
    """As clients do."""
    with serving(sends(OK)) as server:
        answer = ask(f"http://127.0.0.1:{server.port}", host=HOST, model="wine")
        [request] = server.requests

    assert answer == ("v3f9c2a71be", "")
    assert request.startswith(b"GET /v2/models/wine HTTP/1.1\r\n")
    assert b"\r\nHost: wine.example.com\r\n" in request


def test_an_ipv6_address_is_asked() -> None:
    """Its URL has brackets."""
    with serving(sends(OK), socket.AF_INET6) as server:
        assert asked("::1", port=server.port).version == "v3f9c2a71be"
        assert ask(f"http://[::1]:{server.port}", host=HOST, model="wine")[0] == "v3f9c2a71be"


def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    """A Gateway may have addresses of a family that is not routed here."""
    with serving(sends(OK)) as server:
        assert asked("::1", "127.0.0.1", port=server.port).version == "v3f9c2a71be"


def metadata(content: bytes) -> Says:
    """Return a server that sends this as the model's metadata."""
    return sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content))


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (sends(STATUS % 503), f"{HOST} answers with status 503"),
        (sends(b"HTTP/1.1 302 X\r\nLocation: http://other/\r\n\r\n"), f"{HOST} answers with sta"),
        (metadata(b"<html>"), f"{HOST} did not return V2 model metadata"),
        (metadata(b'{"versions": []}'), f"{HOST} did not return V2 model metadata"),
        (metadata(b'{"versions": [{"a": 1}]}'), f"{HOST} did not return V2 model metadata"),
        (metadata(b'{"versions": ["%s"]}' % (b"v" * 65)), f"{HOST} did not return V2 model"),
        (metadata(b"[" * 60000), f"{HOST} did not return V2 model metadata"),
        (metadata(b"\xff\xfe"), f"{HOST} did not return V2 model metadata"),
        (without_end, f"{HOST} answers with more than 65536 bytes"),
        (headers_without_end, "http://127.0.0.1:"),
        (sends(b"not HTTP at all\r\n\r\n"), "http://127.0.0.1:"),
        (sends(UNBOUNDED), "http://127.0.0.1:"),
        (sends(), "http://127.0.0.1:"),
        (reset, "http://127.0.0.1:"),
    ],
    ids=[
        "status", "redirect", "no JSON", "no version", "no text", "long", "deep", "no UTF-8",
        "huge", "headers", "no HTTP", "cut off", "closed", "reset",
    ],
)  # fmt: skip
def test_whatever_answers_instead_is_a_sentence(says: Says, why: str) -> None:
    """No answer is an error of the controller."""
    answer = answer_of(says)

    assert answer.version is None
    assert answer.why.startswith(why)


def test_a_compressed_answer_is_not_unpacked() -> None:
    """A few bytes could become many."""
    packed = (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
    )

    assert answer_of(sends(packed)).why == f"{HOST} did not return V2 model metadata"


@pytest.mark.parametrize(
    "content", [b"", b"HTTP/1.1 200 OK", OK[:-3], b"HTTP/1.1 100 Continue\r\n\r\n" * 3],
    ids=["hangs", "drips its status", "drips its body", "goes on"],
)  # fmt: skip
def test_a_slow_answer_ends_in_time(content: bytes) -> None:
    """The limit is one for the whole exchange, and not one for each byte."""
    server = Server(lambda c: drips(c, content, server.over, pause=SECONDS / 4))
    began = time.monotonic()
    try:
        answer = asked(port=server.port, seconds=SECONDS)
        took = time.monotonic() - began
    finally:
        server.close()

    assert answer == Answer(None, f"http://127.0.0.1:{server.port} does not answer within 0.4 s")
    assert took < SECONDS + SLACK


def test_an_address_that_takes_no_connection_is_named() -> None:
    """With what the system says."""
    assert ask("http://127.0.0.1:1", host=HOST, model="wine") == (
        None, "http://127.0.0.1:1 does not answer (ConnectionRefusedError)",
    )  # fmt: skip


@pytest.mark.parametrize("base", ["http://", "http://no host", "http://g:99999"])
def test_a_base_that_is_not_a_url_is_a_sentence(base: str) -> None:
    """Nothing is raised for it."""
    version, why = ask(base, host=HOST, model="wine")

    assert version is None
    assert why


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for the loopback address and the model's host."""
    folder = tmp_path_factory.mktemp("certificate")
    key, issued, both = folder / "key.pem", folder / "issued.pem", folder / "both.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-subj", "/CN=gateway", "-addext",
             "subjectAltName=IP:127.0.0.1,DNS:*.example.com",
             "-days", "1", "-keyout", str(key), "-out", str(issued)]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    both.write_text(key.read_text() + issued.read_text())
    return both


@pytest.fixture
def secure(certificate: Path) -> Iterator[Server]:
    """Serve over TLS; keep the name each client asks for in its hello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(sends())
    names: list[str] = []
    context.sni_callback = lambda _, name, __: names.append(str(name))

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            server.requests.append(wrapped.recv(65536))
            wrapped.sendall(OK)
            server.requests.extend(name.encode() for name in names)

    server._answer = lambda connection: _quietly(answer, connection)  # type: ignore[method-assign]  # noqa: SLF001 - TLS begins before the first byte
    yield server
    server.close()


def _quietly(answer: Says, connection: socket.socket) -> None:
    try:
        answer(connection)
    except OSError:
        return


def test_a_url_with_https_is_asked_over_tls(
    secure: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the authorities the image trusts, for the name in the URL."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    base = f"https://127.0.0.1:{secure.port}"
    assert ask(base, host="wine.elsewhere", model="wine") == ("v3f9c2a71be", "")


@pytest.mark.parametrize(("host", "trusted_for"), [(HOST, True), ("wine.elsewhere", False)])
def test_a_gateways_listener_is_asked_for_the_hosts_certificate(
    secure: Server,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    trusted_for: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """The address is in no certificate: the host's name chooses and proves it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    entrance = Entrance("https", secure.port, ("127.0.0.1",), server_name=host)
    answer = asyncio.run(answer_to(Question(entrance, host, "wine"), trust=trusted()))

    assert (answer.version == "v3f9c2a71be") is trusted_for
    assert answer.why == "" or "does not answer with a trusted certificate (" in answer.why


def test_a_certificate_that_is_not_trusted_is_named(secure: Server) -> None:
    """The network is not to blame."""
    base = f"https://127.0.0.1:{secure.port}"
    answer, why = ask(base, host=HOST, model="wine")

    assert answer is None
    assert why.startswith(f"{base} does not answer with a trusted certificate (")

"""Which version a URL answers with, over TLS where the Gateway's base URL says so."""

import ssl
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from taxon_controller.observe.probe import ask

HOST = "wine.example.com"


class Gateway(BaseHTTPRequestHandler):
    """Answers with a model's metadata."""

    def do_GET(self) -> None:
        """Name the version that is live, if it is asked for by its host."""
        assert self.headers["Host"] == HOST
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"name": "wine", "versions": ["v3f9c2a71be"]}')

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for the loopback address."""
    folder = tmp_path_factory.mktemp("certificate")
    key, issued, both = folder / "key.pem", folder / "issued.pem", folder / "both.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-subj", "/CN=gateway", "-addext", "subjectAltName=IP:127.0.0.1",
             "-days", "1", "-keyout", str(key), "-out", str(issued)]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    both.write_text(key.read_text() + issued.read_text())
    return both


@pytest.fixture
def base(certificate: Path) -> Iterator[str]:
    """Serve over TLS; return the base URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_url_with_https_is_asked_over_tls(
    base: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the authorities the image trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    assert ask(base, host=HOST, model="wine") == ("v3f9c2a71be", "")


def test_a_certificate_that_is_not_trusted_is_told(base: str) -> None:
    """The network is not to blame."""
    answer, why = ask(base, host=HOST, model="wine")

    assert answer is None
    assert why.startswith(f"{base} does not answer with a trusted certificate (")


@pytest.mark.parametrize(
    ("status", "content", "version", "told"),
    [
        (200, b'{"name": "wine", "versions": ["v3f9c2a71be"]}', "v3f9c2a71be", ""),
        (503, b"", None, "wine.example.com answers with status 503"),
        (200, b"<html>", None, "wine.example.com answers with something else than a model's"),
        (200, b'{"versions": []}', None, "wine.example.com answers with something else"),
    ],
)
def test_a_url_tells_which_version_answers(
    status: int, content: bytes, version: str | None, told: str
) -> None:
    """Asked by host name, as clients do."""
    hosts = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hosts.append((self.headers["Host"], self.path))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    answer, why = ask(base, host="wine.example.com", model="wine")
    server.shutdown()
    server.server_close()

    assert answer == version
    assert why.startswith(told)
    assert hosts == [("wine.example.com", "/v2/models/wine")]


def test_a_url_that_does_not_answer_is_told() -> None:
    """With where it was asked."""
    assert ask("http://127.0.0.1:1", host="wine.example.com", model="wine") == (
        None,
        "http://127.0.0.1:1 does not answer (ConnectionRefusedError)",
    )

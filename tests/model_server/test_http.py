"""What clients of every kind send over a real connection to a real server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server.serving import ServerProcess, serving
from model_server.wire import Reply, Wire, request

from taxon_bundle.bundle import Bundle

ROW = json.dumps({"length": 1.1, "width": 2.2, "batch": 7}).encode()
INFER = "/v2/models/small/infer"
OFFER = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
}
PREDICT = request("POST /predict", ROW)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(ROW), ROW)


@pytest.fixture(scope="module")
def server(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Yield one server for the whole module."""
    with serving(bundle, tmp_path_factory.mktemp("http"), max_body_bytes="65536") as process:
        yield process


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    """Yield a connection to it."""
    with Wire(server.address) as connection:
        yield connection


def is_prediction(reply: Reply) -> bool:
    """Return whether an answer is the ordinary one to a row."""
    return reply.code == 200 and reply.json()["prediction"] == "malignant"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request("POST /predict", ROW, **OFFER), id="the JDK's HttpClient, and curl"),
        pytest.param(
            request("POST /predict", ROW, Connection="keep-alive, Upgrade", Upgrade="websocket"),
            id="websocket",
        ),
        pytest.param(
            request("POST /predict", **OFFER, **{"Transfer-Encoding": "chunked"}) + CHUNKED,
            id="chunked",
        ),
        pytest.param(
            request("POST /predict", ROW, Connection="Upgrade", Upgrade="a/1, TLS/1.0"),
            id="several protocols",
        ),
    ],
)
@pytest.mark.parametrize("cut", [None, -len(ROW), 40], ids=["whole", "at the body", "in the head"])
def test_an_offer_to_upgrade_is_ignored(wire: Wire, sent: bytes, cut: int | None) -> None:
    """A request that offers another protocol is answered as any other, and so is the next one."""
    first, second = (sent, b"") if cut is None else (sent[:cut], sent[cut:])
    wire.send(first).send(second, PREDICT)

    assert is_prediction(wire.reply())
    assert is_prediction(wire.reply())


def test_an_offer_on_a_get_is_ignored(wire: Wire) -> None:
    """An offer without a body does not change the answer, nor what is sent behind it."""
    wire.send(request("GET /health", **OFFER) * 3000, PREDICT)

    assert {wire.reply().code for _ in range(3000)} == {200}
    assert is_prediction(wire.reply())


def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    """Requests sent without waiting are answered one by one, the last one with a close."""
    last = request("POST /predict", ROW, Connection="close")
    wire.send(request("GET /v2") + PREDICT + request("GET /no") + last + PREDICT)
    codes = [wire.reply().code for _ in range(4)]

    assert codes == [200, 200, 404, 200]
    assert wire.ends()


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2**21, 431, "at most 32768 bytes"),
        (request("GET /health", X="a" * 33_000), 431, "at most 32768 bytes"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431, "at most 100"),
        (request("GET /" + "a" * 9000), 414, "at most 8192 bytes"),
        (request("GET /v2/\xe9"), 400, "not HTTP/1.1"),
        (b"no http\r\n\r\n", 400, "not HTTP/1.1"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Host"),
        (request("GET /v2/%zz"), 400, "hex digits"),
        (request("GET /v2#a"), 400, "percent-encode"),
        (request("CONNECT server:80"), 400, "CONNECT"),
        (request("POST /predict", **{"Transfer-Encoding": "chunked"}) + b"zz\r\n", 400, "chunk"),
    ],
)
def test_what_the_connection_cannot_take_is_answered(
    wire: Wire, server: ServerProcess, sent: bytes, code: int, said: str
) -> None:
    """A head without bounds, or what is not HTTP, gets its 4xx behind what came before, and ends.

    It is counted as the client's, and leaves no line in the log.
    """
    lines = len(server.log_lines())
    wire.send(PREDICT, sent)

    assert is_prediction(wire.reply())
    reply = wire.reply()
    assert (reply.code, reply.headers["connection"]) == (code, "close")
    assert said in json.dumps(reply.json())
    assert wire.ends()
    assert len(server.log_lines()) == lines


def test_a_flood_behind_a_chunked_body_ends(wire: Wire) -> None:
    """Trailers without end are cut off, though no header of them is ever complete."""
    wire.send(request("POST /predict", **{"Transfer-Encoding": "chunked"}))
    wire.send(CHUNKED.removesuffix(b"\r\n"), b"X: ", *[b"a" * 2**16] * 40)

    assert wire.reply().code == 400
    assert wire.ends()


def test_trailers_are_not_headers(wire: Wire) -> None:
    """What stands behind a chunked body does not become a header of the request."""
    head = request("POST /predict", **{"Transfer-Encoding": "chunked"})
    wire.send(head, CHUNKED.removesuffix(b"\r\n"), b"Content-Encoding: gzip\r\n\r\n", PREDICT)

    assert is_prediction(wire.reply())
    assert is_prediction(wire.reply())


def test_a_body_that_is_awaited_is_asked_for(wire: Wire) -> None:
    """A client that expects 100 Continue gets it, and then its answer."""
    head = request("POST /predict", ROW, Expect="100-continue")[: -len(ROW)]
    wire.send(head)

    assert wire.reply().code == 100
    wire.send(ROW)
    assert is_prediction(wire.reply())


def test_a_body_that_is_not_wanted_is_not_asked_for(wire: Wire) -> None:
    """A client that expects 100 Continue for a body over the limit gets 413 and a close."""
    wire.send(request("POST /predict", b" " * 65_537, Expect="100-continue")[:-65_537])
    reply = wire.reply()

    assert (reply.code, reply.headers["connection"]) == (413, "close")
    assert wire.ends()


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://server:8000/health?probe=1", 200),
        ("/%68ealth", 200),
        ("/v2/../health", 200),
        ("/v2/%2E./health/./", 200),
        ("/health?a=/../", 200),
        ("//health", 404),
        ("/v2//health/live", 404),
        ("/v2%2Fhealth%2flive", 404),
        ("/v2/health/live%0A", 404),
        ("/v2/models/%2e%2e%2fhealth", 404),
    ],
)
def test_paths_are_read_as_the_rfcs_say(wire: Wire, target: str, code: int) -> None:
    """Encoded letters and dot segments are resolved; encoded and doubled slashes are not."""
    wire.send(request(f"GET {target}"))

    assert wire.reply().code == code


@pytest.mark.parametrize(
    "path", ["/predict/", f"{INFER}/", "/health/", "/v2/", "/v2/models/small/", "/docs/"]
)
def test_a_slash_at_the_end_is_answered(wire: Wire, path: str) -> None:
    """A slash at the end never leads to a redirect, which would name another scheme and port."""
    method, _, body = answered_by(path)
    wire.send(request(f"{method} {path}", body))

    assert wire.reply().code == 200


def answered_by(path: str) -> tuple[str, str, bytes]:
    """Return the method, the methods allowed, and a body for a path."""
    if "infer" in path:
        tensor = {"name": "input", "shape": [1, 3], "datatype": "FP64", "data": [1.1, 2.2, 7]}
        return "POST", "OPTIONS, POST", json.dumps({"inputs": [tensor]}).encode()
    if "predict" in path:
        return "POST", "OPTIONS, POST", ROW
    return "GET", "GET, HEAD, OPTIONS", b""


@pytest.mark.parametrize("path", ["/predict", INFER, "/health", "/v2", "/metrics", "/docs"])
def test_methods_are_those_the_path_has(wire: Wire, path: str) -> None:
    """OPTIONS says which methods there are, and any other is 405 with the same list."""
    allowed = answered_by(path)[1]
    wire.send(request(f"OPTIONS {path}"), request(f"DELETE {path}"))
    options, refused = wire.reply(), wire.reply()

    assert (options.code, options.headers["allow"]) == (204, allowed)
    assert (refused.code, refused.headers["allow"]) == (405, allowed)


def test_head_is_get_without_a_body(wire: Wire) -> None:
    """HEAD answers with the length GET would have, and no body."""
    wire.send(request("HEAD /health"), request("GET /health"), request("HEAD /no"), PREDICT)
    head, get = wire.reply("HEAD"), wire.reply()

    assert (head.code, head.headers["content-length"]) == (200, str(len(get.body)))
    assert wire.reply("HEAD").code == 404
    assert is_prediction(wire.reply())


def test_http_1_0_is_answered(wire: Wire) -> None:
    """An HTTP/1.0 request without Host is answered, and the connection closes."""
    wire.send(b"GET /health HTTP/1.0\r\n\r\n")

    assert wire.reply().code == 200
    assert wire.ends()


def test_head_and_body_of_an_answer_arrive_together(wire: Wire) -> None:
    """A proxy that has a head tries no other server, so a server must not hang behind one."""
    for _ in range(200):
        received = wire.send(PREDICT).socket.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % len(body) in head + b"\r\n"


def codes(server: ServerProcess) -> dict[str, float]:
    """Return how many requests there were by code."""
    counts: dict[str, float] = {}
    for line in server.ask("/metrics")[1].splitlines():
        if line.startswith("requests_total{"):
            code = line.partition('code="')[2][:3]
            counts[code] = counts.get(code, 0) + float(line.split()[-1])
    return counts


def test_a_client_that_leaves_is_not_an_error(server: ServerProcess) -> None:
    """Clients that disconnect in a head, in a body or before their answer are nobody's fault."""
    lines = len(server.log_lines())
    for sent in (PREDICT[:20], PREDICT[:-5], PREDICT, request("GET /docs")):
        with Wire(server.address) as left:
            left.send(sent)

    assert codes(server).get("500", 0) == 0
    assert len(server.log_lines()) == lines


def test_both_families_reach_a_server_on_every_address(bundle: Bundle, tmp_path: Path) -> None:
    """The address a pod listens on takes IPv6 and IPv4, whose clients keep their own address."""
    with serving(bundle, tmp_path, host="::", rate_limit="1/hour") as server:
        port = server.address.rpartition(":")[2]
        for address in ("::1", "127.0.0.1"):
            with Wire(f"[{address}]:{port}") as wire:
                assert is_prediction(wire.send(PREDICT).reply())
                refused = wire.send(PREDICT).reply()

                assert refused.code == 429
                assert refused.json()["detail"].startswith(f"{address} is over the limit of ")

"""Whatever bytes a client sends, what happens is never the server's fault."""

import json
import random
import re
from pathlib import Path

import pytest
from model_server.serving import serving
from model_server.wire import Wire, request

from taxon_bundle.bundle import Bundle

ROW = json.dumps({"length": 1.1, "width": 2.2, "batch": 7}).encode()
TENSOR = {"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1.1, 2.2, 7]}
INFER = json.dumps({"inputs": [TENSOR]}).encode()
OFFER = {"Connection": "Upgrade", "Upgrade": "h2c"}
CHUNKS = b"%x\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(ROW) + 2, b"[" + ROW + b"]")
REQUESTS = [
    request("POST /predict", ROW),
    request("POST /predict", ROW, Content_Encoding="gzip", **OFFER),
    request("POST /predict-batch", Transfer_Encoding="chunked", **OFFER) + CHUNKS,
    request("POST /v2/models/small/infer", INFER, Inference_Header_Content_Length="9"),
    request("POST /v2/models/small/infer", INFER),
    request("GET /swagger/swagger-ui.css", Range="bytes=0-10"),
    request("GET /metrics", Accept="application/openmetrics-text", Expect="100-continue"),
    request("OPTIONS *"),
    b"GET /openapi.json HTTP/1.0\r\n\r\n",
]
PIECES = [
    *(b"\r\n", b"\n", b" ", b":", b"\x00", b"\xff", b"%", b"%2f", b"..", b"/", b"?", b"#"),
    *(b"[", b"{", b'"', b"NaN", b"null", b"-1", b"9" * 400, b"HTTP/2.0", b"CONNECT", b"HEAD"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Upgrade: h2c\r\n"),
    *(b"Connection: close\r\n", b"Connection: upgrade\r\n", b"Expect: 100-continue\r\n"),
    *(b"Content-Type: text/csv\r\n", b"Content-Encoding: deflate\r\n", b"Host: y\r\n"),
    *(b"Range: bytes=5-2\r\n", b"Inference-Header-Content-Length: 99\r\n", b"Origin: x\r\n"),
]
STATUS = re.compile(rb"HTTP/1\.1 (\d)\d\d ")


def spoilt(sent: bytes, chance: random.Random) -> bytes:
    """Return a request with some bytes taken out, put in or changed."""
    content = bytearray(sent)
    for _ in range(chance.randint(0, 4)):
        place = chance.randrange(len(content))
        kind = chance.random()
        if kind < 0.3:
            del content[place : place + chance.randint(1, 6)]
        elif kind < 0.8:
            content[place:place] = chance.choice(PIECES)
        else:
            content[place] = chance.randrange(256)
    return bytes(content)


@pytest.mark.parametrize("seed", range(3))
def test_spoilt_requests_are_the_clients_fault(bundle: Bundle, tmp_path: Path, seed: int) -> None:
    """Requests with anything in them, in pieces and from clients that leave, are never a 5xx.

    They leave nothing in the log either.
    """
    chance = random.Random(seed)  # noqa: S311 - which bytes are wrong
    kinds = set()
    with serving(bundle, tmp_path) as server:
        lines = len(server.log_lines())
        for _ in range(150):
            sent = b"".join(
                spoilt(chance.choice(REQUESTS), chance) for _ in range(chance.randint(1, 3))
            )
            cut = chance.randrange(len(sent))
            with Wire(server.address, seconds=0.03) as wire:
                wire.send(sent[:cut]).send(sent[cut:])
                if chance.random() < 0.7:
                    kinds.update(STATUS.findall(wire.received()))

        assert server.ask("/health")[0] == 200
        assert len(server.log_lines()) == lines
    assert {b"2", b"4"} <= kinds <= {b"1", b"2", b"4"}

"""A request costs memory in proportion to its size, whatever is in it."""

import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from model_server.serving import ServerProcess, serving

from taxon_bundle.bundle import Bundle

MEBIBYTE = 2**20
SIZE = 16 * MEBIBYTE
INFER = "/v2/models/small/infer"
NAMES = ("length", "width", "batch")


def tensor(data: str, rows: int) -> bytes:
    """Return a V2 request with this text as data."""
    head = f'{{"inputs": [{{"name": "x", "shape": [{rows}, 3], "datatype": "FP64", "data": {data}'
    return f"{head}}}]}}".encode()


def v2_rows() -> tuple[str, bytes, int]:
    """Return rows of V2."""
    values = np.random.default_rng(1).random(SIZE // 21 // 3 * 3)
    return INFER, tensor(json.dumps(values.tolist()), len(values) // 3), 200


def plain_rows() -> tuple[str, bytes, int]:
    """Return rows by name."""
    values = np.random.default_rng(1).random((SIZE // 92, 3)).tolist()
    return (
        "/predict-batch",
        json.dumps([dict(zip(NAMES, row, strict=True)) for row in values]).encode(),
        200,
    )


def short_numbers() -> tuple[str, bytes, int]:
    """Return as many numbers as a body can hold."""
    count = SIZE // 2 // 3 * 3 - 300
    return INFER, tensor("[" + ",".join("1" * count) + "]", count // 3), 413


def objects_for_numbers() -> tuple[str, bytes, int]:
    """Return a tensor of objects."""
    return INFER, tensor("[" + "{}," * (SIZE // 3 - 100) + "1]", 1), 400


def empty_rows() -> tuple[str, bytes, int]:
    """Return a list of the shortest rows."""
    return "/predict-batch", b"[" + b"{}," * (SIZE // 3 - 10) + b"{}]", 422


def many_names() -> tuple[str, bytes, int]:
    """Return one row of very many features."""
    names = b",".join(b'"%x":1' % place for place in range(SIZE // 11))
    return "/predict", b"{" + names + b"}", 413


def post(server: ServerProcess, path: str, body: bytes) -> int:
    """Send a body; return the code of the answer."""
    connection = http.client.HTTPConnection(server.address, timeout=60)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.parametrize(
    "make",
    [v2_rows, plain_rows, short_numbers, objects_for_numbers, empty_rows, many_names],
)
def test_a_large_request_costs_a_few_times_its_size(
    bundle: Bundle, tmp_path: Path, make: Callable[[], tuple[str, bytes, int]]
) -> None:
    """A body of 16 MiB adds at most six times as much, and four at once at most 24 times."""
    path, body, code = make()
    assert 0.8 * SIZE < len(body) <= SIZE
    with serving(bundle, tmp_path, max_rows="300000") as server:
        idle = server.peak_bytes()
        codes = [post(server, path, body)]
        one = server.peak_bytes() - idle
        with ThreadPoolExecutor(4) as clients:
            codes += clients.map(lambda _: post(server, path, body), range(4))
        four = server.peak_bytes() - idle

    assert codes == [code] * 5
    assert one < 6 * SIZE
    assert four < 4 * 6 * SIZE

"""A request costs memory in proportion to its size, whatever is in it."""

import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_server.mixed import PORTS, ROW
from model_server.serving import ServerProcess, serving
from tritonclient.http import InferenceServerClient, InferInput

from taxon_bundle.bundle import Bundle
from taxon_contracts.v2 import INFERENCE_HEADER

MEBIBYTE = 2**20
SIZE = 16 * MEBIBYTE
INFER = "/v2/models/small/infer"
NAMES = ("length", "width", "batch")
Body = tuple[bytes, int | None]
"""A body, and how much of it is JSON; None for all."""
Port = Callable[[int], str]
"""Returns the category of a row."""


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


def mixed_tensors(port: Port) -> list[dict[str, Any]]:
    """Return tensors of numbers, booleans and categories."""
    rows = 250_000
    values: dict[str, tuple[str, list[Any]]] = {
        "age": ("FP64", [0.1 + place if place % 9 else None for place in range(rows)]),
        "fare": ("FP64", [0.5] * rows),
        "member": ("BOOL", [True, False] * (rows // 2)),
        "port": ("BYTES", [port(place) for place in range(rows)]),
        "deck": ("BYTES", ["A"] * rows),
    }
    return [
        {"name": name, "shape": [rows], "datatype": datatype, "data": data}
        for name, (datatype, data) in values.items()
    ]


def unseen(place: int) -> str:
    """Return a category that no training row had, another one each time."""
    return f"{place} [{'é' * 14}]"


def known(place: int) -> str:
    """Return a category of the training rows, or the word for none."""
    return (*PORTS, "n/a")[place % 4] + " " * 28


def v2_texts(port: Port) -> Body:
    """Return JSON with these categories."""
    return json.dumps({"inputs": mixed_tensors(port)}, ensure_ascii=False).encode(), None


def v2_binary_texts(port: Port) -> Body:
    """Return a JSON part and binary tensors with these categories, as tritonclient writes them."""
    inputs = []
    for sent in mixed_tensors(port):
        tensor = InferInput(sent["name"], sent["shape"], sent["datatype"])
        kind = {"FP64": np.float64, "BOOL": np.bool_, "BYTES": np.object_}[sent["datatype"]]
        tensor.set_data_from_numpy(np.array(sent["data"], kind))
        inputs.append(tensor)
    body, json_length = InferenceServerClient.generate_request_body(inputs)
    return bytes(body), json_length


def plain_texts(port: Port) -> Body:
    """Return rows by name with these categories."""
    rows = [ROW | {"port": port(place)} for place in range(150_000)]
    return json.dumps(rows, ensure_ascii=False).encode(), None


def post(server: ServerProcess, path: str, body: bytes, json_length: int | None = None) -> int:
    """Send a body; return the code of the answer."""
    connection = http.client.HTTPConnection(server.address, timeout=60)
    headers = {} if json_length is None else {INFERENCE_HEADER: str(json_length)}
    connection.request("POST", path, body, headers)
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


@pytest.mark.parametrize("port", [known, unseen])
@pytest.mark.parametrize(
    ("path", "make"),
    [(INFER, v2_texts), (INFER, v2_binary_texts), ("/predict-batch", plain_texts)],
)
def test_a_large_request_of_categories_costs_a_few_times_its_size(
    mixed: Bundle,
    tmp_path: Path,
    path: str,
    make: Callable[[Port], Body],
    port: Port,
) -> None:
    """At most seven times, also where no category is one of the training rows'."""
    body, json_length = make(port)
    assert 0.8 * SIZE < len(body) <= SIZE
    with serving(mixed, tmp_path, max_rows="300000") as server:
        idle = server.peak_bytes()
        code = post(server, path, body, json_length)
        one = server.peak_bytes() - idle

    assert code == 200
    assert one < 7 * SIZE

"""Inference responses of the V2 protocol: labels and probabilities to bytes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from taxon_contracts.v2 import LABEL_NAME, PROBABILITIES_NAME
from taxon_model_server.protocol.tensors import BINARY_SIZE
from taxon_model_server.protocol.texts import LENGTH

VALUES_AT_ONCE = 32 * 1024


def write_response(
    head: Mapping[str, Any],
    labels: Sequence[str] | Sequence[int],
    probabilities: NDArray[np.float64],
    outputs: Mapping[str, bool],
) -> tuple[list[bytes], int | None]:
    """Write an inference response; return it in pieces, and the length of the JSON, if not all.

    Args:
        head: model, version, id and parameters.
        labels: each row's label.
        probabilities: shape [rows, classes].
        outputs: the tensors to answer with, each with whether it is to be binary.
    """
    if probabilities.size <= VALUES_AT_ONCE and not any(outputs.values()):
        return [_small_response(head, labels, probabilities, outputs)], None
    pieces = [orjson.dumps(head)[:-1], b',"outputs":[']
    binary: list[bytes] = []
    for place, (name, as_bytes) in enumerate(outputs.items()):
        tensor: dict[str, Any] = {"name": name, **_described(name, labels, probabilities)}
        if as_bytes:
            content = _label_bytes(labels) if name == LABEL_NAME else probabilities.tobytes()
            tensor["parameters"] = {BINARY_SIZE: len(content)}
            binary.append(content)
        pieces += [b"," if place else b"", orjson.dumps(tensor)[:-1]]
        if not as_bytes:
            values = labels if name == LABEL_NAME else probabilities.ravel()
            pieces += [b',"data":[', *_texts(values), b"]"]
        pieces.append(b"}")
    pieces.append(b"]}")
    length = sum(map(len, pieces)) if binary else None
    return [*pieces, *binary], length


def _small_response(
    head: Mapping[str, Any],
    labels: Sequence[str] | Sequence[int],
    probabilities: NDArray[np.float64],
    outputs: Mapping[str, bool],
) -> bytes:
    tensors = [
        {
            "name": name,
            **_described(name, labels, probabilities),
            "data": labels if name == LABEL_NAME else probabilities.ravel(),
        }
        for name in outputs
    ]
    return orjson.dumps({**head, "outputs": tensors}, option=orjson.OPT_SERIALIZE_NUMPY)


def _texts(values: Sequence[str] | Sequence[int] | NDArray[np.float64]) -> Iterator[bytes]:
    """Return the items of a JSON list, some at a time."""
    for start in range(0, len(values), VALUES_AT_ONCE):
        text = orjson.dumps(
            values[start : start + VALUES_AT_ONCE], option=orjson.OPT_SERIALIZE_NUMPY
        )
        yield b"," + text[1:-1] if start else text[1:-1]


def _described(
    name: str, labels: Sequence[str] | Sequence[int], probabilities: NDArray[np.float64]
) -> dict[str, Any]:
    if name == PROBABILITIES_NAME:
        return {"datatype": "FP64", "shape": probabilities.shape}
    return {"datatype": label_datatype(labels), "shape": (len(labels),)}


def label_datatype(labels: Sequence[str] | Sequence[int]) -> str:
    """Return the V2 datatype of labels like these."""
    return "INT64" if isinstance(labels[0], int) else "BYTES"


def _label_bytes(labels: Sequence[str] | Sequence[int]) -> bytes:
    """Return labels as the binary extension has them: text is prefixed by its length."""
    if isinstance(labels[0], int):
        return np.array(labels, "<i8").tobytes()
    encoded = {label: str(label).encode() for label in set(labels)}
    prefixed = {label: LENGTH.pack(len(text)) + text for label, text in encoded.items()}
    return b"".join([prefixed[label] for label in labels])

"""Inference responses of the V2 protocol: labels and probabilities to bytes."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from taxon_contracts.v2 import LABEL_NAME, PROBABILITIES_NAME
from taxon_model_server.protocol.tensors import BINARY_SIZE


def write_response(
    head: Mapping[str, Any],
    labels: Sequence[str] | Sequence[int],
    probabilities: NDArray[np.float64],
    outputs: Mapping[str, bool],
) -> tuple[bytes, int | None]:
    """Write an inference response; return its body and the length of the JSON part, if not all.

    Args:
        head: model, version, id and parameters.
        labels: each row's label.
        probabilities: shape [rows, classes].
        outputs: the tensors to answer with, each with whether it is to be binary.
    """
    tensors: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for name, as_bytes in outputs.items():
        tensor: dict[str, Any] = {"name": name, **_described(name, labels, probabilities)}
        if as_bytes:
            content = _label_bytes(labels) if name == LABEL_NAME else probabilities.tobytes()
            tensor["parameters"] = {BINARY_SIZE: len(content)}
            binary.append(content)
        else:
            tensor["data"] = labels if name == LABEL_NAME else probabilities.ravel().tolist()
        tensors.append(tensor)
    header = to_json({**head, "outputs": tensors})
    return b"".join([header, *binary]), len(header) if binary else None


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
    encoded = [str(label).encode() for label in labels]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)

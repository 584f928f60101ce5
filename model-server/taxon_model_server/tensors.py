"""Requests and answers of the V2 protocol: bytes to rows and back, nothing lost on the way."""

import itertools
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from pydantic_core import to_json

from taxon_bundle.classifier import Rows
from taxon_contracts.v2 import (
    INPUT_NAME,
    LABEL_NAME,
    PROBABILITIES_NAME,
    InferRequest,
    RequestInput,
)
from taxon_model_server.errors import InvalidInput, TooLarge

NUMPY_TYPES: Mapping[str, np.dtype[Any]] = {
    "FP64": np.dtype("<f8"),
    "FP32": np.dtype("<f4"),
    "INT64": np.dtype("<i8"),
    "INT32": np.dtype("<i4"),
    "INT16": np.dtype("<i2"),
    "INT8": np.dtype("<i1"),
    "UINT64": np.dtype("<u8"),
    "UINT32": np.dtype("<u4"),
    "UINT16": np.dtype("<u2"),
    "UINT8": np.dtype("<u1"),
}
OUTPUT_NAMES = (LABEL_NAME, PROBABILITIES_NAME)
LARGEST_EXACT = 2**53
"""Beyond this, float64 does not hold every integer."""
COLUMN, MATRIX = 1, 2
BINARY_SIZE = "binary_data_size"
BINARY_OUTPUT = "binary_data_output"
BINARY = "binary_data"


@dataclass(frozen=True)
class Question:
    """A request of the protocol, read: ``rows`` is float64 [rows, features].

    ``outputs`` holds the tensors asked for, in order, each with whether it is to be binary.
    """

    rows: Rows
    outputs: Mapping[str, bool]
    identifier: str | None
    parameters: Mapping[str, Any]


def read_question(
    body: bytes, header_length: int | None, features: Sequence[str], *, max_rows: int
) -> Question:
    """Read an inference request.

    Args:
        body: the request's body.
        header_length: bytes of JSON in front of binary tensors; None when all of it is JSON.
        features: the model's features in order.
        max_rows: most rows of one request.

    Raises:
        InvalidInput: it is not what the model takes; the message names the tensor and the row.
        TooLarge: it has more rows than ``max_rows``.
    """
    end = len(body) if header_length is None else header_length
    if not 0 < end <= len(body):
        raise InvalidInput(f"the JSON part has {end} bytes, the body {len(body)}: correct either")
    message = _parsed(body[:end])
    tensors = _tensors(message.inputs, memoryview(body)[end:])
    rows = _assembled(tensors, features, max_rows)
    return Question(rows, _outputs(message), message.id, _echoed(message.parameters))


def _parsed(content: bytes) -> InferRequest:
    try:
        return InferRequest.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{path}: {first['msg']}" if path else first["msg"]) from error


def _echoed(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters an answer repeats."""
    for name, value in parameters.items():
        finite = math.isfinite(value) if isinstance(value, float) else True
        if not isinstance(value, str | int | float | bool) or not finite:
            raise InvalidInput(f"parameters.{name}: send a string, a finite number or a boolean")
    return {name: value for name, value in parameters.items() if name != BINARY_OUTPUT}


def _outputs(message: InferRequest) -> Mapping[str, bool]:
    everything = message.parameters.get(BINARY_OUTPUT) is True
    if not message.outputs:
        return dict.fromkeys(OUTPUT_NAMES, everything)
    asked: dict[str, bool] = {}
    for output in message.outputs:
        if output.name not in OUTPUT_NAMES:
            raise InvalidInput(f"output {output.name!r}: ask for {' or '.join(OUTPUT_NAMES)}")
        if output.name in asked:
            raise InvalidInput(f"output {output.name!r} is asked for twice: ask once")
        asked[output.name] = bool(output.parameters.get(BINARY, everything))
    return asked


def _tensors(inputs: Sequence[RequestInput], binary: memoryview) -> dict[str, NDArray[np.float64]]:
    """Return each input in its shape."""
    tensors: dict[str, NDArray[np.float64]] = {}
    place = 0
    for tensor in inputs:
        if tensor.name in tensors:
            raise InvalidInput(f"input {tensor.name!r} stands twice: send it once")
        if tensor.datatype not in NUMPY_TYPES:
            raise InvalidInput(
                f"input {tensor.name!r} is {tensor.datatype}: send {', '.join(NUMPY_TYPES)}"
            )
        size = _binary_size(tensor)
        if size is None:
            values = _json_values(tensor)
        else:
            values = _binary_values(tensor, binary[place : place + size], size)
            place += size
        tensors[tensor.name] = _shaped(tensor, values)
    if place != len(binary):
        raise InvalidInput(
            f"the inputs claim {place} binary bytes, the body holds {len(binary)}:"
            f" correct {BINARY_SIZE}"
        )
    return tensors


def _binary_size(tensor: RequestInput) -> int | None:
    size = tensor.parameters.get(BINARY_SIZE)
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise InvalidInput(f"input {tensor.name!r}: {BINARY_SIZE} is not a number of bytes")
    if tensor.data is not None:
        raise InvalidInput(f"input {tensor.name!r} has data and {BINARY_SIZE}: send one")
    return size


def _binary_values(tensor: RequestInput, content: memoryview, size: int) -> NDArray[Any]:
    kind = NUMPY_TYPES[tensor.datatype]
    if len(content) != size or size % kind.itemsize:
        raise InvalidInput(
            f"input {tensor.name!r}: {size} binary bytes are not there or no whole number of"
            f" {tensor.datatype} values"
        )
    return np.frombuffer(content, kind)


def _json_values(tensor: RequestInput) -> NDArray[Any]:
    """Return JSON data, flat or nested by row, once every value is a number of the datatype."""
    if tensor.data is None:
        raise InvalidInput(f"input {tensor.name!r} has no data")
    values = _flat(tensor.name, tensor.shape, tensor.data)
    kind = NUMPY_TYPES[tensor.datatype]
    allowed = {int, float} if kind.kind == "f" else {int}
    if not set(map(type, values)) <= allowed:
        place, wrong = next((i, v) for i, v in enumerate(values) if type(v) not in allowed)
        raise InvalidInput(
            f"input {tensor.name!r}, value {place}: {wrong!r:.40} is not a number of type"
            f" {tensor.datatype}"
        )
    try:
        with np.errstate(over="ignore"):  # what overflows is infinite, and refused by its row
            return np.array(values, kind)
    except OverflowError as error:
        raise InvalidInput(
            f"input {tensor.name!r} holds a number beyond {tensor.datatype}"
        ) from error


def _flat(name: str, shape: Sequence[int], values: list[Any]) -> list[Any]:
    """Return values in one list, once nested rows are as long as the shape says."""
    if not values or not isinstance(values[0], list):
        return values
    length = shape[1] if len(shape) == MATRIX else None
    if not all(isinstance(row, list) and len(row) == length for row in values):
        raise InvalidInput(
            f"input {name!r}: shape {_short(shape)} is not the shape of its nested data"
        )
    return list(itertools.chain.from_iterable(values))


def _shaped(tensor: RequestInput, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the values as float64 in the tensor's shape; integers must survive the change."""
    shape = tensor.shape
    if len(shape) not in (COLUMN, MATRIX) or min(shape) < 0 or math.prod(shape) != len(values):
        raise InvalidInput(
            f"input {tensor.name!r}: shape {_short(shape)} does not hold {len(values)} values as"
            " [rows] or [rows, features]"
        )
    if values.dtype.kind in "iu" and len(values):
        low, high = int(values.min()), int(values.max())
        if low < -LARGEST_EXACT or high > LARGEST_EXACT:
            raise InvalidInput(f"input {tensor.name!r} holds an integer beyond 2^53: send FP64")
    return values.astype(np.float64).reshape(shape)


def _short(shape: Sequence[int]) -> str:
    """Return a shape as text that stays short whatever the client sent."""
    return f"{list(shape[:4])!s:.40}"


def _assembled(
    tensors: Mapping[str, NDArray[np.float64]], features: Sequence[str], max_rows: int
) -> Rows:
    """Return one tensor, or one per feature, as [rows, features]."""
    matrix = tensors.get(INPUT_NAME)
    if matrix is not None and len(tensors) == 1 and (matrix.ndim == MATRIX or len(features) > 1):
        if matrix.ndim != MATRIX or matrix.shape[1] != len(features):
            raise InvalidInput(
                f"input {INPUT_NAME!r}: shape {list(matrix.shape)} is not [rows, {len(features)}]"
            )
        rows = matrix
    else:
        rows = _joined(tensors, features)
    if not len(rows):
        raise InvalidInput("the request has no rows: send at least one")
    if len(rows) > max_rows:
        raise TooLarge(f"the request has {len(rows)} rows: send at most {max_rows}")
    return rows


def _joined(tensors: Mapping[str, NDArray[np.float64]], features: Sequence[str]) -> Rows:
    known = set(features)
    for name in tensors:
        if name not in known:
            raise InvalidInput(
                f"input {name!r} is no feature of the model: send {INPUT_NAME!r}, or one tensor per"
                " feature"
            )
    columns: list[NDArray[np.float64]] = []
    for name in features:
        column = tensors.get(name)
        if column is None:
            raise InvalidInput(f"input {name!r} is missing")
        if column.ndim == MATRIX and column.shape[1] == 1:
            column = column[:, 0]
        if column.ndim != 1 or (columns and len(column) != len(columns[0])):
            raise InvalidInput(
                f"input {name!r}: shape {list(column.shape)} is not [rows] with as many rows as"
                " the other inputs"
            )
        columns.append(column)
    return np.ascontiguousarray(np.column_stack(columns))


def write_answer(
    head: Mapping[str, Any],
    labels: Sequence[str] | Sequence[int],
    probabilities: NDArray[np.float64],
    outputs: Mapping[str, bool],
) -> tuple[bytes, int | None]:
    """Write an inference answer; return its body and the length of the JSON part, if not all.

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

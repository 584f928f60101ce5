"""Tensors of a request, JSON or binary, as float64 arrays: no bit of a number is lost."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taxon_contracts.v2 import RequestInput
from taxon_model_server.errors import InvalidInput

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
LARGEST_EXACT = 2**53
"""Beyond this, float64 does not hold every integer."""
COLUMN, MATRIX = 1, 2
BINARY_SIZE = "binary_data_size"


def read_tensors(
    inputs: Sequence[RequestInput], binary: memoryview
) -> dict[str, NDArray[np.float64]]:
    """Return each input in its shape, by its name.

    Args:
        inputs: the inputs of the request's JSON part.
        binary: what follows the JSON part.

    Raises:
        InvalidInput: an input is not a tensor of numbers; the message names it.
    """
    tensors: dict[str, NDArray[np.float64]] = {}
    place = 0
    for tensor in inputs:
        if tensor.name in tensors:
            raise InvalidInput(f"input {tensor.name!r} appears twice: send it once")
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
            f"input {tensor.name!r}: the body does not hold {size} binary bytes of whole"
            f" {tensor.datatype} values: correct {BINARY_SIZE}"
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
    if not len(values):
        raise InvalidInput(f"input {tensor.name!r} has no values: send at least one row")
    if values.dtype.kind in "iu" and len(values):
        low, high = int(values.min()), int(values.max())
        if low < -LARGEST_EXACT or high > LARGEST_EXACT:
            raise InvalidInput(f"input {tensor.name!r} holds an integer beyond 2^53: send FP64")
    return values.astype(np.float64).reshape(shape)


def _short(shape: Sequence[int]) -> str:
    """Return a shape as text that stays short whatever the client sent."""
    return f"{list(shape[:4])!s:.40}"

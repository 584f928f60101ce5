"""Tensors of a request, JSON or binary, as float64 arrays: no bit of a number is lost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taxon_contracts.v2 import RequestInput
from taxon_model_server.errors import InvalidInput, TooLarge
from taxon_model_server.protocol.datatypes import NUMPY_TYPES, InvalidArray, convert, widen
from taxon_model_server.protocol.json_arrays import Span, flattened, read_numbers

COLUMN, MATRIX = 1, 2
BINARY_SIZE = "binary_data_size"


@dataclass(frozen=True)
class Limits:
    """How many values one tensor may have: ``columns`` is the number of features."""

    columns: int
    max_rows: int


def read_tensors(
    inputs: Sequence[RequestInput],
    arrays: Mapping[str, Span],
    binary: memoryview,
    limits: Limits,
) -> dict[str, NDArray[np.float64]]:
    """Return each input in its shape, by its name.

    Args:
        inputs: the inputs of the request's JSON part.
        arrays: the arrays that were cut out of the JSON part, by their marks.
        binary: what follows the JSON part.
        limits: how many values each may have; looked at before a value is read.

    Raises:
        InvalidInput: an input is not a tensor of numbers; the message names it.
        TooLarge: one has too many rows.
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
        try:
            if size is None:
                values = _json_values(tensor, arrays, limits)
            else:
                values = _binary_values(tensor, binary[place : place + size], size, limits)
                place += size
        except InvalidArray as error:
            raise InvalidInput(f"input {tensor.name!r} {error}") from error
        tensors[tensor.name] = values.reshape(tensor.shape)
    if place != len(binary):
        raise InvalidInput(
            f"the inputs claim {place} binary bytes, the body has {len(binary)}:"
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


def _binary_values(
    tensor: RequestInput, content: memoryview, size: int, limits: Limits
) -> NDArray[np.float64]:
    kind = NUMPY_TYPES[tensor.datatype]
    if len(content) != size or size % kind.itemsize:
        raise InvalidInput(
            f"input {tensor.name!r}: the body does not hold {size} binary bytes of whole"
            f" {tensor.datatype} values: correct {BINARY_SIZE}"
        )
    _check_shape(tensor, size // kind.itemsize, limits)
    return widen(np.frombuffer(content, kind))


def _json_values(
    tensor: RequestInput, arrays: Mapping[str, Span], limits: Limits
) -> NDArray[np.float64]:
    """Return JSON data, flat or nested by row, once every value is a number of the datatype."""
    data = tensor.data
    if data is None:
        raise InvalidInput(f"input {tensor.name!r} has no data")
    row_length = tensor.shape[1] if len(tensor.shape) == MATRIX else None
    span = arrays.get(data[0]) if data and isinstance(data[0], str) else None
    if span is not None:
        count = span.count()
        _check_shape(tensor, count, limits)
        values = read_numbers(span, count, tensor.datatype, row_length)
    else:
        values = convert(flattened(data, row_length), tensor.datatype)
    _check_shape(tensor, len(values), limits)
    return values


def _check_shape(tensor: RequestInput, count: int, limits: Limits) -> None:
    """Check that a tensor's values have its shape, and that its rows and columns fit the model.

    Raises:
        InvalidInput: it has another shape.
        TooLarge: it has too many rows.
    """
    shape = tensor.shape
    if len(shape) not in (COLUMN, MATRIX) or min(shape) < 0 or math.prod(shape) != count:
        raise InvalidInput(
            f"input {tensor.name!r}: shape {_short(shape)} does not hold {count} values as"
            " [rows] or [rows, features]"
        )
    if not count:
        raise InvalidInput(f"input {tensor.name!r} has no values: send at least one row")
    if shape[0] > limits.max_rows:
        raise TooLarge(f"the request has {shape[0]} rows: send at most {limits.max_rows}")
    if len(shape) == MATRIX and shape[1] not in (1, limits.columns):
        raise InvalidInput(
            f"input {tensor.name!r}: shape {_short(shape)} is not [rows, {limits.columns}]"
        )


def _short(shape: Sequence[int]) -> str:
    """Return a shape as text of limited length."""
    return f"{list(shape[:4])!s:.40}"

"""Tensors of a request, JSON or binary, as float64 arrays: no bit of a number is lost."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taxon_bundle.codec import BadRow, Codec, Encoded, joined
from taxon_contracts.v2 import RequestInput
from taxon_model_server.errors import InvalidInput, TooLarge
from taxon_model_server.protocol.datatypes import (
    BYTES,
    NUMPY_TYPES,
    OF_FEATURES,
    InvalidArray,
    convert,
    widen,
)
from taxon_model_server.protocol.json_arrays import Span, flattened, read_numbers, read_values
from taxon_model_server.protocol.texts import read_texts

COLUMN, MATRIX = 1, 2
BINARY_SIZE = "binary_data_size"


@dataclass
class Reader:
    """Reads the tensors of one request.

    Args:
        codec: the model's features.
        arrays: the arrays that were cut out of the JSON part, by their marks.
        max_rows: most rows of one tensor; looked at before its numbers are read.
    """

    codec: Codec
    arrays: Mapping[str, Span]
    max_rows: int

    def read(self, inputs: Sequence[RequestInput], binary: memoryview) -> dict[str, Encoded]:
        """Return each input by its name: the classifier's values in its shape.

        Args:
            inputs: the inputs of the request's JSON part.
            binary: what follows the JSON part.

        Raises:
            InvalidInput: an input is not a tensor the model takes; the message names it.
            TooLarge: one has too many rows.
        """
        tensors: dict[str, Encoded] = {}
        place = 0
        for tensor in inputs:
            if tensor.name in tensors:
                raise InvalidInput(f"input {tensor.name!r} appears twice: send it once")
            feature = self.codec.places.get(tensor.name)
            self._check_datatype(tensor, feature)
            size = _binary_size(tensor)
            content = None if size is None else binary[place : place + size]
            if content is not None and len(content) != size:
                raise _incomplete(tensor, size)
            place += size or 0
            try:
                tensors[tensor.name] = self._values(tensor, feature, content)
            except InvalidArray as error:
                raise InvalidInput(f"input {tensor.name!r} {error}") from error
            except BadRow as error:
                raise InvalidInput(str(error)) from error
        if place != len(binary):
            raise InvalidInput(
                f"the inputs claim {place} binary bytes, the body has {len(binary)}:"
                f" correct {BINARY_SIZE}"
            )
        return tensors

    def _check_datatype(self, tensor: RequestInput, feature: int | None) -> None:
        own = () if feature is None else (OF_FEATURES[self.codec.features[feature].type],)
        if tensor.datatype not in NUMPY_TYPES and tensor.datatype not in own:
            accepted = ", ".join(dict.fromkeys((*own, *NUMPY_TYPES)))
            raise InvalidInput(f"input {tensor.name!r} is {tensor.datatype}: send {accepted}")

    def _values(
        self, tensor: RequestInput, feature: int | None, content: memoryview | None
    ) -> Encoded:
        if tensor.datatype in NUMPY_TYPES:
            if content is None:
                numbers = self._json_numbers(tensor)
            else:
                numbers = self._binary_numbers(tensor, content)
            if feature is None or not _is_column(tensor.shape):
                return Encoded(numbers.reshape(tensor.shape))
            values, unseen = self.codec.encode_numbers(feature, numbers)
            return Encoded(values.reshape(tensor.shape), {feature: unseen} if unseen else {})
        assert feature is not None  # noqa: S101 - the datatype is the feature's own
        if content is None:
            pieces = self._json_values(tensor)
        elif tensor.datatype == BYTES:
            pieces = read_texts(content)
        else:
            pieces = [_booleans(content)]
        return self._encoded(tensor, feature, pieces)

    def _binary_numbers(self, tensor: RequestInput, content: memoryview) -> NDArray[np.float64]:
        kind = NUMPY_TYPES[tensor.datatype]
        if len(content) % kind.itemsize:
            raise _incomplete(tensor, len(content))
        self._check_shape(tensor, len(content) // kind.itemsize)
        return widen(np.frombuffer(content, kind))

    def _json_numbers(self, tensor: RequestInput) -> NDArray[np.float64]:
        """Return JSON data, flat or nested by row, once each value is a number or null."""
        data, span = self._data(tensor)
        if span is None:
            values = convert(flattened(data, _row_length(tensor)), tensor.datatype)
        elif span.has_texts:
            done = 0
            for piece in read_values(span, _row_length(tensor)):
                convert(piece, tensor.datatype, first=done)
                done += len(piece)
            raise InvalidArray("has text in its data")
        else:
            count = span.count()
            self._check_shape(tensor, count)
            values = read_numbers(span, count, tensor.datatype, _row_length(tensor))
        self._check_shape(tensor, len(values))
        return values

    def _json_values(self, tensor: RequestInput) -> Iterable[list[Any]]:
        data, span = self._data(tensor)
        if span is None:
            return [flattened(data, _row_length(tensor))]
        return read_values(span, _row_length(tensor))

    def _data(self, tensor: RequestInput) -> tuple[list[Any], Span | None]:
        """Return a tensor's data, or the array that was cut out in its place."""
        data = tensor.data
        if data is None:
            raise InvalidInput(f"input {tensor.name!r} has no data")
        span = self.arrays.get(data[0]) if data and isinstance(data[0], str) else None
        return data, span

    def _encoded(self, tensor: RequestInput, feature: int, pieces: Iterable[list[Any]]) -> Encoded:
        """Return the values of a feature, encoded some at a time."""
        parts: list[Encoded] = []
        done = 0
        for piece in pieces:
            self._check_rows(done + len(piece))
            try:
                values, unseen = self.codec.encode_column(feature, piece)
            except BadRow as error:
                raise BadRow(done + error.row, error.feature, error.reason) from error
            parts.append(Encoded(values, {feature: unseen} if unseen else {}))
            done += len(piece)
        self._check_shape(tensor, done)
        whole = joined(parts)
        return Encoded(whole.rows.reshape(tensor.shape), whole.unseen)

    def _check_shape(self, tensor: RequestInput, count: int) -> None:
        """Check that values have the tensor's shape, and its rows and columns fit the model.

        Raises:
            InvalidInput: it has another shape.
            TooLarge: it has too many rows.
        """
        shape, columns = tensor.shape, len(self.codec.features)
        if len(shape) not in (COLUMN, MATRIX) or min(shape) < 0 or math.prod(shape) != count:
            raise InvalidInput(
                f"input {tensor.name!r}: shape {_short(shape)} does not hold {count} values as"
                " [rows] or [rows, features]"
            )
        if not count:
            raise InvalidInput(f"input {tensor.name!r} has no values: send at least one row")
        self._check_rows(shape[0])
        if len(shape) == MATRIX and shape[1] not in (1, columns):
            raise InvalidInput(
                f"input {tensor.name!r}: shape {_short(shape)} is not [rows, {columns}]"
            )

    def _check_rows(self, count: int) -> None:
        if count > self.max_rows:
            raise TooLarge(f"the request has {count} rows: send at most {self.max_rows}")


def _incomplete(tensor: RequestInput, size: int | None) -> InvalidInput:
    return InvalidInput(
        f"input {tensor.name!r}: the body does not hold {size} binary bytes of whole"
        f" {tensor.datatype} values: correct {BINARY_SIZE}"
    )


def _binary_size(tensor: RequestInput) -> int | None:
    size = tensor.parameters.get(BINARY_SIZE)
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise InvalidInput(f"input {tensor.name!r}: {BINARY_SIZE} is not a number of bytes")
    if tensor.data is not None:
        raise InvalidInput(f"input {tensor.name!r} has data and {BINARY_SIZE}: send one")
    return size


def _booleans(content: memoryview) -> list[int]:
    """Return the values of a binary tensor of booleans, one byte each."""
    values = np.frombuffer(content, np.uint8)
    wrong = np.flatnonzero(values > 1)
    if len(wrong):
        raise InvalidArray(
            f"has a wrong value {wrong[0]}: a boolean is one byte, 0 or 1, not {values[wrong[0]]}"
        )
    return list(values.tolist())


def _row_length(tensor: RequestInput) -> int | None:
    return tensor.shape[1] if len(tensor.shape) == MATRIX else None


def _is_column(shape: Sequence[int]) -> bool:
    return len(shape) == COLUMN or shape[1] == 1


def _short(shape: Sequence[int]) -> str:
    """Return a shape as text of limited length."""
    return f"{list(shape[:4])!s:.40}"

"""Inference requests of the V2 protocol: bytes to the rows the classifier takes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from taxon_bundle.codec import BadRow, Codec, Encoded
from taxon_contracts.v2 import (
    INFERENCE_HEADER,
    LABEL_NAME,
    PROBABILITIES_NAME,
    InferRequest,
    RequestInput,
)
from taxon_model_server.errors import InvalidInput
from taxon_model_server.protocol.datatypes import OF_FEATURES
from taxon_model_server.protocol.json_arrays import Span, cut_data
from taxon_model_server.protocol.json_text import Content
from taxon_model_server.protocol.tensors import MATRIX, Reader
from taxon_model_server.similar import by_folded, folded

SMALL_BYTES = 8 * 1024
"""JSON up to this is read in one piece, which is faster."""
HEAD_BYTES = 2**20
"""Most JSON of a request beside the data of its tensors; what it holds becomes objects."""
NAMED = 10
"""How many features a sentence names."""
OUTPUT_NAMES = (LABEL_NAME, PROBABILITIES_NAME)
BINARY_OUTPUT = "binary_data_output"
BINARY = "binary_data"


@dataclass(frozen=True)
class Inference:
    """A request that was read: ``encoded`` has the rows for the classifier.

    ``outputs`` holds the requested tensors in order, each with whether it is to be binary;
    ``parameters`` are the ones the answer repeats.
    """

    encoded: Encoded
    outputs: Mapping[str, bool]
    identifier: str | None
    parameters: Mapping[str, Any]


def read_request(
    body: Content, header_length: int | None, codec: Codec, *, max_rows: int
) -> Inference:
    """Read an inference request.

    Args:
        body: the request's body.
        header_length: bytes of JSON in front of binary tensors; None when all of it is JSON.
        codec: the model's features.
        max_rows: most rows of one request.

    Raises:
        InvalidInput: it does not fit the model; the message names the tensor and the row.
        TooLarge: it has more rows than ``max_rows``.
    """
    if not body:
        raise InvalidInput("the body is empty: send an inference request")
    end = len(body) if header_length is None else header_length
    if not 0 < end <= len(body):
        raise InvalidInput(
            f"{INFERENCE_HEADER} is {end}, but the body has {len(body)} bytes: correct the header"
        )
    head = body if end == len(body) else body[:end]
    arrays: Mapping[str, Span] = {}
    if end > SMALL_BYTES:
        head, arrays = cut_data(head)
    if len(head) > HEAD_BYTES:
        raise InvalidInput(
            f"the JSON beside the data has {len(head)} bytes: send at most {HEAD_BYTES}, and as"
            " data only numbers, texts, true, false and null"
        )
    message = _parsed(head)
    encoded = None if arrays or end < len(body) else _single_row(message.inputs, codec)
    if encoded is None:
        tensors = Reader(codec, arrays, max_rows).read(message.inputs, memoryview(body)[end:])
        encoded = _assembled(tensors, codec)
    return Inference(encoded, _outputs(message), message.id, _echoed(message.parameters))


def _parsed(content: Content) -> InferRequest:
    try:
        return InferRequest.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{path}: {first['msg']}" if path else first["msg"]) from error


def _echoed(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters an answer repeats."""
    given = {name: value for name, value in parameters.items() if value is not None}
    for name, value in given.items():
        finite = math.isfinite(value) if isinstance(value, float) else True
        if not isinstance(value, str | int | float | bool) or not finite:
            raise InvalidInput(f"parameters.{name}: send a string, a finite number or a boolean")
    return {name: value for name, value in given.items() if name != BINARY_OUTPUT}


def _outputs(message: InferRequest) -> Mapping[str, bool]:
    everything = message.parameters.get(BINARY_OUTPUT) is True
    if not message.outputs:
        return dict.fromkeys(OUTPUT_NAMES, everything)
    requested: dict[str, bool] = {}
    for output in message.outputs:
        if output.name not in OUTPUT_NAMES:
            raise InvalidInput(f"output {output.name!r}: request {' or '.join(OUTPUT_NAMES)}")
        if output.name in requested:
            raise InvalidInput(f"output {output.name!r} is requested twice: request it once")
        requested[output.name] = bool(output.parameters.get(BINARY, everything))
    return requested


def _single_row(inputs: Sequence[RequestInput], codec: Codec) -> Encoded | None:
    """Return one row of one tensor per feature in the usual form, which takes no array per tensor.

    None for anything else, wrong values among it: the reader of tensors has the sentences.
    """
    values: dict[int, object] = {}
    for tensor in inputs:
        place, data = codec.places.get(tensor.name), tensor.data
        if place is None or place in values or tensor.shape != (1,) or tensor.parameters:
            return None
        if tensor.datatype != OF_FEATURES[codec.features[place].type]:
            return None
        if data is None or len(data) != 1:
            return None
        values[place] = data[0]
    if len(values) < len(codec.features):
        return None
    try:
        return codec.encode_rows([[values[place] for place in range(len(values))]])
    except BadRow:
        return None


def _assembled(tensors: Mapping[str, Encoded], codec: Codec) -> Encoded:
    """Return one matrix, whatever its name, or one tensor per feature, as [rows, features]."""
    [name, *others] = tensors
    shape, columns = tensors[name].rows.shape, len(codec.features)
    is_matrix = not others and len(shape) == MATRIX and shape[1] == columns
    if is_matrix and not codec.has_categories:
        return tensors[name] if codec.is_numeric else _checked(tensors[name], codec)
    if others or name in codec.places or codec.has_categories:
        return _joined(tensors, codec)
    raise InvalidInput(f"input {name!r}: shape {list(shape)} is not [rows, {columns}]")


def _checked(matrix: Encoded, codec: Codec) -> Encoded:
    """Return a matrix, once its columns are values of their features."""
    try:
        for place, feature in enumerate(codec.features):
            if feature.type != "Numeric":
                codec.encode_numbers(place, matrix.rows[:, place])
    except BadRow as error:
        raise InvalidInput(str(error)) from error
    return matrix


def _joined(tensors: Mapping[str, Encoded], codec: Codec) -> Encoded:
    for name in tensors:
        if name not in codec.places:
            meant = by_folded(codec.names).get(folded(name))
            remedy = f"it may be {meant!r}" if meant else _remedy(codec)
            raise InvalidInput(f"input {name!r} is not a feature of the model: {remedy}")
    columns: list[NDArray[np.float64]] = []
    for name in codec.names:
        if name not in tensors:
            raise InvalidInput(f"input {name!r} is missing")
        column = tensors[name].rows
        if column.ndim == MATRIX and column.shape[1] == 1:
            column = column[:, 0]
        if column.ndim != 1 or (columns and len(column) != len(columns[0])):
            raise InvalidInput(
                f"input {name!r}: shape {list(column.shape)} is not [rows] with as many rows as"
                " the other inputs"
            )
        columns.append(column)
    unseen = {place: texts for tensor in tensors.values() for place, texts in tensor.unseen.items()}
    return Encoded(np.ascontiguousarray(np.column_stack(columns)), unseen)


def _remedy(codec: Codec) -> str:
    """Return what to send instead of an input that is none of the model's."""
    if not codec.has_categories:
        return f"send one tensor [rows, {len(codec.features)}], or one tensor per feature"
    named = [f"{one.name} {OF_FEATURES[one.type]}" for one in codec.features[:NAMED]]
    if len(codec.features) > NAMED:
        named.append(f"... ({len(codec.features)} in all)")
    return f"send one tensor [rows] per feature: {', '.join(named)}"

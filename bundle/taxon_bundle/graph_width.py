"""How wide the rows of an ONNX graph become on their way, read from its bytes.

A server has no library for ONNX files, only the runtime, which does not tell. Two levels of the
file's protobuf messages say it: the steps that pick or repeat columns have a constant of int64 with
a number for each.
"""

from collections.abc import Iterator

MODEL_GRAPH = 7
GRAPH_CONSTANT = 5
CONSTANT_SHAPE, CONSTANT_TYPE = 1, 2
INT64 = 7
VARINT, EIGHT_BYTES, SIZED, FOUR_BYTES = 0, 1, 2, 5

Field = tuple[int, int | memoryview]


def widest_step(graph: bytes) -> int:
    """Return the most columns a step of a graph picks, 0 where none does.

    Args:
        graph: a file that the runtime has loaded; of others the answer means nothing.
    """
    constants = (
        list(_fields(constant))
        for main in _parts(memoryview(graph), MODEL_GRAPH)
        for constant in _parts(main, GRAPH_CONSTANT)
    )
    return max(
        (_length(fields) for fields in constants if (CONSTANT_TYPE, INT64) in fields), default=0
    )


def _length(constant: list[Field]) -> int:
    """Return the length of a constant of one dimension, 0 for another."""
    shape = [value for number, value in constant if number == CONSTANT_SHAPE]
    return shape[0] if len(shape) == 1 and isinstance(shape[0], int) else 0


def _parts(message: memoryview, number: int) -> Iterator[memoryview]:
    for found, value in _fields(message):
        if found == number and isinstance(value, memoryview):
            yield value


def _fields(message: memoryview) -> Iterator[Field]:
    """Yield each field's number and value; nested messages are skipped, not read."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        size = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(tag & 7, 0)
        value: int | memoryview
        if tag & 7 == VARINT:
            value, place = _varint(message, place)
        else:
            if tag & 7 == SIZED:
                size, place = _varint(message, place)
            value = message[place : place + size]
            place += size
        yield tag >> 3, value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while message[place] & 0x80:
        value |= (message[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
    return value | message[place] << shift, place + 1

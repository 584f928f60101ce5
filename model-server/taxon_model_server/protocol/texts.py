"""Texts of binary tensors: each is its length in four bytes, little-endian, and its UTF-8."""

import struct
from collections.abc import Iterator

from taxon_model_server.protocol.datatypes import InvalidArray

LENGTH = struct.Struct("<I")
TEXTS_AT_ONCE = 4096


def read_texts(content: memoryview) -> Iterator[list[str]]:
    """Return the texts of a tensor, some at a time.

    Raises:
        InvalidArray: a length does not fit, or a text is not UTF-8.
    """
    place, done, size = 0, 0, len(content)
    while place < size:
        texts: list[str] = []
        while place < size and len(texts) < TEXTS_AT_ONCE:
            start = place + LENGTH.size
            length = LENGTH.unpack_from(content, place)[0] if start <= size else 0
            place = start + length
            if place > size:
                raise InvalidArray(
                    f"ends within value {done + len(texts)}: send each text as its length in four"
                    " bytes, little-endian, and its UTF-8"
                )
            try:
                texts.append(str(content[start:place], "utf-8"))
            except UnicodeDecodeError as error:
                raise InvalidArray(
                    f"has a wrong value {done + len(texts)}: it is not UTF-8"
                ) from error
        yield texts
        done += len(texts)

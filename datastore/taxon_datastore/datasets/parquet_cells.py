"""Cells of Parquet columns: text that becomes the same values again."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

SHOWN_CHARACTERS = 1000
"""How much of a value is kept that nobody trains on: a list, a structure, bytes."""


def cells(values: pa.Array) -> pa.Array:
    """Return values as text; null stays null.

    Numbers have the shortest text that is the same number; nested values and bytes have text for
    people only.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return cells(values.cast(kind.value_type))
    if pa.types.is_float16(kind):
        return values.cast(pa.float32()).cast(pa.large_string())
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return _times(values)
    if _has_text(kind):
        return values.cast(pa.large_string())
    shown = [None if one is None else _shown(one) for one in values.to_pylist()]
    return pa.array(shown, pa.large_string())


def values(texts: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    """Return what ``cells`` made into text, nulls where it was text for people only.

    Args:
        texts: the cells.
        kind: type of the values they are of.
    """
    if pa.types.is_dictionary(kind):
        plain = values(texts, kind.value_type).dictionary_encode()
        return pa.DictionaryArray.from_arrays(
            plain.indices.cast(kind.index_type), plain.dictionary, ordered=kind.ordered
        )
    written = pa.array(texts, pa.large_string())
    if pa.types.is_float16(kind):
        return written.cast(pa.float32()).cast(kind)
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return _times_of(written, kind)
    if pa.types.is_float64(kind):
        return pa.array([None if one is None else float(one) for one in texts], kind)
    if _has_text(kind):
        return written.cast(kind)
    return pa.nulls(len(texts), kind)


def _has_text(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (
            pa.types.is_boolean,
            pa.types.is_integer,
            pa.types.is_floating,
            pa.types.is_decimal,
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
        )
    )


def _times(values: pa.Array) -> pa.Array:
    """Return ISO text of dates and times if all become the same again, else their numbers."""
    try:
        text = values.cast(pa.large_string())
        if _times_of(text, values.type).equals(values):
            return text
    except (pa.ArrowException, ValueError):
        pass
    return values.view(_number(values.type)).cast(pa.large_string())


def _times_of(text: pa.Array, kind: pa.DataType) -> pa.Array:
    as_numbers = pc.any(pc.match_substring_regex(text, "^-?[0-9]+$")).as_py()
    if as_numbers or pa.types.is_duration(kind):
        return text.cast(_number(kind)).view(kind)
    if pa.types.is_timestamp(kind) and kind.tz:
        return text.cast(pa.timestamp(kind.unit, "UTC")).cast(kind)
    return text.cast(kind)


def _number(kind: pa.DataType) -> pa.DataType:
    return pa.int32() if kind.bit_width == 32 else pa.int64()  # noqa: PLR2004 - bits


def _shown(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text[:SHOWN_CHARACTERS].replace("\0", "")

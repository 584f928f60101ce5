"""The datatypes of the V2 protocol, and numbers as arrays of them."""

from collections.abc import Mapping
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taxon_contracts.resource import FeatureType
from taxon_contracts.v2 import Datatype

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
BOOL: Datatype = "BOOL"
BYTES: Datatype = "BYTES"
OF_FEATURES: Mapping[FeatureType, Datatype] = {
    "Numeric": "FP64",
    "Boolean": BOOL,
    "Categorical": BYTES,
}
"""The datatype that holds every value of a feature; numbers are accepted for each of them."""
LARGEST_EXACT = 2**53
"""Beyond this, float64 does not hold every integer."""
LONG = 8
"""Bytes of the integers that float64 does not all hold."""


class InvalidArray(ValueError):  # noqa: N818 - the message says what is wrong with it
    """An array that is not what it should be; the message completes "input 'x' ..."."""


def convert(
    values: list[Any], datatype: str, *, first: int = 0, known: bool = False
) -> NDArray[np.float64]:
    """Return JSON values as float64, after checking that each is a number of the datatype or null.

    Args:
        values: anything JSON holds; null becomes NaN.
        datatype: one of ``NUMPY_TYPES``.
        first: the place of the first value, for the message.
        known: they are numbers or lists, which need not be looked at one by one.

    Raises:
        InvalidArray: a value is neither.
    """
    kind = NUMPY_TYPES[datatype]
    if (not known or kind.kind != "f") and _has_gaps(values, datatype, first):
        return _with_gaps(values, datatype, first)
    try:
        array = _rounded(values, kind) if kind.itemsize < LONG else np.array(values, kind)
    except OverflowError as error:
        raise InvalidArray(f"contains a number beyond {datatype}") from error
    except ValueError:
        _has_gaps(values, datatype, first)
        raise
    if array.ndim != 1:
        _has_gaps(values, datatype, first)
    return widen(array)


def _rounded(values: list[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused by its row
        return np.array(values, kind)


def _with_gaps(values: list[Any], datatype: str, first: int) -> NDArray[np.float64]:
    """Return values of which some are null."""
    present = [value is not None for value in values]
    array = np.full(len(values), np.nan)
    array[present] = convert(
        [value for value in values if value is not None], datatype, first=first, known=True
    )
    return array


def _has_gaps(values: list[Any], datatype: str, first: int) -> bool:
    """Return whether a value is null.

    Raises:
        InvalidArray: a value is neither null nor a number of the datatype.
    """
    numbers = {int, float} if NUMPY_TYPES[datatype].kind == "f" else {int}
    types = set(map(type, values))
    if not types <= numbers | {NoneType}:
        place, wrong = next(
            (place, value)
            for place, value in enumerate(values)
            if type(value) not in numbers and value is not None
        )
        raise InvalidArray(
            f"has a wrong value {first + place}: {wrong!r:.40} is not a number of type {datatype}"
        )
    return NoneType in types


def widen(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return numbers as float64; integers must survive the change.

    Raises:
        InvalidArray: float64 cannot represent one of the integers.
    """
    if values.dtype.itemsize == LONG and values.dtype.kind in "iu" and len(values):
        low, high = int(values.min()), int(values.max())
        if low < -LARGEST_EXACT or high > LARGEST_EXACT:
            raise InvalidArray("contains an integer beyond 2^53: send FP64")
    return values.astype(np.float64, copy=False)

"""Arrays as fields of PostgreSQL's binary COPY format, many rows at a time."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from taxon_datastore.copy_binary import field

FLOAT = np.dtype([("length", ">i4"), ("value", ">f8")])
"""A number as a field of its own, and as an element of an array."""
FLOAT_OID = 701
TEXT_OID = 25
ARRAY_HEAD = np.dtype(
    [(name, ">i4") for name in ("dimensions", "has_nulls", "type", "count", "first")]
)


def array_head(oid: int, count: int) -> np.void:
    """Return what comes before the elements of an array with one dimension."""
    return np.array([(1, 1, oid, count, 1)], ARRAY_HEAD)[0]  # type: ignore[no-any-return]


def float_array(count: int) -> np.dtype[np.void]:
    """Return the layout of a field of type float8[] without NULL."""
    return np.dtype([("length", ">i4"), ("head", ARRAY_HEAD), ("cells", FLOAT, (count,))])


def fill_floats(fields: NDArray[np.void], values: NDArray[np.float64]) -> None:
    """Write numbers into fields of the layout ``FLOAT``."""
    fields["length"] = FLOAT["value"].itemsize
    fields["value"] = values


def fill_arrays(fields: NDArray[np.void], values: NDArray[np.float64]) -> None:
    """Write rows, shape [rows, count], into fields of the layout ``float_array(count)``."""
    fields["length"] = fields.dtype.itemsize - fields.dtype["length"].itemsize
    fields["head"] = array_head(FLOAT_OID, values.shape[1])
    fill_floats(fields["cells"], values)


def float_arrays(values: NDArray[np.float64], missing: NDArray[np.bool_]) -> list[bytes]:
    """Return one field of type float8[] per row; both arguments have the shape [rows, count]."""
    rows, count = values.shape
    fields = np.empty(rows, float_array(count))
    fill_arrays(fields, values)
    if not missing.any():
        return split(fields)
    empty = FLOAT["value"].itemsize
    gaps = missing.sum(axis=1)
    fields["length"] -= empty * gaps
    fields["cells"]["length"][missing] = -1
    cells = np.ones((rows, count, FLOAT.itemsize), np.bool_)
    cells[missing, FLOAT.itemsize - empty :] = False
    before = np.ones((rows, fields.itemsize - count * FLOAT.itemsize), np.bool_)
    kept = np.concatenate([before, cells.reshape(rows, -1)], axis=1)
    content = fields.view(np.uint8).reshape(rows, -1)[kept].tobytes()
    stops = accumulate((fields.itemsize - empty * gaps).tolist(), initial=0)
    return [content[start:stop] for start, stop in pairwise(stops)]


def text_arrays(rows: Iterable[Sequence[bytes]], count: int) -> list[bytes]:
    """Return one field of type text[] per row, given the ``count`` fields of its elements."""
    head = array_head(TEXT_OID, count).tobytes()
    return [field(b"".join([head, *elements])) for elements in rows]


def split(fields: NDArray[np.void]) -> list[bytes]:
    """Return the bytes of each row."""
    content, width = fields.tobytes(), fields.dtype.itemsize
    return [content[start : start + width] for start in range(0, len(content), width)]

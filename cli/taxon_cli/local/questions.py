"""What the command asks the server it has started: one row of the table, with each API."""

from collections.abc import Sequence
from typing import Any

from taxon_bundle.codec import Codec, Value
from taxon_contracts import v2
from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import FeatureType

DATATYPES: dict[FeatureType, v2.Datatype] = {
    "Numeric": "FP64",
    "Boolean": "BOOL",
    "Categorical": "BYTES",
}
LARGEST_SHOWN_WHOLE = 1e15


def telling(rows: Sequence[Sequence[Value]], features: Sequence[SignatureFeature]) -> list[Value]:
    """Return the row that shows most of how values are sent: a gap, but not more gaps than needed.

    Rows with a category that no training row had are the last choice: they are made up.

    Args:
        rows: rows as a client writes them; at least one.
        features: the features they are of.
    """

    def rank(row: Sequence[Value]) -> tuple[bool, int]:
        unseen = any(
            feature.type == "Categorical" and value is not None and value not in feature.categories
            for feature, value in zip(features, row, strict=True)
        )
        gaps = sum(value is None for value in row)
        return unseen, gaps or len(row) + 1

    return [_whole(value) for value in min(rows, key=rank)]


def plain_question(row: Sequence[Value], features: Sequence[SignatureFeature]) -> dict[str, Value]:
    """Return a row as a request to ``/predict``."""
    return {feature.name: value for feature, value in zip(features, row, strict=True)}


def v2_question(row: Sequence[Value], codec: Codec, *, identifier: str) -> dict[str, Any]:
    """Return a row as a request of the Open Inference Protocol.

    A row of numbers is one matrix; any other is a tensor per feature.
    """
    if codec.is_numeric:
        inputs = [
            {"name": v2.INPUT_NAME, "shape": [1, len(row)], "datatype": "FP64", "data": [*row]}
        ]
    else:
        inputs = [
            {
                "name": feature.name,
                "shape": [1],
                "datatype": DATATYPES[feature.type],
                "data": [value],
            }
            for feature, value in zip(codec.features, row, strict=True)
        ]
    return {"id": identifier, "inputs": inputs}


def _whole(value: Value) -> Value:
    """Return a number without its fraction where that is zero, as most tables have it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_SHOWN_WHOLE:
        return int(value)
    return value

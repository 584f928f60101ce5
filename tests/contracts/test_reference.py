"""The profile of a bundle: read whatever release wrote it, and never in part by accident."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from taxon_contracts.reference import Confidence, Nominal, Ordered, Reference, read_reference

LENGTH: dict[str, Any] = {
    "name": "length",
    "kind": "Ordered",
    "rows": 5,
    "missing": 1,
    "edges": [0.0, 5e-324, 1.0, 1.0000000000000002],
    "counts": [0, 3, 0, 1, 0],
    "mean": 0.25,
    "std": 0.433012702,
    "min": 0.0,
    "max": 1.0,
    "importance": 0.12,
}
ISLAND: dict[str, Any] = {
    "name": "island",
    "kind": "Nominal",
    "rows": 5,
    "missing": 0,
    "categories": ["Biscoe", "Dream"],
    "counts": [3, 2],
    "other": 0,
    "unseen": 0,
    "importance": 0.05,
}
WRITTEN: dict[str, Any] = {
    "format": 2,
    "columns": [LENGTH, ISLAND],
    "confidence": {"edges": [0.8], "rows": [2, 3], "right": [1, 3]},
    "shiftError": 0.011,
    "outOfFoldRows": 5,
}
OLD_PROFILE = {"edges": [0.0, 1.0], "counts": [4], "mean": 0.5, "std": 1, "min": 0, "max": 1}


def read(document: Any) -> Reference:
    """Return the profile in a document."""
    found = read_reference(json.dumps(document).encode())
    assert found is not None
    return found


def test_a_profile_is_read_as_it_was_written() -> None:
    """Byte for byte, the smallest numbers too."""
    content = read(WRITTEN).encode()

    assert json.loads(content) == WRITTEN
    assert read(json.loads(content)).encode() == content


@pytest.mark.parametrize(
    "document",
    [
        {"length": OLD_PROFILE},
        {"length": OLD_PROFILE, "format": OLD_PROFILE},
        {"columns": OLD_PROFILE},
        {},
    ],
    ids=["a feature", "called format", "called columns", "nothing"],
)
def test_a_profile_of_an_earlier_release_is_none(document: Any) -> None:
    """It has no bins beyond the training rows: drift cannot be told from it."""
    assert read_reference(json.dumps(document).encode()) is None


def test_what_a_newer_release_added_is_ignored() -> None:
    """A field anywhere, and a column of a kind of its own."""
    newer = json.loads(json.dumps(WRITTEN))
    for place in (newer, newer["columns"][0], newer["confidence"]):
        place["fieldOfANewerRelease"] = [1]
    newer["columns"].append({"name": "when", "kind": "Periodic", "period": 7})

    assert read(newer) == read(WRITTEN)


def test_a_newer_format_asks_for_an_upgrade() -> None:
    """What its bins mean is not known here."""
    with pytest.raises(ValueError, match="upgrade Taxon here"):
        read(WRITTEN | {"format": 3})


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b'{"format": 2}'])
def test_what_is_no_profile_is_an_error(content: bytes) -> None:
    """It is not taken for an earlier release's."""
    with pytest.raises(ValueError, match=r".+"):
        read_reference(content)


def test_a_version_without_out_of_fold_predictions_has_columns_alone() -> None:
    """And says so by the number of rows."""
    found = read({"format": 2, "columns": [LENGTH], "outOfFoldRows": 0})

    assert (found.confidence, found.shift_error, found.out_of_fold_rows) == (None, None, 0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"edges": [0.0, 0.0, 1.0, 2.0]}, "edges ascend"),
        ({"edges": [0.0, 1.0]}, "one bin more than edges"),
        ({"counts": [0, 3, 0, 2, 0]}, "every row that has a value"),
        ({"importance": -0.1}, "greater than or equal to 0"),
    ],
)
def test_an_ordered_column_adds_up(change: dict[str, Any], sentence: str) -> None:
    """Who writes a profile cannot write a wrong one."""
    with pytest.raises(ValidationError, match=sentence):
        Ordered.model_validate(LENGTH | change)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"counts": [5]}, "one count for each category"),
        ({"other": 1}, "every row that has a value"),
        ({"categories": [str(n) for n in range(51)]}, "at most 50"),
    ],
)
def test_a_nominal_column_adds_up(change: dict[str, Any], sentence: str) -> None:
    """Who writes a profile cannot write a wrong one."""
    with pytest.raises(ValidationError, match=sentence):
        Nominal.model_validate(ISLAND | change)


@pytest.mark.parametrize(
    ("rows", "right", "sentence"),
    [
        ((2, 3), (1, 4), "more right answers than rows"),
        ((2, 3), (1,), "a number of right answers"),
        ((5,), (1,), "one bin more than edges"),
    ],
)
def test_confidence_adds_up(rows: tuple[int, ...], right: tuple[int, ...], sentence: str) -> None:
    """Who writes a profile cannot write a wrong one."""
    with pytest.raises(ValidationError, match=sentence):
        Confidence(edges=(0.8,), rows=rows, right=right)

"""Rows are read some at a time and mean what they mean in one piece."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxon_model_server.rest import json_rows
from taxon_model_server.rest.json_rows import NoRows, read_rows

NAMES = st.sampled_from(["length", "a}b", "[cm]", '"rows": [', "\\", '\\"}', "},{", "ä]"])
ROWS = st.lists(
    st.dictionaries(NAMES, st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)), max_size=30
)
OTHERS = st.dictionaries(st.text(max_size=3), ROWS | st.text(max_size=5), max_size=2)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\r\n\t")])


def read(body: bytes) -> tuple[bool, list[Any]]:
    """Return whether rows are in an object, and the rows, read in pieces of a few bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows, "PIECE_BYTES", 10)
        rows = read_rows(body)
        return rows.in_object, [row for piece in rows.pieces for row in piece]


@settings(max_examples=300, deadline=None)
@given(ROWS, OTHERS, SEPARATORS, st.sampled_from(["list", "first", "last"]))
def test_rows_are_the_ones_json_reads(
    rows: list[Any], others: dict[str, Any], separators: Any, form: str
) -> None:
    """Whatever the names hold, and whatever is beside them, the rows are all read."""
    others.pop("rows", None)
    document = {
        "list": rows,
        "first": {"rows": rows, **others},
        "last": {**others, "rows": rows},
    }[form]
    body = json.dumps(document, separators=separators, ensure_ascii=len(rows) % 2 == 0).encode()

    assert read(body) == (form != "list", rows)


@pytest.mark.parametrize(
    "body",
    [
        b'[{"a": 1111111},, {"a": 1}]',
        b'[{"a": 1111111}, {"a": 1},]',
        b'[{"a": 1111111}, {"a": 1}',
        b'[{"a": 1111111} {"a": 1}]',
        b'[{"a": 1111111}, {"a": 1}]]',
        b'[{"a": 1111111}, {"a": 1}] x',
        b'{"rows": [{"a": 1111111}], "a"}',
        b'{"rows": [{"a": 1111111}]',
        b'[{"a": "1111111}, {}]',
        b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """Text that JSON does not allow is refused at every seam between two pieces as well."""
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own sentence differs
        read(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows": {"a": 1111111}}',
        b'{"row": [{"a": 1111111}]}',
        b'"a text of some length"',
        b'{"deep": {"rows": [{"a": 1}]}}',
    ],
)
def test_what_holds_no_list_of_rows_is_recognized(body: bytes) -> None:
    """JSON without rows where they belong is refused as that."""
    with pytest.raises(NoRows):
        read(body)


@pytest.mark.parametrize("body", [b"[", b'{"rows":['])
def test_a_row_without_end_is_refused(body: bytes) -> None:
    """A row of megabytes is refused before it becomes objects."""
    entries = b",".join(b'"%x":1' % place for place in range(2**18))
    with pytest.raises(ValueError, match="a row has more than"):
        read(body + b"{" + entries)

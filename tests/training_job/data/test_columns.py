"""What a column holds: numbers, booleans or categories, in either format; or why it is none."""

import csv
import io
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from taxon_contracts.resource import FeatureType
from taxon_training_job.data.columns import Cells, Column, column_as, found_column
from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.left_out import LeftOut
from taxon_training_job.data.parquet_table import parquet_columns

NAN = float("nan")


def from_csv(cells: Sequence[str], *, as_text: bool = False) -> Cells:
    """Return a column of a CSV file, cells written as they are (quoted)."""
    content = io.StringIO()
    csv.writer(content, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [("c", "label"), *((cell, "a") for cell in cells)]
    )
    frame, _ = csv_columns(content.getvalue().encode(), "label", ["c"] if as_text else [])
    return Cells("c", frame["c"])


def from_parquet(values: pa.Array, *, as_text: bool = False) -> Cells:
    """Return a column of a Parquet file."""
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"c": values}), buffer)
    frame, _ = parquet_columns(buffer.getvalue(), "label", ["c"] if as_text else [])
    return Cells("c", frame["c"])


def shown(column: Column | LeftOut) -> Any:
    """Return a column's type and values as a person writes them, or why it is left out."""
    if isinstance(column, LeftOut):
        return column.why
    kept = [None if math.isnan(value) else value for value in column.values.tolist()]  # noqa: PD011 - no frame
    if column.type == "Categorical":
        return column.type, [v if v is None else column.categories[int(v)] for v in kept]
    return column.type, kept


LONG = "123456789012345678901"
F32 = float(np.float32(0.1))
WRITTEN: dict[str, tuple[list[str], Any]] = {
    "integers": (["1", "-2", "03"], ("Numeric", [1, -2, 3])),
    "numbers": (["1", " 2.5 ", "1e3"], ("Numeric", [1, 2.5, 1000])),
    "integers of any length": (
        ["123456789012345678901", "2"],
        ("Numeric", [1.2345678901234568e20, 2]),
    ),
    "numbers with gaps": (["1", "", " ", "NaN", "n/a "], ("Numeric", [1, None, None, None, None])),
    "the infinite": (["1", "inf"], ("Numeric", [1, math.inf])),
    "booleans": (["True", "false", "TRUE"], ("Boolean", [1, 0, 1])),
    "booleans with gaps": (["tRuE", "", "False ", "?"], ("Boolean", [1, None, 0, None])),
    "one boolean": (["false", "false"], ("Boolean", [0, 0])),
    "text": (["b", "a", "b"], ("Categorical", ["b", "a", "b"])),
    "text with gaps": (["a", "", " \t", "None", "-"], ("Categorical", ["a", *[None] * 4])),
    "trailing spaces": (["a ", "a", " a"], ("Categorical", ["a", "a", "a"])),
    "case": (["a", "A"], ("Categorical", ["a", "A"])),
    "forms of Unicode": (["Åbo", "A\u030abo", "Å"], ("Categorical", ["Åbo", "Åbo", "Å"])),
    "other writing": (["日本", "é", "日本"], ("Categorical", ["日本", "é", "日本"])),
    "text and numbers": (["1", "x", "y", "01"], ("Categorical", ["1", "x", "y", "01"])),
    "booleans and text": (["true", "maybe"], ("Categorical", ["true", "maybe"])),
    "booleans and numbers": (["true", "1"], ("Categorical", ["true", "1"])),
    "a bad cell": (["1", "2", "x", "4"], "numeric but for 1 of 4 cells, in row 3"),
    "nothing": (["", " ", "NA"], "every cell is missing"),
    "only empty cells": (["", ""], "every cell is missing"),
    "dates": (["2026-01-31", "2026-12-01", "later"], "dates or times"),
    "times": (
        ["2026-01-31T23:59", "2026-01-31 23:59:01.5", "2026-01-31T23:59:00+01:00", ""],
        "dates or times",
    ),
    "no dates": (["2026-13-01", "2026-01-32"], ("Categorical", ["2026-13-01", "2026-01-32"])),
    "few dates": (["2026-01-31", "a"], ("Categorical", ["2026-01-31", "a"])),
    "a long text": (["a", "b" * 257], "text longer than 256 characters"),
    "the longest category": (["a", "b" * 256], ("Categorical", ["a", "b" * 256])),
    "free text": ([f"t{n}" for n in range(101)] + ["t0"] * 100, "free text"),
}


@pytest.mark.parametrize("read", [from_csv, lambda cells: from_parquet(pa.array(cells))])
@pytest.mark.parametrize("case", WRITTEN)
def test_text_is_what_it_holds(case: str, read: Any) -> None:
    """Of either format; missing words, blanks, space and Unicode forms are read in one way."""
    cells, expected = WRITTEN[case]

    assert shown(found_column(read(cells))) == expected


def test_many_texts_are_categories_where_they_repeat() -> None:
    """Half of the present rows may have one of their own, whatever their number."""
    texts = [f"t{n}" for n in range(101)] + ["t0"] * 101

    assert shown(found_column(from_csv([*texts, *[""] * 500])))[0] == "Categorical"
    assert shown(found_column(from_csv(texts[:-1]))) == "free text"
    assert shown(found_column(from_csv(texts[:100])))[0] == "Categorical"


TYPED: dict[str, tuple[pa.Array, Any]] = {
    "integers": (pa.array([1, -2], pa.int8()), ("Numeric", [1, -2])),
    "nullable integers": (pa.array([1, None], pa.int64()), ("Numeric", [1, None])),
    "unsigned integers": (pa.array([2**64 - 1], pa.uint64()), ("Numeric", [2.0**64])),
    "floats": (pa.array([0.1, NAN, None], pa.float32()), ("Numeric", [F32, None, None])),
    "decimals": (pa.array([Decimal("0.10"), None]), ("Numeric", [0.1, None])),
    "booleans": (pa.array([True, False]), ("Boolean", [1, 0])),
    "nullable booleans": (pa.array([True, None]), ("Boolean", [1, None])),
    "a dictionary": (
        pa.array(["b", "a", None]).dictionary_encode(), ("Categorical", ["b", "a", None]),
    ),
    "a dictionary of digits": (
        pa.array(["01", "1"]).dictionary_encode(), ("Categorical", ["01", "1"]),
    ),
    "a dictionary of booleans": (
        pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array([True, False])),
        ("Boolean", [1, 0, None]),
    ),
    "a dictionary of words for missing": (
        pa.array(["a", "?"]).dictionary_encode(), ("Categorical", ["a", None]),
    ),
    "views of text": (pa.array(["a", "b"], pa.string_view()), ("Categorical", ["a", "b"])),
    "nothing but nulls": (pa.nulls(2), "every cell is missing"),
    "nothing but NaN": (pa.array([NAN, NAN]), "every cell is missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", TYPED)
def test_a_typed_column_is_of_its_type(case: str) -> None:
    """Null and NaN are missing; the texts of a dictionary are categories."""
    values, expected = TYPED[case]

    assert shown(found_column(from_parquet(values))) == expected


@pytest.mark.parametrize(
    ("values", "texts"),
    [([10, None, 9], ["10", None, "9"]), ([2.0, 0.5], ["2", "0.5"]), (["01", "1"], ["01", "1"])],
)
def test_a_pandas_categorical_is_categorical(values: list[Any], texts: list[Any]) -> None:
    """Whatever its categories are; Parquet itself only keeps a dictionary of text."""
    buffer = io.BytesIO()
    pd.DataFrame({"c": pd.Categorical(values)}).to_parquet(buffer)
    frame, _ = parquet_columns(buffer.getvalue(), "label")

    assert shown(found_column(Cells("c", frame["c"]))) == ("Categorical", texts)


OTHER: dict[str, tuple[pa.Array, str]] = {
    "bytes": (pa.array([b"a"]), "binary data"),
    "bytes of one size": (pa.array([b"a"], pa.binary(1)), "binary data"),
    "a dictionary of bytes": (pa.array([b"a"]).dictionary_encode(), "binary data"),
    "dates": (pa.array([date(2026, 1, 1)]), "dates or times"),
    "times": (pa.array([datetime(2026, 1, 1, tzinfo=UTC)]), "dates or times"),
    "times of an unknown zone": (
        pa.array([datetime(2026, 1, 1)], pa.timestamp("us", tz="Mars/Phobos")),  # noqa: DTZ001 - Arrow adds the zone
        "dates or times",
    ),
    "durations": (pa.array([1], pa.duration("s")), "dates or times"),
    "lists": (pa.array([[1.0]]), "nested values"),
    "records": (pa.array([{"a": 1}]), "nested values"),
}


@pytest.mark.parametrize("case", OTHER)
def test_a_column_of_another_kind_is_named_with_what_it_holds(case: str) -> None:
    """No value of it is looked at."""
    values, why = OTHER[case]
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"c": values, "x": [1]}), buffer)

    assert parquet_columns(buffer.getvalue(), "label")[1] == {"c": why}


NAMED: dict[str, tuple[Cells, FeatureType, Any]] = {
    "digits of a CSV": (
        from_csv(["01234", "1234", "1.0", "", "1e3"], as_text=True),
        "Categorical",
        ("Categorical", ["01234", "1234", "1.0", None, "1e3"]),
    ),
    "quoted and plain": (
        from_csv(["1", "1"], as_text=True), "Categorical", ("Categorical", ["1", "1"]),
    ),
    "numbers of a Parquet": (
        from_parquet(pa.array([2.0, 2.5, None, 7])),
        "Categorical",
        ("Categorical", ["2", "2.5", None, "7"]),
    ),
    "long integers of a Parquet": (
        from_parquet(pa.array([2**53 + 1, None]), as_text=True),
        "Categorical",
        ("Categorical", ["9007199254740993", None]),
    ),
    "booleans as categories": (
        from_parquet(pa.array([True, None])), "Categorical", ("Categorical", ["True", None]),
    ),
    "numeric but for a cell": (
        from_csv(["1", "2", "x", "03"], as_text=True),
        "Categorical",
        ("Categorical", ["1", "2", "x", "03"]),
    ),
    "an identifier": (
        from_csv([f"t{n}" for n in range(300)]),
        "Categorical",
        ("Categorical", [f"t{n}" for n in range(300)]),
    ),
    "0 and 1": (from_csv(["0", "1.0", ""]), "Boolean", ("Boolean", [0, 1, None])),
    "0, 1 and words": (
        from_csv(["0", "true", "1", "False"]), "Boolean", ("Boolean", [0, 1, 1, 0]),
    ),
    "booleans as numbers": (from_csv(["true", "", "false"]), "Numeric", ("Numeric", [1, None, 0])),
    "a dictionary as numbers": (
        from_parquet(pa.array(["1", "02"]).dictionary_encode()), "Numeric", ("Numeric", [1, 2]),
    ),
    "every cell missing": (from_csv(["", "?"]), "Boolean", ("Boolean", [None, None])),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMED)
def test_a_named_type_is_taken_where_the_cells_allow_it(case: str) -> None:
    """Text of a CSV file stays as it is written; numbers have one way of writing."""
    cells, kind, expected = NAMED[case]

    assert shown(column_as(cells, kind)) == expected


UNFIT: dict[str, tuple[Cells, FeatureType, str, str]] = {
    "text as numbers": (from_csv(["a", "b"]), "Numeric", "NonNumericFeature", "text"),
    "few bad cells as numbers": (
        from_csv(["1", "x", "3"]),
        "Numeric",
        "NonNumericFeature",
        "numeric but for 1 of 3 cells, in row 2",
    ),
    "numbers as booleans": (
        from_csv(["1", "2", "0", "-1"]),
        "Boolean",
        "NonBooleanFeature",
        "neither true nor false in 2 rows (2, 4)",
    ),
    "words as booleans": (
        from_csv(["yes", "true"]),
        "Boolean",
        "NonBooleanFeature",
        "neither true nor false in row 1",
    ),
    "dates as categories": (
        from_csv(["2026-01-01"] * 2), "Categorical", "UnsupportedFeature", "dates or times",
    ),
    "dates as numbers": (
        from_csv(["2026-01-01"] * 2), "Numeric", "UnsupportedFeature", "dates or times",
    ),
    "free text as booleans": (
        from_csv([f"t{n}" for n in range(300)]), "Boolean", "UnsupportedFeature", "free text",
    ),
    "long texts as categories": (
        from_csv(["a" * 257]),
        "Categorical",
        "UnsupportedFeature",
        "text longer than 256 characters",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNFIT)
def test_a_named_type_is_refused_where_the_cells_are_not_of_it(case: str) -> None:
    """With the reason a run ends for, and without the cells."""
    cells, kind, reason, why = UNFIT[case]
    found = column_as(cells, kind)

    assert isinstance(found, LeftOut)
    assert (found.reason, found.why) == (reason, why)


ODD_CELLS = (
    *("", " ", "a", "a ", "A", "1", "01", " 1", "1.50", "-0.0", "1e5", "NaN", "nan ", "?", "-"),
    *("True", "false ", "TRUE", "inf", "é", "e\u0301", "2026-01-01", "+1", "1_0", "0x1", "null"),
    *("9" * 25, "\u00a0x\u2003", "Infinity", "1,5", 'say "x"', "a\nb", "\r"),
)
ODD = st.lists(
    st.one_of(
        st.sampled_from(ODD_CELLS),
        st.integers().map(str),
        st.floats(allow_nan=False).map(repr),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
    ),
    min_size=1,
    max_size=12,
)
TYPES: tuple[FeatureType, ...] = ("Numeric", "Categorical", "Boolean")


@given(ODD)
@settings(max_examples=300, deadline=None)
def test_odd_cells_are_read_alike_in_both_formats(cells: list[str]) -> None:
    """Whatever is written, found and as every type."""
    csv_text, typed = from_csv(cells, as_text=True), from_parquet(pa.array(cells))

    assert shown(found_column(from_csv(cells))) == shown(found_column(typed))
    for kind in TYPES:
        assert shown(column_as(csv_text, kind)) == shown(column_as(typed, kind))


@given(
    st.lists(
        st.decimals(
            allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=12
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=50, deadline=None)
def test_decimals_are_the_nearest_doubles(decimals: list[Decimal]) -> None:
    """Arrow's own conversion misses some by a bit."""
    series = from_parquet(pa.array([*decimals, None], pa.decimal128(38, 12))).series

    assert series.tolist()[:-1] == [float(value) for value in decimals]
    assert math.isnan(series.iloc[-1])


def test_a_column_that_changes_far_down_is_read_as_a_whole() -> None:
    """A large file is read part by part; what is written in the first part is not lost."""
    cells = ["007"] * 60_000 + ["x"] * 61_000
    column = found_column(from_csv(cells))

    assert isinstance(column, Column)
    assert column.categories == ("007", "x")
    assert found_column(from_csv(["1"] * 120_000 + ["true"])) == LeftOut(
        "c",
        "numeric but for 1 of 120001 cells, in row 120001",
        doubtful=True,
        reason="NonNumericFeature",
    )

"""Which columns become features; every other one is reported with why, and without its cells."""

import csv
import io
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from support.training import small_identity

from taxon_training_job.data.columns import numeric_rows
from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.examples import examine
from taxon_training_job.data.left_out import MOST_REPORTED, LeftOut, doubts, reported
from taxon_training_job.data.parquet_table import parquet_columns
from taxon_training_job.data.table import Table
from taxon_training_job.failure import RunFailed

DIGEST = "sha256:" + "0" * 64
ROWS = 40


def csv_table(**columns: Any) -> Table:
    """Return a CSV table of ``x``, ``label`` and these columns, cells written as they are."""
    columns = {"x": range(ROWS), "label": ["no", "yes", "no", "yes"] * 10, **columns}
    lines = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    frame, other = csv_columns("\n".join(lines).encode(), "label")
    return Table(frame, DIGEST, other)


def parquet_table(**columns: pa.Array) -> Table:
    """Return a Parquet table of ``x``, ``label`` and these columns."""
    rows = len(next(iter(columns.values())))
    given = {"x": pa.array(range(rows)), "label": pa.array(["no", "yes"] * (rows // 2)), **columns}
    buffer = io.BytesIO()
    parquet.write_table(pa.table(given), buffer)
    frame, other = parquet_columns(buffer.getvalue(), "label")
    return Table(frame, DIGEST, other)


def cells(usual: Any, **other: Any) -> list[Any]:
    """Return a column of one cell, but for some rows (``row_3="x"``; the first is 1)."""
    column = [usual] * ROWS
    for row, cell in other.items():
        column[int(row.removeprefix("row_")) - 1] = cell
    return column


def left_out(table: Table) -> list[str]:
    """Return the columns that are left out, with why."""
    return [str(column) for column in examine(table, small_identity()).left_out]


def refusal(table: Table, *features: str) -> RunFailed:
    """Return how a table is refused with these features listed."""
    dataset: dict[str, Any] = {"uri": "s3://samples/small.csv", "target": "label"}
    if features:
        dataset["features"] = [{"name": name} for name in features]
    with pytest.raises(RunFailed) as caught:
        examine(table, small_identity(dataset=dataset))
    return caught.value


BAD_CELL = cells("0.5", row_1="#N/A", row_7="secret")


def test_a_column_that_is_numeric_but_for_few_cells_is_reported_with_their_rows() -> None:
    """It may well be meant as a feature."""
    examples = examine(csv_table(y=BAD_CELL), small_identity())
    (column,) = examples.left_out

    assert examples.features == ("x",)
    assert column.doubtful
    assert str(column) == "'y' (numeric but for 2 of 40 cells, in 2 rows (1, 7))"
    assert doubts(examples.left_out) == f"left out: {column}"


def test_a_listed_column_with_a_bad_cell_is_refused_with_its_row() -> None:
    """The message names the column, the rows and the count, not the cells."""
    failure = refusal(csv_table(y=BAD_CELL), "x", "y")

    assert failure.reason == "NonNumericFeature"
    assert "'y' (numeric but for 2 of 40 cells, in 2 rows (1, 7))" in failure.message
    assert "secret" not in failure.message


def test_the_only_column_with_a_bad_cell_is_named_where_nothing_else_is_numeric() -> None:
    """Otherwise nobody would think of it."""
    table = csv_table(x=cells("a"), y=BAD_CELL)

    assert "'y' (numeric but for 2 of 40 cells" in refusal(table).message


OTHER: dict[str, tuple[pa.Array, str]] = {
    "bytes": (pa.array([b"a", b"\xff"]), "binary data"),
    "bytes of one size": (pa.array([b"a", b"b"], pa.binary(1)), "binary data"),
    "a dictionary of bytes": (pa.array([b"a", b"b"]).dictionary_encode(), "binary data"),
    "times of an unknown zone": (
        pa.array([datetime(2026, 1, 1)] * 2, pa.timestamp("us", tz="Mars/Phobos")),  # noqa: DTZ001 - Arrow adds the zone
        "dates or times",
    ),
    "durations": (pa.array([1, 2], pa.duration("s")), "dates or times"),
    "lists": (pa.array([[1.0], [2.0]]), "nested values"),
    "records": (pa.array([{"a": 1}, {"a": 2}]), "nested values"),
    "nothing": (pa.nulls(2), "every cell is missing"),
    "text": (pa.array(["a", "b"]), "text"),
    "text of numbers": (pa.array(["1", "2"]), "text; every cell is a number: store it as numbers"),
}


@pytest.mark.parametrize("case", OTHER)
def test_a_column_that_is_not_numeric_is_left_out_and_reported(case: str) -> None:
    """Whatever it holds, it does not end a run that does not use it."""
    column, why = OTHER[case]

    assert left_out(parquet_table(column=pa.concat_arrays([column, column]))) == [
        f"'column' ({why})"
    ]


@pytest.mark.parametrize("case", OTHER)
def test_a_listed_column_that_is_not_numeric_is_refused_with_what_it_holds(case: str) -> None:
    """And the run ends for good."""
    column, why = OTHER[case]
    failure = refusal(parquet_table(column=column), "x", "column")

    assert (failure.reason, failure.exit_code) == ("NonNumericFeature", 65)
    assert f"'column' ({why})" in failure.message


def test_the_index_of_a_frame_is_reported() -> None:
    """Pandas writes it beside the columns and marks it."""
    frame = csv_table().frame.rename_axis("customer")
    other = parquet_columns(frame.to_parquet(index=True), "label")[1]

    assert other == {"customer": "the index of a pandas frame"}


def test_columns_that_are_not_listed_are_reported_as_that() -> None:
    """Whatever they hold."""
    dataset = {"uri": "s3://samples/small.csv", "target": "label", "features": [{"name": "x"}]}
    table = csv_table(y=cells(1), note=cells("a"))
    examples = examine(table, small_identity(dataset=dataset))

    assert [str(column) for column in examples.left_out] == [
        "'y' (not listed in features)",
        "'note' (not listed in features)",
    ]


def test_all_features_with_gaps_are_named_at_once() -> None:
    """Empty cells and words for missing ones, each column with its rows."""
    table = csv_table(y=cells(1, row_2=""), z=cells(1.5, row_1="NA", row_9=" n/a "))
    failure = refusal(table)

    assert failure.reason == "MissingValues"
    assert "missing values: 'y' in row 2, 'z' in 2 rows (1, 9); fill them" in failure.message


def test_all_features_of_another_fault_are_named_at_once() -> None:
    """Missing columns, text and infinite values alike."""
    table = csv_table(a=cells("q"), b=cells("q"), c=cells(1, row_2="inf"), d=cells(1, row_3="1e39"))

    assert "'a' (text), 'b' (text)" in refusal(table, "x", "a", "b").message
    assert "no column 'e', 'f'" in refusal(table, "x", "e", "f").message
    assert "'c' in row 2, 'd' in row 3" in refusal(table, "c", "d").message


def test_integers_beyond_64_bits_are_numbers() -> None:
    """To the nearest double, in a column of integers as in one of fractions."""
    long, longer = "123456789012345678901", "-98765432109876543210987"
    table = csv_table(y=cells("2", row_1=long), z=cells("2.5", row_1=long, row_2=longer))
    rows = numeric_rows(table, ("y", "z"))

    assert rows[0].tolist() == [float(long), float(long)]
    assert rows[:3, 1].tolist() == [float(long), float(longer), 2.5]


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
    values = pa.array([*decimals, None], pa.decimal128(38, 12))
    frame = parquet_columns(written(y=values), "label")[0]

    assert frame["y"].tolist()[:-1] == [float(value) for value in decimals]
    assert math.isnan(frame["y"].iloc[-1])


def written(**columns: pa.Array) -> bytes:
    """Return a Parquet file of these columns."""
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def test_a_cell_may_be_longer_than_the_csv_module_allows() -> None:
    """The limit is lifted while a table is read, and not for the rest of the process."""
    before = csv.field_size_limit()
    table = csv_table(note=cells("a", row_3="b" * 200_000))

    assert left_out(table) == ["'note' (text)"]
    assert csv.field_size_limit() == before


def test_booleans_with_a_gap_are_numbers_with_a_gap() -> None:
    """In both formats, so that the row is named."""
    untyped = csv_table(y=cells("True", row_2="False", row_5=""))
    typed = parquet_table(y=pa.array([True, False, None, True]))

    assert "'y' in row 5" in refusal(untyped).message
    assert "'y' in row 3" in refusal(typed).message


def test_rows_keep_their_numbers_when_only_some_are_read() -> None:
    """A champion is asked about the held-out rows; a message names those of the table."""
    table = csv_table(y=cells(1, row_9="")).only(np.array([3, 8, 11]))

    with pytest.raises(RunFailed, match="'y' in row 9"):
        numeric_rows(table, ("x", "y"))


def test_a_result_reports_the_doubtful_columns_first_and_few() -> None:
    """It has to fit a termination message."""
    columns = [
        *(LeftOut(f"c{n}", "text") for n in range(50)),
        LeftOut("y" * 500, "bad", doubtful=True),
    ]
    first, *rest = reported(columns)

    assert (first.name, first.why) == ("y" * 100 + "...", "bad")
    assert len(rest) == MOST_REPORTED - 1

"""Which columns become features; every other one is reported with why, and without its cells."""

import csv
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.training import small_identity

from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.examples import Examples, examine
from taxon_training_job.data.features import columns_as, kinds
from taxon_training_job.data.left_out import MOST_REPORTED, LeftOut, left_out_sentence, reported
from taxon_training_job.data.parquet_table import parquet_columns
from taxon_training_job.data.table import Table
from taxon_training_job.failure import RunFailed

DIGEST = "sha256:" + "0" * 64
ROWS = 40


def csv_table(*as_text: str, **columns: Any) -> Table:
    """Return a CSV table of ``x``, ``label`` and these columns, cells written as they are."""
    columns = {"x": range(ROWS), "label": ["no", "yes", "no", "yes"] * 10, **columns}
    lines = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    frame, other = csv_columns("\n".join(lines).encode(), "label", as_text)
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


def listed(*features: str, **types: str) -> dict[str, Any]:
    """Return a dataset that lists these features, some with their types."""
    typed = [{"name": name, "type": kind} for name, kind in types.items()]
    features_ = [*({"name": name} for name in features), *typed]
    return {"uri": "s3://samples/small.csv", "target": "label", "features": features_}


def examined(table: Table, *features: str, **types: str) -> Examples:
    """Return a table's examples with these features listed."""
    return examine(table, small_identity(dataset=listed(*features, **types)))


def refusal(table: Table, *features: str, **types: str) -> RunFailed:
    """Return how a table is refused with these features listed."""
    with pytest.raises(RunFailed) as caught:
        examined(table, *features, **types)
    return caught.value


BAD_CELL = cells("0.5", row_1="#N/A", row_7="secret")


def test_a_column_that_is_numeric_but_for_few_cells_is_reported_with_their_rows() -> None:
    """It may well be meant as a feature."""
    examples = examine(csv_table(y=BAD_CELL), small_identity())
    (column,) = examples.left_out

    assert examples.features == ("x",)
    assert column.doubtful
    assert str(column) == "'y' (numeric but for 2 of 40 cells, in 2 rows (1, 7))"
    assert left_out_sentence(examples.left_out) == f"left out: {column}"


@pytest.mark.parametrize("types", [{}, {"y": "Numeric"}], ids=str)
def test_a_listed_column_with_a_bad_cell_is_refused_with_its_row(types: dict[str, str]) -> None:
    """The message names the column, the rows and the count, not the cells."""
    failure = refusal(csv_table(y=BAD_CELL), "x", *({"y"} - set(types)), **types)

    assert failure.reason == "NonNumericFeature"
    assert "'y' (numeric but for 2 of 40 cells, in 2 rows (1, 7))" in failure.message
    assert "secret" not in failure.message


def test_a_column_with_a_bad_cell_may_be_listed_as_categories() -> None:
    """Then every text is one."""
    columns = examined(csv_table("y", y=BAD_CELL), "x", y="Categorical").columns

    assert columns[1].categories == ("#N/A", "0.5", "secret")


def test_the_only_column_with_a_bad_cell_is_named_where_there_is_no_other() -> None:
    """Otherwise nobody would think of it."""
    with pytest.raises(RunFailed, match=r"left out: 'y' \(numeric but for 2 of 40 cells"):
        examine(csv_table(x=cells(""), y=BAD_CELL), small_identity())


NO_FEATURES: dict[str, tuple[pa.Array, str]] = {
    "bytes": (pa.array([b"a", b"\xff"]), "binary data"),
    "lists": (pa.array([[1.0], [2.0]]), "nested values"),
    "records": (pa.array([{"a": 1}, {"a": 2}]), "nested values"),
    "dates": (pa.array([1, 2], pa.date32()), "dates or times"),
    "nothing": (pa.nulls(2), "every cell is missing"),
    "long text": (pa.array(["a", "b" * 300]), "text longer than 256 characters"),
    "dates in text": (pa.array(["2026-01-01", "2026-01-02"]), "dates or times"),
}


@pytest.mark.parametrize("case", NO_FEATURES)
def test_a_column_that_is_no_feature_does_not_end_a_run_that_does_not_list_it(case: str) -> None:
    """It is left out and reported."""
    column, why = NO_FEATURES[case]
    examples = examine(parquet_table(c=pa.concat_arrays([column, column])), small_identity())

    assert [*map(str, examples.left_out)] == [f"'c' ({why})"]
    assert left_out_sentence(examples.left_out) == f"left out: 'c' ({why})"


@pytest.mark.parametrize("kind", [None, "Numeric", "Categorical", "Boolean"])
@pytest.mark.parametrize("case", NO_FEATURES)
def test_a_listed_column_that_is_no_feature_is_refused_with_what_it_holds(
    case: str, kind: str | None
) -> None:
    """Whatever type it is listed with; the run ends for good."""
    column, why = NO_FEATURES[case]
    names, types = (["x", "c"], {}) if kind is None else (["x"], {"c": kind})
    failure = refusal(parquet_table(c=column), *names, **types)
    expected = "MissingValues" if case == "nothing" else "UnsupportedFeature"

    assert (failure.reason, failure.exit_code) == (expected, 65)
    assert f"'c' ({why})" in failure.message


def test_the_index_of_a_frame_is_reported() -> None:
    """Pandas writes it beside the columns and marks it."""
    frame = csv_table().frame.rename_axis("customer")
    other = parquet_columns(frame.to_parquet(index=True), "label")[1]

    assert other == {"customer": "the index of a pandas frame"}


def test_columns_that_are_not_listed_are_reported_as_that_and_not_in_the_message() -> None:
    """Whatever they hold: a person has left them out."""
    examples = examined(csv_table(y=cells(1), note=BAD_CELL), "x")

    assert [*map(str, examples.left_out)] == [
        "'y' (not listed in features)",
        "'note' (not listed in features)",
    ]
    assert left_out_sentence(examples.left_out) == ""


def test_all_features_of_a_fault_are_named_at_once() -> None:
    """Missing columns, text and infinite values alike."""
    table = csv_table(a=cells("q"), b=cells("q"), c=cells(1, row_2="inf"), d=cells(1, row_3="1e39"))

    assert "'a' (text), 'b' (text)" in refusal(table, a="Numeric", b="Numeric").message
    assert "no column 'e', 'f'" in refusal(table, "x", "e", f="Boolean").message
    assert "'c' in row 2, 'd' in row 3" in refusal(table, "c", "d").message


def test_names_that_differ_in_case_are_different_features() -> None:
    """As any other names."""
    table = csv_table(Port=cells("a", row_1="b"), port=cells("a", row_2="b"))

    assert examine(table, small_identity()).features == ("x", "Port", "port")
    assert examined(table, "port").features == ("port",)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Port", "'Port' (it has 'port'): correct features"),
        (
            "e\u0301tage",
            "(it has one of another form of Unicode, or with spaces): correct features",
        ),
        ("port ", "'port ' (it has one of another form of Unicode, or with spaces): correct"),
        ("harbour", "'harbour': correct features"),
    ],
)
def test_a_name_that_is_almost_a_columns_gets_a_hint(name: str, hint: str) -> None:
    """A person cannot see the difference otherwise."""
    table = csv_table(port=cells("a", row_1="b"), étage=cells(1, row_2=2))

    assert hint in refusal(table, "x", name).message


def test_a_category_of_ten_thousand_values_is_a_feature() -> None:
    """Where its values repeat."""
    rows = 20_000
    table = csv_table(
        x=range(rows), label=["a", "b"] * (rows // 2), c=[f"v{n % 10_000}" for n in range(rows)]
    )
    (_, column) = examine(table, small_identity()).columns

    assert (column.type, len(column.categories)) == ("Categorical", 10_000)


def test_a_listed_type_is_the_features() -> None:
    """Others are found; the order is the list's."""
    table = csv_table("zip", zip=cells("01234"), member=cells(1), port=cells("a", row_1=""))
    examples = examined(table, "port", zip="Categorical", member="Boolean", x="Numeric")

    assert [(one.name, one.type) for one in examples.columns] == [
        ("port", "Categorical"),
        ("zip", "Categorical"),
        ("member", "Boolean"),
        ("x", "Numeric"),
    ]
    assert kinds(examples.columns) == {
        "categorical": 2, "boolean": 1, "numeric": 1, "with_gaps": 1,
    }  # fmt: skip


def test_a_cell_may_be_longer_than_the_csv_module_allows() -> None:
    """The limit is lifted while a table is read, and not for the rest of the process."""
    before = csv.field_size_limit()
    table = csv_table(note=cells("a", row_3="b" * 200_000))

    assert [*map(str, examine(table, small_identity()).left_out)] == [
        "'note' (text longer than 256 characters)"
    ]
    assert csv.field_size_limit() == before


def test_rows_keep_their_numbers_when_only_some_are_read() -> None:
    """A champion is asked about the held-out rows; a message names those of the table."""
    table = csv_table(y=cells(1, row_9="bad")).only(np.array([3, 8, 11]))

    with pytest.raises(RunFailed, match=r"'y' \(numeric but for 1 of 3 cells, in row 9"):
        columns_as(table, {"x": "Numeric", "y": "Numeric"})


def test_a_result_reports_the_doubtful_columns_first_and_few() -> None:
    """It has to fit a termination message."""
    columns = [
        LeftOut("listed", "not listed in features"),
        *(LeftOut(f"c{n}", "free text", reason="UnsupportedFeature") for n in range(50)),
        LeftOut("y" * 500, "bad", doubtful=True, reason="NonNumericFeature"),
    ]
    first, *rest = reported(columns)
    long = "y" * 100 + "..."

    assert (first.name, first.why) == (long, "bad")
    assert len(rest) == MOST_REPORTED - 1
    assert left_out_sentence(columns) == (
        f"left out: '{long}' (bad), 'c0' (free text), 'c1' (free text), 'c2' (free text),"
        " 'c3' (free text) and 46 more"
    )

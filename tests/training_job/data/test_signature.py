"""From a table's columns to the inputs of a classifier, its rows, and what identifies a row."""

import io
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from support.training import small_identity

from taxon_bundle.codec import UNSEEN, Codec
from taxon_training_job.data.columns import Cells, Column, column_as
from taxon_training_job.data.csv_table import csv_columns
from taxon_training_job.data.draws import row_draws
from taxon_training_job.data.examples import Examples, examine
from taxon_training_job.data.signature import contents, encoded, signature
from taxon_training_job.data.split import split
from taxon_training_job.data.table import Table

NAN = float("nan")


def categorical(*cells: str | None) -> Column:
    """Return a column of categories, cells as a CSV file has them."""
    column = column_as(Cells("c", pd.Series(cells, dtype="str")), "Categorical")
    assert isinstance(column, Column)
    return column


def numeric(*values: float) -> Column:
    """Return a column of numbers."""
    return Column("n", "Numeric", np.array(values))


def test_categories_are_those_of_the_training_rows() -> None:
    """The most frequent first, then in sorted order; others are unseen, as at serving."""
    column = categorical("b", "c", "a", "c", "late", None)
    (feature,) = signature([column], np.array([0, 1, 2, 3, 5]), None)

    assert feature.categories == ("c", "a", "b")
    np.testing.assert_array_equal(
        encoded([column], Codec([feature]))[:, 0], [2, 0, 1, 0, UNSEEN, NAN]
    )


def test_a_column_that_varies_in_held_out_rows_only_is_fitted() -> None:
    """Another split would not drop it, and a client may well vary it."""
    (feature,) = signature([numeric(1, 1, 2)], np.array([0, 1]), None)

    assert not feature.dropped


def test_gaps_in_held_out_rows_only_are_accepted() -> None:
    """They are gaps of the table."""
    (feature,) = signature([numeric(1, 2, NAN)], np.array([0, 1]), None)

    assert feature.gaps


ODD = st.text(
    st.one_of(
        st.sampled_from(" \t\u00a0\u2003aA1.-?\u0301\u00e9e\u212b\uac00\u1100\u1161"),
        st.characters(codec="utf-8", exclude_characters="\0"),
    ),
    max_size=6,
)


@given(st.lists(st.one_of(ODD, st.sampled_from(["NaN", " n/a", "NULL", "x"])), min_size=1))
@settings(max_examples=300, deadline=None)
def test_a_cells_text_is_the_same_category_at_training_and_at_serving(cells: list[str]) -> None:
    """Whatever a cell has; half of the rows are held out."""
    column = categorical(*cells)
    codec = Codec(signature([column], np.arange(0, len(cells), 2), None))

    trained = encoded([column], codec)[:, 0].tolist()
    served = [codec.encode(0, cell) for cell in cells]
    np.testing.assert_array_equal(trained, served)
    assert not {UNSEEN} & set(trained[::2])


def test_numbers_identify_themselves() -> None:
    """So the split of a table of numbers is that of earlier releases."""
    columns = [numeric(1.5, -2), numeric(0, 3)]

    assert contents(columns).tobytes() == np.array([[1.5, 0], [-2, 3]]).tobytes()


def test_a_new_category_does_not_change_what_identifies_the_others() -> None:
    """Nor do the number and order of the rows."""
    before = contents([categorical("b", "d", None, "b")])
    after = contents([categorical("a", None, "b", "c", "d")])

    assert before.tobytes() == after[[2, 4, 1, 2]].tobytes()


def mixed(rows: int, seed: int) -> pd.DataFrame:
    """Return numbers, categories and booleans with gaps."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame({
        "port": generator.choice(["Cork", "Åbo", ""], rows),
        "age": generator.normal(40, 10, rows).round(1),
        "member": generator.choice(["true", "false", "NA"], rows),
        "label": generator.choice(["no", "yes"], rows),
    })  # fmt: skip


def examined(table: pd.DataFrame) -> Examples:
    """Return the examples of a table, as a CSV file."""
    frame, other = csv_columns(table.to_csv(index=False).encode(), "label")
    return examine(Table(frame, "sha256:" + "0" * 64, other), small_identity())


def held_out(table: pd.DataFrame) -> Any:
    """Return which rows of a table are held out."""
    one = examined(table)
    sides = split(
        one.contents, one.target, one.classes, one.features, fraction=0.2, folds=2, seed=42
    )
    return np.isin(np.arange(len(table)), sides.test)


def test_a_table_that_grows_by_a_category_keeps_every_row_on_its_side() -> None:
    """No row that a champion was fitted on is held out later."""
    before, added = mixed(300, 1), mixed(50, 2).assign(port="Aarhus")
    grown = pd.concat([added, before], ignore_index=True)

    assert np.array_equal(held_out(grown)[50:], held_out(before))


def test_a_row_has_one_draw_however_its_gaps_and_categories_are_written() -> None:
    """Spaces, words for missing and Unicode forms make no other row."""
    one = pd.DataFrame({"p": ["Åbo", "x", ""], "n": ["1", "", "2"], "label": list("abb")})
    other = one.assign(p=["A\u030abo ", " x", "?"], n=["1.0", "NaN", " 2"])
    first, second = (row_draws(examined(table).contents, ("p", "n"), 42) for table in (one, other))

    assert np.array_equal(first, second)
    assert len(set(first)) == 3


def test_the_bytes_of_a_mixed_row_are_those_of_its_values() -> None:
    """Missing values have the bits of numpy's NaN, categories a hash of their text."""
    buffer = io.StringIO("p,n,label\nx,1,a\nx,,b\ny,3,a\n")
    rows = examined(pd.read_csv(buffer)).contents

    assert rows[0, 0].tobytes() == rows[1, 0].tobytes() != rows[2, 0].tobytes()
    assert rows[:, 1].tobytes() == np.array([1, np.nan, 3]).tobytes()

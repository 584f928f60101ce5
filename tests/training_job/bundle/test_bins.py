"""Bins hold what a column holds, as PostgreSQL and bisect count it, and lose little of it."""

import math
from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import text

from taxon_datastore.database import engine, transaction
from taxon_training_job.bundle.bins import column_edges, counted, share_edges

GENERATOR = np.random.default_rng(0)
Values = NDArray[np.float64]
COLUMNS: dict[str, Values] = {
    "normal": GENERATOR.normal(size=1000),
    "flag": GENERATOR.integers(0, 2, 500).astype(np.float64),
    "constant": np.full(40, 7.0),
    "mostly zero": np.where(GENERATOR.random(2000) < 0.7, 0.0, GENERATOR.normal(size=2000)),
    "-999 for unknown": np.append(np.full(45, -999.0), GENERATOR.normal(50, 1, 900)),
    "close together": np.linspace(1e9, 1e9 + 0.005, 5000),
    "huge and tiny": np.geomspace(1e-300, 3e38, 700),
    "one": np.array([0.1]),
    "none": np.array([]),
}
NUMBERS = st.floats(-3e38, 3e38).map(lambda number: number + 0.0)
ANY_COLUMN = st.one_of(
    st.lists(NUMBERS, max_size=200),
    st.lists(st.sampled_from([0.0, 0.1, 1.0, 1.0000000000000002, -999.0, 5e-324]), max_size=200),
    st.lists(st.integers(-40, 40).map(float), max_size=300),
)


def histogram(values: Values, edges: Values) -> list[int]:
    """Count values by bisect, as width_bucket(value, edges) does."""
    counts = [0] * (len(edges) + 1)
    for value in values.tolist():
        counts[bisect_right(edges.tolist(), value)] += 1
    return counts


@settings(max_examples=300, deadline=None)
@given(ANY_COLUMN)
def test_every_value_is_in_one_bin_and_none_is_outside(column: list[float]) -> None:
    """The counts are bisect's, edges ascend, and the outer bins are empty."""
    values = np.sort(np.array(column, dtype=np.float64))
    edges = column_edges(values)
    counts = counted(values, edges)

    assert counts == histogram(values, edges)
    assert sum(counts) == len(values)
    assert (np.diff(edges) > 0).all()
    if len(values):
        assert counts[0] == counts[-1] == 0
        assert (edges[0], edges[-1]) == (values[0], math.nextafter(values[-1], math.inf))


@settings(max_examples=200, deadline=None)
@given(ANY_COLUMN.filter(lambda column: len(column) > 0), st.integers(3, 20))
def test_equal_shares_hold_every_value(column: list[float], bins: int) -> None:
    """No bin is empty: the first and the last reach beyond the values."""
    values = np.sort(np.array(column, dtype=np.float64))
    edges = share_edges(values, bins)
    counts = counted(values, edges)

    assert counts == histogram(values, edges)
    assert len(counts) <= bins
    assert min(counts) >= 1


@pytest.mark.parametrize("name", COLUMNS)
def test_postgresql_counts_the_same(database_url: str, name: str) -> None:
    """Its width_bucket reads the edges, the smallest and largest numbers too."""
    values = np.sort(COLUMNS[name])
    edges = column_edges(values)
    query = text(
        "SELECT width_bucket(value, CAST(:edges AS float8[])), count(*)"
        " FROM unnest(CAST(:values AS float8[])) AS value GROUP BY 1"
    )
    with transaction(engine(database_url)) as connection:
        found = connection.execute(query, {"edges": edges.tolist(), "values": values.tolist()})
        by_bin = {row[0]: row[1] for row in found}

    counts = counted(values, edges)
    assert by_bin == {place: count for place, count in enumerate(counts) if count}


@pytest.mark.parametrize("distinct", [1, 2, 31, 32])
def test_few_values_have_a_bin_each(distinct: int) -> None:
    """What is between two of them, however close, is in a bin without training rows."""
    values = np.sort(np.tile(np.arange(distinct) / 10, 3))
    edges = column_edges(values)
    counts = counted(values, edges)

    assert counts == [0, *[3, 0] * distinct]
    between = math.nextafter(0.0, 1)
    assert counts[bisect_right(edges.tolist(), between)] == 0


def test_many_values_have_32_bins_of_equal_shares() -> None:
    """Within two rows of each other."""
    counts = counted(np.arange(1000.0), column_edges(np.arange(1000.0)))

    assert len(counts) == 34
    assert max(counts) - min(counts[1:-1]) <= 2


@pytest.mark.parametrize(("rows", "own"), [(32, True), (30, False)])
def test_a_value_of_a_32nd_of_the_rows_has_its_own_bin(rows: int, *, own: bool) -> None:
    """So that a default such as -999 is seen apart from its neighbours."""
    values = np.sort(np.concatenate([np.full(rows, 500.25), np.arange(1024.0 - rows)]))
    edges = column_edges(values).tolist()

    assert (500.25 in edges and math.nextafter(500.25, 501) in edges) is own


def test_an_edge_has_as_few_digits_as_keep_every_value_in_its_bin() -> None:
    """The counts are those of the exact shares."""
    values = np.sort(COLUMNS["normal"])
    exact = np.quantile(values, np.arange(32) / 32, method="lower")
    ends = [math.nextafter(values[-1], math.inf)]
    edges = column_edges(values)

    assert counted(values, edges) == counted(values, np.append(exact, ends))
    assert max(len(repr(edge).lstrip("-")) for edge in edges[1:-1].tolist()) <= 9


def test_values_that_nine_digits_cannot_tell_apart_have_full_edges() -> None:
    """Rounded, all of them would be in one bin."""
    values = COLUMNS["close together"]
    counts = counted(values, column_edges(values))

    assert max(counts) <= 158

"""Whether a row is held out depends on what is in it, and on nothing that may change around it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from taxon_training_job.data.split import Split, row_draws, split
from taxon_training_job.failure import RunFailed

FEATURES = ("a", "b")


@st.composite
def tables(draw: st.DrawFn, *, least: int = 1) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Draw rows of two features and their classes; few values, so that many rows are equal."""
    values = st.tuples(st.integers(0, 12), st.integers(0, 3), st.integers(0, 2))
    drawn = draw(st.lists(values, min_size=least, max_size=60))
    rows = np.array([(a, b / 4) for a, b, _ in drawn], dtype=np.float64)
    target = np.array([c for _, _, c in drawn], dtype=np.intp)
    return rows, np.unique(target, return_inverse=True)[1].astype(np.intp)


def split_of(rows: Any, target: Any, **changes: Any) -> Split:
    """Return the split with a fraction of 0.2 and whatever is changed."""
    given: dict[str, Any] = {"features": FEATURES, "fraction": 0.2, "folds": 0, "seed": 42}
    classes = tuple(range(int(target.max()) + 1))
    return split(rows, target, classes, **given | changes)


def contents(rows: Any, target: Any, chosen: Any) -> set[tuple[float, ...]]:
    """Return the chosen rows as values, class included."""
    return {(*rows[i].tolist(), int(target[i])) for i in chosen}


@given(tables(), tables(), st.integers(0, 2**31 - 1), st.floats(0.05, 0.5))
@settings(max_examples=300, deadline=None)
def test_no_row_that_was_fitted_on_is_held_out_once_the_table_has_grown(
    before: Any, added: Any, seed: int, fraction: float
) -> None:
    """Not even where a class had nothing below the fraction, or shares features with another."""
    rows, target = before
    grown = np.concatenate([rows, added[0]])
    classes = np.concatenate([target, np.minimum(added[1], target.max())])
    old = split_of(rows, target, seed=seed, fraction=fraction)
    new = split_of(grown, classes, seed=seed, fraction=fraction)

    fitted = contents(rows, target, old.train)
    assert not fitted & contents(grown, classes, new.test)


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_row_keeps_its_side_wherever_it_stands(table: Any, random: Any) -> None:
    """The order of the table is no reason to hold a row out."""
    rows, target = table
    order = list(range(len(rows)))
    random.shuffle(order)
    straight, shuffled = split_of(rows, target), split_of(rows[order], target[order])

    assert contents(rows, target, straight.test) == contents(
        rows[order], target[order], shuffled.test
    )


@given(tables())
@settings(max_examples=200, deadline=None)
def test_duplicates_share_a_side(table: Any) -> None:
    """No row is both fitted on and held out."""
    rows, target = table
    sides = split_of(rows, target)

    assert not contents(rows, target, sides.train) & contents(rows, target, sides.test)
    assert len(sides.train) + len(sides.test) == len(rows)


@given(tables())
@settings(max_examples=200, deadline=None)
def test_every_class_has_a_row_held_out(table: Any) -> None:
    """Small classes get their share."""
    rows, target = table
    sides = split_of(rows, target)

    assert set(target[sides.test]) == set(target)


@given(tables())
@settings(max_examples=100, deadline=None)
def test_duplicates_are_counted_with_their_class(table: Any) -> None:
    """A row of another class is no duplicate."""
    rows, target = table

    distinct = contents(rows, target, range(len(rows)))
    assert split_of(rows, target).duplicates == len(rows) - len(distinct)


@given(tables())
@settings(max_examples=100, deadline=None)
def test_listing_features_in_another_order_moves_no_row(table: Any) -> None:
    """Columns count in the order of their names."""
    rows, target = table
    swapped = split_of(rows[:, ::-1], target, features=("b", "a"))

    assert np.array_equal(swapped.test, split_of(rows, target).test)


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5])
def test_each_class_has_about_the_fraction_held_out(fraction: float) -> None:
    """Within five standard deviations of it, in every class."""
    target = np.repeat([0, 1], [20_000, 2_000])
    rows = np.random.default_rng(0).normal(size=(len(target), 2))
    held_out = target[split_of(rows, target, fraction=fraction).test]

    for index, size in enumerate((20_000, 2_000)):
        spread = 5 * np.sqrt(size * fraction * (1 - fraction))
        assert abs((held_out == index).sum() - size * fraction) < spread


def test_another_seed_gives_another_split() -> None:
    """The seed is part of what is hashed."""
    rows = np.random.default_rng(0).normal(size=(200, 2))
    target = np.zeros(200, dtype=np.intp)

    assert not np.array_equal(
        split_of(rows, target, seed=1).test, split_of(rows, target, seed=2).test
    )


def test_a_lone_row_that_was_held_out_may_go_to_training_later() -> None:
    """When its class gets a row below the fraction, that one is held out instead."""
    rows = np.arange(200, dtype=np.float64).reshape(100, 2)
    draws = row_draws(rows, FEATURES, 42)
    above, below = rows[[int(draws.argmax())]], rows[[int(draws.argmin())]]
    grown = np.concatenate([above, below])

    assert split_of(above, np.array([0])).test.tolist() == [0]
    assert split_of(grown, np.array([0, 0])).test.tolist() == [1]


def test_a_class_with_too_few_rows_for_the_folds_is_named() -> None:
    """The sentence has the numbers and the remedy."""
    target = np.repeat([0, 1], [200, 4])
    rows = np.random.default_rng(0).normal(size=(204, 2))

    with pytest.raises(
        RunFailed, match=r"class 1 has 4 rows and keeps [0-3] .* lower search.folds"
    ):
        split_of(rows, target, folds=5)

"""Whether a row is held out depends on what is in it, and on nothing that may change around it.

Where few different rows make up a table, its repeats are on both sides, each class in its share.
"""

import json
from collections import Counter
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from taxon_training_job.data.draws import row_draws
from taxon_training_job.data.split import Rule, Split, recorded_split, split
from taxon_training_job.failure import RunFailed

FEATURES = ("a", "b")
EARLIER = [4, 7, 11, 12, 23, 28, 33, 35, 36, 37]
"""What 0.1 held out of forty rows, 0 to 79 in two columns."""


@st.composite
def tables(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Draw rows of two features and their classes; some are equal, but not most."""
    values = st.tuples(st.integers(0, 12), st.integers(0, 3), st.integers(0, 2))
    drawn = draw(st.lists(values, min_size=1, max_size=60))
    rows = np.array([(a, b / 4) for a, b, _ in drawn], dtype=np.float64)
    target = np.array([c for _, _, c in drawn], dtype=np.intp)
    target = np.unique(target, return_inverse=True)[1].astype(np.intp)
    undivided(rows, target)
    return rows, target


@st.composite
def few(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Draw a table of 200 to 600 rows, but only 2 to 30 different ones, each of several classes."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    contents, size = draw(st.integers(2, 30)), draw(st.integers(200, 600))
    chosen = generator.choice(contents, size, p=generator.dirichlet(np.full(contents, 5.0)))
    target = generator.integers(0, draw(st.integers(2, 3)), size)
    return np.stack(np.divmod(chosen, 5), axis=1).astype(np.float64), target.astype(np.intp)


def split_of(rows: Any, target: Any, **changes: Any) -> Split:
    """Return the split with a fraction of 0.2 and whatever is changed."""
    given: dict[str, Any] = {"features": FEATURES, "fraction": 0.2, "folds": 0, "seed": 42}
    classes = tuple(range(int(target.max()) + 1))
    return split(rows, target, classes, **given | changes)


def undivided(rows: Any, target: Any, **changes: Any) -> Split:
    """Return the split of a table that can be split by content; draw another table otherwise."""
    try:
        sides = split_of(rows, target, **changes)
    except RunFailed:
        sides = None
    assume(sides is not None and not sides.rule.divided)
    return cast("Split", sides)


def counts(rows: Any, target: Any, chosen: Any) -> dict[tuple[float, ...], int]:
    """Return how often each row is among the chosen, class included."""
    return dict(Counter((*rows[i].tolist(), int(target[i])) for i in chosen))


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
    old = undivided(rows, target, seed=seed, fraction=fraction)
    new = undivided(grown, classes, seed=seed, fraction=fraction)

    fitted = contents(rows, target, old.train)
    assert not fitted & contents(grown, classes, new.test)


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_row_keeps_its_side_wherever_it_is(table: Any, random: Any) -> None:
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
    """A row of another class is not a duplicate."""
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
        RunFailed, match=r"the class of row 201 has 4 rows and keeps [0-3] .* lower search.folds"
    ):
        split_of(rows, target, folds=5)


def test_the_split_of_different_rows_is_that_of_earlier_releases() -> None:
    """Versions and champions made before stay comparable."""
    rows = np.arange(80, dtype=np.float64).reshape(40, 2)
    sides = split_of(rows, np.arange(40) % 2)

    assert sides.rule == Rule(42, (0.2, 0.2))
    assert sides.rule.record() == {"seed": 42, "below": [0.2, 0.2]}
    assert sides.test.tolist() == EARLIER


@given(few(), st.floats(0.1, 0.5))
@settings(max_examples=100, deadline=None)
def test_few_different_rows_are_held_out_in_their_share(table: Any, fraction: float) -> None:
    """In every class within a fifth of the fraction, or a row."""
    rows, target = table
    sides = split_of(rows, target, fraction=fraction)

    assert sides.rule.divided.every
    for index in range(target.max() + 1):
        wanted = fraction * (target == index).sum()
        assert abs((target[sides.test] == index).sum() - wanted) <= max(1.0, 0.2 * wanted)


@given(few(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_repeats_are_divided_alike_wherever_they_are(table: Any, random: Any) -> None:
    """As many of each row are held out, in any order of the table."""
    rows, target = table
    order = list(range(len(rows)))
    random.shuffle(order)
    straight, shuffled = split_of(rows, target), split_of(rows[order], target[order])

    assert counts(rows, target, straight.test) == counts(rows[order], target[order], shuffled.test)


@given(few())
@settings(max_examples=50, deadline=None)
def test_a_repeat_keeps_its_side_by_the_rule_it_was_split_by(table: Any) -> None:
    """What a grown table adds to a row never moves those that were there."""
    rows, target = table
    half = len(rows) // 2
    classes = tuple(range(int(target.max()) + 1))
    rule = split_of(rows, target).rule
    before = rule.held_out(rows[:half], target[:half], classes, FEATURES)

    assert np.array_equal(rule.held_out(rows, target, classes, FEATURES)[:half], before)


def test_a_large_part_of_equal_rows_is_divided_and_the_rest_is_not() -> None:
    """Such as the rows of everybody who did nothing; other repeats stay together."""
    rows = np.random.default_rng(0).normal(size=(1000, 2))
    rows[:400] = 0.0
    rows[400:410] = rows[410:420]
    target = np.arange(1000) % 2
    target[400:410] = target[410:420]
    sides = split_of(rows, target)
    nothing = row_draws(np.zeros((1, 2)), FEATURES, 42)

    assert sides.rule.divided.contents == tuple(nothing)
    assert 0.16 < len(sides.test) / 1000 < 0.24
    assert 0.16 < (sides.test < 400).sum() / 400 < 0.24
    held_out = np.isin(np.arange(1000), sides.test)
    assert np.array_equal(held_out[400:410], held_out[410:420])


def test_many_different_rows_are_divided_where_their_repeats_have_several_classes() -> None:
    """Rows of the same features and another class are not copies of each other."""
    generator = np.random.default_rng(0)
    content = generator.integers(0, 300, 3000)
    target = (generator.random(3000) < 0.5).astype(np.intp)
    sides = split_of(np.stack(np.divmod(content, 20), axis=1).astype(np.float64), target)

    assert sides.rule.divided.every
    assert len(sides.test) == pytest.approx(600, abs=60)


@pytest.mark.parametrize(("different", "copies"), [(90, 3), (300, 8)])
def test_copies_of_continuous_rows_stay_together(different: int, copies: int) -> None:
    """A row that was fitted on says nothing about itself."""
    once = np.random.default_rng(0).normal(size=(different, 2))
    rows, target = np.tile(once, (copies, 1)), np.tile(np.arange(different) % 2, copies)
    sides = split_of(rows, target)

    assert not sides.rule.divided
    assert not contents(rows, target, sides.train) & contents(rows, target, sides.test)


@given(few())
@settings(max_examples=30, deadline=None)
def test_a_recorded_rule_gives_the_split_it_was_recorded_of(table: Any) -> None:
    """Through JSON, as a bundle keeps it."""
    rows, target = table
    classes = tuple(range(int(target.max()) + 1))
    sides = split_of(rows, target)
    rule = Rule.of(json.loads(json.dumps(sides.rule.record())))

    again = recorded_split(rule, rows, target, classes, FEATURES)
    assert rule == sides.rule
    assert np.array_equal(again.test, sides.test)


def test_rows_that_all_look_alike_on_the_held_out_side_are_refused() -> None:
    """Every classifier would get the same figures on them."""
    rows = np.zeros((200, 2))
    rows[0] = 2.0

    with pytest.raises(RunFailed, match="held out all have the same features") as caught:
        split_of(rows, np.arange(200) % 2)
    assert caught.value.reason == "TooFewRows"

"""Held-out figures are those of repeated stratified splits, and their intervals hold these.

`python -m hack.split_figures` shows it over hundreds of larger tables.
"""

import numpy as np
import pytest

from hack.split_figures import KINDS, Outcome, outcome
from taxon_contracts.scores import SCORE_NAMES

TABLES = 48


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Return the outcomes of tables of every kind."""
    return [
        outcome(KINDS[seed % len(KINDS)], seed, repetitions=10, trees=5, most_rows=1000)
        for seed in range(TABLES)
    ]


def test_repeated_rows_are_held_out_in_their_share(outcomes: list[Outcome]) -> None:
    """Within a fifth of the fraction, however few rows are different."""
    assert [
        one.share for one in outcomes if one.kind != "different" and not one.has_its_share
    ] == []


def test_intervals_hold_what_repeated_splits_give(outcomes: list[Outcome]) -> None:
    """At least nine in ten of each metric's do."""
    covered = {name: np.mean([one.covered(name) for one in outcomes]) for name in SCORE_NAMES}

    assert {name: share for name, share in covered.items() if share < 0.9} == {}


def test_figures_are_neither_better_nor_worse_than_repeated_splits_give(
    outcomes: list[Outcome],
) -> None:
    """On average: whole contents held out would look worse, matched rows on both sides better."""
    for name in ("accuracy", "roc_auc", "f1"):
        errors = [one.error(name) for one in outcomes]
        assert abs(np.mean(errors)) < 2.5 * np.std(errors) / np.sqrt(TABLES)

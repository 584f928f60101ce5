"""The sample tables and requests: where they come from, and that each has both."""

import csv
import json

import pytest

from hack import samples


@pytest.mark.parametrize("name", samples.TABLES)
def test_a_sample_table_is_what_the_script_writes(name: str) -> None:
    """The committed table is made from its source, byte for byte."""
    assert (samples.SAMPLES / name).read_text() == samples.table(name)


@pytest.mark.parametrize("name", samples.TABLES)
def test_a_sample_request_is_what_the_script_writes(name: str) -> None:
    """The committed request holds a row of the table, features by name."""
    assert samples.row_file(name).read_text() == samples.row(name)


def test_every_table_is_written_by_the_script() -> None:
    """No table is there without its source."""
    assert {file.name for file in samples.SAMPLES.glob("*.csv")} == set(samples.TABLES)


@pytest.mark.parametrize(("name", "gap"), [("titanic.csv", "deck"), ("penguins.csv", "sex")])
def test_a_request_for_a_table_with_gaps_has_one(name: str, gap: str) -> None:
    """It shows how a missing value is sent."""
    row = json.loads(samples.row(name))

    assert [feature for feature, value in row.items() if value is None] == [gap]


def test_the_boards_are_those_at_which_a_game_can_end() -> None:
    """The numbers are known: 958 boards, of which x wins 626."""
    rows = list(csv.DictReader(samples.table("tic-tac-toe.csv").splitlines()))

    assert len(rows) == 958
    assert sum(row["x_wins"] == "yes" for row in rows) == 626

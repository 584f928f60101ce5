"""The row that local mode shows, and how it is sent with each API."""

import pytest

from taxon_bundle.codec import Codec, Value
from taxon_cli.local.questions import plain_question, telling, v2_question
from taxon_contracts.manifest import SignatureFeature

AGE = SignatureFeature(name="age", gaps=True)
ALONE = SignatureFeature(name="alone", type="Boolean")
DECK = SignatureFeature(name="deck", type="Categorical", gaps=True, categories=("C", "B"))
FEATURES = (AGE, ALONE, DECK)


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([[1.5, True, "C"], [None, True, None], [None, True, "B"]], [None, True, "B"]),
        ([[1.5, True, "C"], [2.5, False, "B"]], [1.5, True, "C"]),
        ([[None, True, "Z"], [1.5, True, "C"]], [1.5, True, "C"]),
        ([[None, True, "Z"]], [None, True, "Z"]),
        ([[29.0, True, "C"]], [29, True, "C"]),
    ],
    ids=["fewest gaps", "no gaps", "unseen is made up", "nothing else", "as in the table"],
)
def test_the_row_that_tells_most_is_shown(rows: list[list[Value]], shown: list[Value]) -> None:
    """One gap is told apart from a row of gaps, and a category of the table from any other."""
    assert telling(rows, FEATURES) == shown
    assert list(map(type, telling(rows, FEATURES))) == list(map(type, shown))


def test_a_row_is_sent_by_name() -> None:
    """Values are what JSON has for them."""
    assert plain_question([None, True, "B"], FEATURES) == {"age": None, "alone": True, "deck": "B"}


def test_a_row_of_several_types_is_a_tensor_per_feature() -> None:
    """Each with the datatype of its feature, a missing value as null."""
    question = v2_question([None, True, "B"], Codec(FEATURES), identifier="look")

    assert question == {
        "id": "look",
        "inputs": [
            {"name": "age", "shape": [1], "datatype": "FP64", "data": [None]},
            {"name": "alone", "shape": [1], "datatype": "BOOL", "data": [True]},
            {"name": "deck", "shape": [1], "datatype": "BYTES", "data": ["B"]},
        ],
    }


def test_a_row_of_numbers_is_one_matrix() -> None:
    """As it was before there were other types."""
    numeric = (SignatureFeature(name="width"), SignatureFeature(name="height"))
    [tensor] = v2_question([1.5, 2], Codec(numeric), identifier="look")["inputs"]

    assert tensor == {"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [1.5, 2]}

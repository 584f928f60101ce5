"""One codec turns rows as people write them into the classifier's rows, and back."""

import numpy as np
import pytest

from taxon_bundle.codec import UNSEEN, BadRow, Codec, Encoded, Value, joined
from taxon_contracts.manifest import SignatureFeature

NAN = float("nan")
AGE = SignatureFeature(name="age", gaps=True)
MEMBER = SignatureFeature(name="member", type="Boolean", gaps=True)
PORT = SignatureFeature(
    name="port", type="Categorical", gaps=True, categories=("Cork", "Brest", "Åbo")
)
CODEC = Codec((AGE, MEMBER, PORT))
DECK = Codec((SignatureFeature(name="deck", type="Categorical", categories=("1", "2.50", "x")),))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([22, True, "Brest"], [22.0, 1.0, 1.0]),
        ([0.5, False, "Cork"], [0.5, 0.0, 0.0]),
        ([None, None, None], [NAN, NAN, NAN]),
        ([NAN, NAN, NAN], [NAN, NAN, NAN]),
        ([1, 0, " Cork\t"], [1.0, 0.0, 0.0]),
        ([1, 1.0, "A\u030abo"], [1.0, 1.0, 2.0]),
        ([1, True, "cork"], [1.0, 1.0, UNSEEN]),
        ([1, True, "N/A"], [1.0, 1.0, NAN]),
        ([1, True, "nan "], [1.0, 1.0, NAN]),
        ([1, True, " "], [1.0, 1.0, NAN]),
    ],
    ids=str,
)
def test_a_row_is_encoded(row: list[Value], expected: list[float]) -> None:
    """Space and Unicode form make no other category, case does; words for missing are missing."""
    np.testing.assert_array_equal(CODEC.encode_rows([row]).rows, [expected])


@pytest.mark.parametrize(
    ("value", "code"), [("1", 0.0), (1, 0.0), (1.0, 0.0), (2.5, 1.0), ("2.5", UNSEEN), (3, UNSEEN)]
)
def test_a_number_is_the_category_of_the_same_value(value: Value, code: float) -> None:
    """Text has to be the same text."""
    assert DECK.encode(0, value) == code


def test_a_number_that_two_categories_are_is_neither() -> None:
    """Nobody can know whether 1 was meant as "01" or as "1"."""
    codec = Codec((SignatureFeature(name="zip", type="Categorical", categories=("01", "1")),))

    assert [codec.encode(0, value) for value in (1, "1", "01")] == [UNSEEN, 1.0, 0.0]


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, "22", "age is text: send a number"),
        (0, True, "age is not a number: send a number"),
        (0, 10**400, "age is not a finite number"),
        (1, "true", "member is neither true nor false: send one of them"),
        (1, 0.5, "member is neither true nor false: send one of them"),
        (2, True, "port is not text: send a category as text"),
        (2, ["Cork"], "port is not text: send a category as text"),
        (2, "a\0b", "port has a NUL character in it: send text without"),
    ],
)
def test_a_value_of_another_type_is_refused_by_feature_and_row(
    place: int, value: object, reason: str
) -> None:
    """The same sentence for rows and for columns."""
    row: list[object] = [1, True, "Cork"]
    wrong = [*row[:place], value, *row[place + 1 :]]
    with pytest.raises(BadRow) as of_rows:
        CODEC.encode_rows([row, wrong])
    with pytest.raises(BadRow) as of_column:
        CODEC.encode_column(place, [row[place], value])

    assert str(of_rows.value) == str(of_column.value) == f"row 1: {reason}"


def test_rows_come_back_as_they_were_sent() -> None:
    """Unseen categories too, also in a part of the rows."""
    rows: list[list[Value]] = [
        [1.0, True, "Cork"],
        [None, False, "Åbo"],
        [2.5, None, "Narvik"],
        [3.0, True, None],
    ]
    encoded = CODEC.encode_rows(rows)

    assert encoded.unseen == {2: {2: "Narvik"}}
    assert CODEC.decode(encoded) == rows
    assert CODEC.decode(encoded, 2, 3) == rows[2:3]


def test_an_unseen_number_comes_back_as_text() -> None:
    """A category is text."""
    codes, unseen = DECK.encode_column(0, [7, 7.0, 7.25])

    assert unseen is not None
    assert DECK.decode(Encoded(codes[:, None], {0: unseen})) == [["7"], ["7"], ["7.25"]]


def test_a_column_of_numbers_is_encoded_as_its_values_are() -> None:
    """For every type, missing values and unseen categories among them."""
    numbers = np.array([2.5, 1.0, NAN, 7.0, 1.0])
    codes, unseen = DECK.encode_numbers(0, numbers)

    np.testing.assert_array_equal(codes, [1.0, 0.0, NAN, UNSEEN, 0.0])
    assert unseen is not None
    assert dict(unseen) == {3: "7"}
    assert CODEC.encode_numbers(0, numbers)[0] is numbers
    with pytest.raises(BadRow, match="row 2: member is neither true nor false"):
        CODEC.encode_numbers(1, np.array([1.0, 0.0, 3.0, 2.0]))


def test_parts_are_joined_with_their_unseen_categories() -> None:
    """Each text stays at its row, and what it takes is little more than its bytes."""
    rows: list[list[Value]] = [
        [1.0, True, port] for port in ("Cork", "Ålesund", "", "Narvik", "Brest", "x" * 999, "y")
    ]
    whole = CODEC.encode_rows(rows)
    parts = joined([CODEC.encode_rows(part) for part in (rows[:3], rows[3:4], rows[4:])])

    np.testing.assert_array_equal(parts.rows, whole.rows)
    assert parts.unseen == whole.unseen == {2: {1: "Ålesund", 3: "Narvik", 5: "x" * 999, 6: "y"}}
    assert parts.nbytes == whole.nbytes < 7 * 24 + 4 * 16 + 1100
    assert CODEC.decode(parts, 3, 4) == [[1.0, True, "Narvik"]]
    assert 2 not in parts.unseen[2]


@pytest.mark.parametrize(
    ("place", "code", "kind"),
    [(0, NAN, None), (0, 1.5, None), (0, float("inf"), "finite_number"), (1, UNSEEN, None)],
)
def test_what_the_classifier_does_not_take_is_said(
    place: int, code: float, kind: str | None
) -> None:
    """Of a value that was encoded."""
    misfit = CODEC.misfit(place, code)

    assert (misfit and misfit.kind) == kind


def test_a_gap_where_none_is_allowed_is_said() -> None:
    """A feature without gaps in training takes none."""
    misfit = DECK.misfit(0, NAN)

    assert misfit is not None
    assert (misfit.kind, misfit.reason) == (
        "missing",
        "is missing, and the model takes no missing value there",
    )


def test_numbers_alone_make_a_numeric_codec() -> None:
    """Its rows may be sent as one matrix."""
    plain = SignatureFeature(name="width")

    assert Codec((plain,)).is_numeric
    assert not Codec((plain, AGE)).is_numeric
    assert not Codec((plain, MEMBER)).has_categories
    assert CODEC.has_categories

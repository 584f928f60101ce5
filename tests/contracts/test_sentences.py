import pytest

from taxon_contracts.sentences import LONGEST, fitted

COLUMNS = ", ".join(f"'column {number}' (dates or times)" for number in range(500))
REMEDY = "encode as numbers, or do not list as feature"


def test_a_sentence_that_fits_stays_as_it_is() -> None:
    """Up to the last byte."""
    assert fitted("x" * LONGEST) == "x" * LONGEST


def test_a_long_sentence_keeps_its_remedy() -> None:
    """The list of columns before it is cut at a word."""
    shown = fitted(f"not numeric: {COLUMNS}; {REMEDY}")

    assert shown.startswith("not numeric: 'column 0' (dates or times), 'column 1'")
    assert shown.endswith(f"...; {REMEDY}")
    assert LONGEST - 30 < len(shown) <= LONGEST


def test_a_long_last_clause_is_cut_at_its_end() -> None:
    """What was found stays, whatever list comes after it."""
    shown = fitted(f"roc_auc 0.7000 is below the limit 0.8; left out: {COLUMNS}")

    assert shown.startswith("roc_auc 0.7000 is below the limit 0.8; left out: 'column 0'")
    assert shown.endswith("...")
    assert len(shown) <= LONGEST


@pytest.mark.parametrize("text", ["é" * 2000, "a" + "🐧" * 2000, "é" * 2000 + "; " + REMEDY])
def test_no_character_is_cut_in_two(text: str) -> None:
    """Events are bounded in bytes, and column names are of any language."""
    shown = fitted(text)

    assert LONGEST - 8 < len(shown.encode()) <= LONGEST
    assert set(shown.partition("...")[0]) <= set(text)

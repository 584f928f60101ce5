"""The model card is short and right, whatever the classes are called and however many there are."""

from pathlib import Path

import numpy as np
import pandas as pd
from support.training import carried_out, run_request, small_identity, small_table

from taxon_contracts.manifest import MODEL_CARD_NAME


def card_of(table: pd.DataFrame, folder: Path, **identity: object) -> str:
    """Return the card of a model trained on a table."""
    request = run_request(table, folder, identity=small_identity(**identity))
    return carried_out(request).files[MODEL_CARD_NAME].decode()


def test_a_loss_is_shown_as_it_is(tmp_path: Path) -> None:
    """The search maximises its negative; a person reads the loss."""
    search = {"strategy": "Grid", "folds": 2}
    card = card_of(small_table(), tmp_path, search=search, metric="log_loss")

    assert "Cross-validated log_loss of the choice: 0." in card


def test_the_profile_and_the_predictions_it_is_based_on_are_named(tmp_path: Path) -> None:
    """With how many there are, and how many are right."""
    card = card_of(small_table(), tmp_path)
    (line,) = [line for line in card.splitlines() if "out-of-fold.npz" in line]
    (share,) = [float(word) for word in line.split() if "." in word and word[0].isdigit()]

    assert "of 2 classes (benign, malignant) by 3 numeric features." in card
    assert "| batch | Numeric, constant |  | is refused |" in card
    assert 50 < share <= 100


def test_without_folds_the_card_says_so(tmp_path: Path) -> None:
    """Two rows of a class are not enough."""
    table = pd.DataFrame({"length": [0.0, 0.1, 1.0, 1.1], "label": ["a", "a", "b", "b"]})

    assert "There are no out-of-fold predictions" in card_of(table, tmp_path)


def test_names_keep_to_their_cell(tmp_path: Path) -> None:
    """A bar or a line break in a class is no new column or row."""
    table = small_table().replace({"benign": "a|b", "malignant": "c\nd"})
    card = card_of(table, tmp_path)

    assert "| class \\ answer | a\\|b | c d |" in card
    assert "classes (a\\|b, c d)" in card


def test_many_classes_have_their_most_frequent_confusions(tmp_path: Path) -> None:
    """A matrix of hundreds of columns is nothing to read; it is in metrics.json."""
    generator = np.random.default_rng(0)
    label = np.arange(900) % 60
    table = pd.DataFrame(
        {
            "length": label + generator.normal(0, 0.8, 900),
            "width": generator.normal(size=900),
            "label": [f"class {value:02d}" for value in label],
        }
    )
    card = card_of(table, tmp_path)
    pairs = [line for line in card.splitlines() if line.startswith("| class ")]
    counts = [int(line.split("|")[3]) for line in pairs[1:]]

    assert "classes (class 00, class 01" in card
    assert "class 19 and 40 more)" in card
    assert len(counts) == 20
    assert counts == sorted(counts, reverse=True)
    assert max(map(len, card.splitlines())) < 400

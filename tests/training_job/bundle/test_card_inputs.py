"""The card says of each feature what it is, and what becomes of a missing or rare value."""

from typing import Any

import pytest

from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import FeatureType, Pipeline
from taxon_training_job.bundle.card_inputs import inputs, kinds

ISLAND = SignatureFeature(
    name="island", type="Categorical", gaps=True, categories=("Biscoe", "Dream", "Torgersen")
)
MASS = SignatureFeature(name="mass", gaps=True)
ALIVE = SignatureFeature(name="alive", type="Boolean")


def section(*features: SignatureFeature, **pipeline: Any) -> str:
    """Return the section about some features."""
    return inputs(features, Pipeline.model_validate(pipeline))


@pytest.mark.parametrize(
    ("types", "sentence"),
    [
        (["Numeric"], "1 numeric feature"),
        (["Numeric", "Numeric"], "2 numeric features"),
        (["Boolean", "Numeric", "Numeric"], "2 numeric and 1 boolean features"),
        (
            ["Categorical"] * 3 + ["Numeric"] * 2 + ["Boolean"],
            "3 categorical, 2 numeric and 1 boolean features",
        ),
    ],
)
def test_features_are_counted_by_type(types: list[FeatureType], sentence: str) -> None:
    """In the words of the card's first sentence."""
    features = [SignatureFeature(name=str(at), type=kind) for at, kind in enumerate(types)]

    assert kinds(features) == sentence


@pytest.mark.parametrize(
    ("imputer", "island", "mass"),
    [
        (None, "a category of its own", "the median"),
        ({"strategy": "Median"}, "a category of its own", "the median"),
        ({"strategy": "MostFrequent"}, "the most frequent one", "the most frequent value"),
        ({"strategy": "Constant"}, "a category of its own", "0"),
        ({"strategy": "Constant", "value": -1.5}, "a category of its own", "-1.5"),
    ],
)
def test_a_missing_value_becomes_what_the_imputer_says(
    imputer: dict[str, Any] | None, island: str, mass: str
) -> None:
    """A feature that accepts none says so."""
    text = section(ISLAND, MASS, ALIVE, **({"imputer": imputer} if imputer else {}))

    assert f"| island | Categorical | 3: Biscoe, Dream, Torgersen | becomes {island} |" in text
    assert f"| mass | Numeric |  | becomes {mass} |" in text
    assert "| alive | Boolean |  | is refused |" in text


def test_a_constant_feature_is_marked() -> None:
    """It is accepted and ignored."""
    dropped = MASS.model_copy(update={"dropped": True})

    assert "| mass | Numeric, constant |  | is ignored |" in section(dropped)


def test_rare_and_unseen_categories_have_a_rule() -> None:
    """With the spec's numbers."""
    text = section(ISLAND, encoder={"minFrequency": 10, "maxCategories": 7})

    assert "one of the 7 most frequent of its feature and in at least 10 training rows" in text
    assert "or one that no training row had, counts as none of them" in text
    assert "training rows." not in section(ISLAND)
    assert "category" not in section(MASS, ALIVE)


@pytest.mark.parametrize(
    ("features", "strategy", "said"),
    [
        ((ISLAND, MASS), "Median", True),
        ((ISLAND,), "Median", False),
        ((ISLAND,), "MostFrequent", True),
        ((ALIVE,), "Median", False),
    ],
)
def test_indicators_are_said_where_something_is_filled_in(
    features: tuple[SignatureFeature, ...], strategy: str, *, said: bool
) -> None:
    """A missing category that is one of its own needs none."""
    text = section(*features, imputer={"strategy": strategy, "indicator": True})

    assert ("one more input says that it was missing" in text) is said


def test_long_lists_are_cut() -> None:
    """The manifest has all; a name with a bar keeps to its cell."""
    many = [SignatureFeature(name=f"feature {at}") for at in range(150)]
    city = SignatureFeature(
        name="a|b", type="Categorical", categories=tuple("x" * 200 + str(at) for at in range(90))
    )
    text = section(city, *many)

    assert "51 more are in manifest.json" in text
    assert "| a\\|b | Categorical | 90: " in text
    assert "and 85 more |" in text
    assert max(map(len, text.splitlines())) < 700

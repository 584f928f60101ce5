"""A message says how many fits a person waits for."""

from typing import Any

import pytest

from taxon_contracts.resource import Identity
from taxon_contracts.search import describe_search

TREES = {"name": "n_estimators", "values": ["50", "100"]}
DEPTHS = {"name": "max_depth", "values": ["5", "10", "None"]}


def described(classifier: dict[str, Any], **search: Any) -> str:
    """Return the words for a search."""
    return describe_search(
        Identity.model_validate(
            {
                "dataset": {"uri": "s3://samples/wine.csv", "target": "cultivar"},
                "pipeline": {"classifier": classifier},
                "search": search,
            }
        )
    )


@pytest.mark.parametrize(
    ("classifier", "search", "words"),
    [
        ({}, {}, "540 fits (108 combinations in 5 folds)"),
        ({"type": "LogisticRegression"}, {"folds": 3}, "15 fits (5 combinations in 3 folds)"),
        ({"parameters": [TREES, DEPTHS]}, {}, "30 fits (6 combinations in 5 folds)"),
        ({"parameters": [TREES, DEPTHS]}, {"strategy": "Random"},
         "30 fits (6 combinations in 5 folds)"),
        ({}, {"strategy": "Random", "trials": 10}, "50 fits (10 combinations in 5 folds)"),
        ({}, {"strategy": "Bayesian"}, "150 fits (30 combinations in 5 folds)"),
        ({}, {"strategy": "None"}, "one fit, no search"),
    ],
)  # fmt: skip
def test_the_number_of_fits_is_named(
    classifier: dict[str, Any], search: dict[str, Any], words: str
) -> None:
    """For every strategy, with the default grid and another."""
    assert described(classifier, **search) == words

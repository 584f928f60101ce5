"""The size of a search for hyperparameters, as text for people."""

from math import prod

from taxon_contracts.resource import Identity

DEFAULT_TRIALS = 30
DEFAULT_COMBINATIONS: dict[str, int] = {"RandomForest": 108, "LogisticRegression": 5}
"""Combinations of each type's default grid, which the trainer defines; a test compares both."""


def describe_search(identity: Identity) -> str:
    """Return how many fits a run makes, such as ``540 fits (108 combinations in 5 folds)``."""
    search = identity.search
    if search.strategy == "None":
        return "one fit, no search"
    combinations = _combinations(identity)
    if combinations is None:
        return f"a search in {search.folds} folds"
    fits = combinations * search.folds
    return f"{fits} fits ({combinations} combinations in {search.folds} folds)"


def _combinations(identity: Identity) -> int | None:
    """Return how many combinations are tried, or None if only the trainer knows."""
    search, classifier = identity.search, identity.pipeline.classifier
    asked = search.trials or DEFAULT_TRIALS
    if search.strategy == "Bayesian":
        return asked
    grid = DEFAULT_COMBINATIONS.get(classifier.type)
    if classifier.parameters is not None:
        grid = prod(len(one.values) for one in classifier.parameters)
    return min(asked, grid) if grid is not None and search.strategy == "Random" else grid

"""The interface of a family of classifiers; no other module distinguishes families."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taxon_training_job.classifiers.graph import Graph

Grid = dict[str, list[Any]]
"""Values to try for each hyperparameter."""


@dataclass(frozen=True)
class GraphInput:
    """Names of the values a classifier's nodes start from, both [n, columns].

    ``exact`` is float64; ``single`` the same values cast to float32.
    """

    exact: str
    single: str


@dataclass(frozen=True)
class Splits:
    """Places where a fitted classifier's answer changes.

    ``points`` is [n, 3]: column, threshold, and the position of a row that reaches the split.
    ``visits`` is what one row costs to answer, in trees walked.
    """

    points: NDArray[np.float64]
    visits: int


@dataclass(frozen=True)
class Footprint:
    """What a classifier takes once fitted: bytes of itself, and bytes of its graph's nodes.

    ``what`` names it, and ``remedy`` says what makes it smaller, in a sentence's words.
    """

    what: str
    remedy: str
    fitted: int
    graph: int


@dataclass(frozen=True)
class Family:
    """A family: how it is created, searched, served and checked.

    ``make`` takes the seed and returns an unfitted ``estimator``. ``add_nodes`` adds the nodes that
    answer as the fitted estimator does, and names their last output. ``tolerance`` is how far the
    graph's probabilities may be from scikit-learn's. ``threaded`` says whether ``n_jobs`` makes its
    fit faster and leaves every bit as it is. ``splits`` takes a fitted estimator and
    preprocessed rows [n, columns] and returns where the graph has to be proven.

    ``largest`` takes a grid and returns the combination whose classifier is largest. ``bound``
    takes an unfitted estimator, rows [n, features] and labels, and returns what it will take at
    most, at no cost; ``footprint`` takes preprocessed rows and returns what it will take about.
    """

    name: str
    estimator: type
    make: Callable[[int], Any]
    default_grid: Grid
    add_nodes: Callable[[Graph, GraphInput, Any, str], None]
    tolerance: float
    threaded: bool
    splits: Callable[[Any, NDArray[np.float64]], Splits]
    largest: Callable[[Grid], dict[str, Any]]
    bound: Callable[[Any, NDArray[np.float64], NDArray[Any]], Footprint]
    footprint: Callable[[Any, NDArray[np.float64], NDArray[Any]], Footprint]

"""The fit: choose hyperparameters, then fit on all training rows."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from taxon_bundle.codec import Codec
from taxon_contracts.manifest import positive_index
from taxon_contracts.run import Rows, RunRequest
from taxon_contracts.scores import LOWER_IS_BETTER
from taxon_training_job.data.examples import Examples
from taxon_training_job.data.signature import encoded, signature
from taxon_training_job.data.split import Split
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.encoding import encoding_of
from taxon_training_job.fit.memory import within_memory
from taxon_training_job.fit.pipeline import (
    STEP,
    fit_failed,
    fit_in_threads,
    fits_float32,
    make_pipeline,
    parameter_grid,
    preprocessor,
)
from taxon_training_job.fit.search import Parameters, Problem, Scorer, Trial, find_parameters
from taxon_training_job.progress import Progress

DEFAULT_THRESHOLD = 0.5
BEST_SHOWN = 5
"""Combinations the log shows once a search has ended; run.json has all of them."""


@dataclass(frozen=True)
class Training:
    """Everything a finished fit knows.

    ``encoded`` is the whole table as ``codec`` encodes it, shape [n, features].
    """

    request: RunRequest
    dataset_digest: str
    examples: Examples
    split: Split
    codec: Codec
    encoded: NDArray[np.float64]
    parameters: Parameters
    trials: tuple[Trial, ...]
    pipeline: Pipeline

    @property
    def positive(self) -> int | None:
        """Return the positive class's position for a binary model."""
        return _positive(self.request, self.examples)

    @property
    def threshold(self) -> float:
        """Return the probability above which a binary model's label is positive."""
        return _threshold(self.request)

    @property
    def rows(self) -> Rows:
        """Return what became of the table's rows and columns."""
        return Rows(
            train=len(self.split.train),
            test=len(self.split.test),
            duplicates=self.split.duplicates,
            features=len(self.examples.features),
            constant_features=len(self.examples.constant),
        )


def fit(
    request: RunRequest,
    dataset_digest: str,
    examples: Examples,
    sides: Split,
    progress: Progress,
) -> Training:
    """Choose hyperparameters and fit on all training rows.

    Raises:
        RunFailed: the spec and the table do not go together.
    """
    identity = request.identity
    codec = Codec(signature(examples.columns, sides.train, identity.pipeline.imputer))
    table = encoded(examples.columns, codec)
    rows = table[sides.train][:, list(examples.kept)]
    kept = [codec.features[place] for place in examples.kept]
    pipeline = make_pipeline(identity.pipeline, kept, rows, seed=identity.seed)
    grid = parameter_grid(identity)
    _check_products(pipeline, examples, table, sides)
    labels = examples.labels[sides.train]
    scorer = Scorer(identity.metric, _positive(request, examples), _threshold(request))
    problem = Problem(identity.search, pipeline, grid, rows, labels, scorer, identity.seed)
    parameters, trials = _searched(within_memory(problem), progress)
    progress.event("Fit", parameters=literals(parameters))
    if not _fit(pipeline, parameters, rows, labels):
        progress.warning("NotConverged", remedy="raise max_iter in pipeline.classifier.parameters")
    return Training(
        request, dataset_digest, examples, sides, codec, table, parameters, trials, pipeline
    )


def _positive(request: RunRequest, examples: Examples) -> int | None:
    return positive_index(examples.classes, request.identity.dataset.positive_class)


def _threshold(request: RunRequest) -> float:
    given = request.identity.pipeline.threshold
    return DEFAULT_THRESHOLD if given is None else given


def _searched(problem: Problem, progress: Progress) -> tuple[Parameters, tuple[Trial, ...]]:
    """Search, and log how large the search is, how far it has come, and what it found."""
    size = problem.size
    if not size.fits:
        return find_parameters(problem)
    progress.event(
        "Search",
        strategy=problem.search.strategy,
        combinations=size.combinations,
        folds=size.folds,
        fits=size.fits,
        metric=size.metric,
    )
    with progress.search(size) as tally:
        parameters, trials = find_parameters(problem.with_tally(tally))
    best = sorted(trials, key=lambda trial: -trial.mean)[:BEST_SHOWN]
    sign = -1 if size.metric in LOWER_IS_BETTER else 1
    progress.event(
        "Searched",
        best=[{**literals(one.parameters), size.metric: round(sign * one.mean, 6)} for one in best],
    )
    return parameters, trials


def literals(parameters: Parameters) -> dict[str, str]:
    """Return hyperparameters as Python literals, in the order of their names."""
    return {name: repr(parameters[name]) for name in sorted(parameters)}


def _check_products(
    pipeline: Pipeline, examples: Examples, table: NDArray[np.float64], sides: Split
) -> None:
    """Refuse values of either side, and filled-in ones, that overflow float32 on their way."""
    fitted = clone(preprocessor(pipeline))
    rows = table[:, list(examples.kept)]
    with np.errstate(over="ignore", invalid="ignore"):
        fitted.fit(rows[sides.train])
    encoding = encoding_of(fitted, len(examples.kept))
    if encoding.fill is not None and not fits_float32(fitted, np.full_like(rows[:1], np.nan)).all():
        raise RunFailed(
            "InfiniteValues",
            "what takes the place of missing values overflows float32 once scaled and multiplied:"
            " change pipeline.imputer, or lower polynomialDegree",
        )
    fitting = fits_float32(fitted, rows)
    if fitting.all():
        return
    row = int(np.argmin(fitting))
    column = encoding.largest(rows[row])
    raise RunFailed(
        "InfiniteValues",
        f"feature {examples.features[examples.kept[column]]!r} overflows float32 once scaled and"
        f" multiplied: correct the value in row {row + 1}, or lower"
        " polynomialDegree",
    )


def _fit(
    pipeline: Pipeline, parameters: Parameters, rows: NDArray[np.float64], labels: NDArray[Any]
) -> bool:
    """Fit in place; return whether the fit converged."""
    pipeline.set_params(**{f"{STEP}__{name}": value for name, value in parameters.items()})
    try:
        with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit_in_threads(pipeline, rows, labels)
    except ValueError as error:
        raise fit_failed("the fit", error) from error
    if not np.isfinite(pipeline.predict_proba(rows[:1])).all():
        raise RunFailed(
            "SearchNotFinite",
            "the fit gives probabilities that are not finite: scale the features, or correct"
            " pipeline.classifier.parameters",
        )
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)

"""The scikit-learn pipeline of a spec, and its hyperparameters."""

import ast
import inspect
from collections.abc import Sequence
from math import comb
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils._param_validation import InvalidParameterError

from taxon_contracts.manifest import SignatureFeature
from taxon_contracts.resource import Identity
from taxon_contracts.resource import Pipeline as PipelineSpec
from taxon_training_job.classifiers.family import Family, Grid
from taxon_training_job.classifiers.registry import family_named, family_of
from taxon_training_job.failure import RunFailed
from taxon_training_job.fit.encoding import encoding_of, encoding_steps

MAX_COLUMNS = 20_000
CELLS = 1_000_000
"""Values a step makes at a time where it need not make all at once."""
MANY_ROWS = 10_000
"""Rows from which on threads save more than they cost."""
STEP = "classifier"
OWNED = frozenset({"random_state", "n_jobs", "verbose", "warm_start"})
"""Parameters Taxon sets itself: they decide reproducibility, not the model."""


def make_pipeline(
    spec: PipelineSpec,
    features: Sequence[SignatureFeature],
    rows: NDArray[np.float64],
    *,
    seed: int,
) -> Pipeline:
    """Return the unfitted pipeline.

    Args:
        spec: which steps are asked for.
        features: the kept features.
        rows: the training rows, shape [n, kept features]: which categories are frequent enough.
        seed: of the classifier.

    Raises:
        RunFailed: there are too many columns or none, or no family has this type.
    """
    steps, columns = encoding_steps(spec, features, rows)
    _check_columns(spec, len(features), columns)
    if spec.polynomial_degree > 1:
        products = PolynomialFeatures(degree=spec.polynomial_degree, include_bias=False)
        steps.append(("products", products))
    steps.append((STEP, family_named(spec.classifier.type).make(seed)))
    return Pipeline(steps)


def _check_columns(spec: PipelineSpec, features: int, columns: int) -> None:
    """Refuse what would be too many columns to fit, or none."""
    if not columns:
        raise RunFailed(
            "FeatureMissing",
            "no category is in enough training rows to have a column: lower encoder.minFrequency",
        )
    degree = spec.polynomial_degree
    made = comb(columns + degree, degree) - 1
    if made <= MAX_COLUMNS:
        return
    remedies = ["lower polynomialDegree"] if degree > 1 else []
    remedies += ["lower encoder.maxCategories"] if columns > features else []
    raise RunFailed(
        "TooManyFeatures",
        f"degree {degree} makes {made} columns of {features} features, at most {MAX_COLUMNS} are"
        f" fitted: {', '.join(remedies)} or list fewer features",
    )


def fit_in_threads(pipeline: Pipeline, rows: NDArray[np.float64], labels: NDArray[Any]) -> None:
    """Fit in place, on every core where the rows are many and no bit of the fit depends on it.

    Args:
        pipeline: as ``make_pipeline`` builds it.
        rows: shape [n, kept features].
        labels: shape [n].
    """
    classifier = pipeline[-1]
    threads = joblib.cpu_count() if len(rows) >= MANY_ROWS else 1
    if threads == 1 or not family_of(classifier).threaded:
        pipeline.fit(rows, labels)
        return
    classifier.set_params(n_jobs=threads)
    try:
        with joblib.parallel_config("threading"):
            pipeline.fit(rows, labels)
    finally:
        classifier.set_params(n_jobs=1)


def preprocessor(pipeline: Pipeline) -> Pipeline:
    """Return the steps before the classifier, which share the pipeline's own objects."""
    return Pipeline(pipeline.steps[:-1] or [("identity", "passthrough")])


def fits_float32(fitted: Pipeline, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows stay finite as float32 once scaled and multiplied, shape [n].

    Args:
        fitted: the fitted :func:`preprocessor`.
        rows: shape [n, kept features].
    """
    encoding = encoding_of(fitted, rows.shape[1])
    if encoding.products is None:  # only numbers can be large
        columns, columns_of = len(encoding.numbers), encoding.scaled
    else:
        columns, columns_of = encoding.products.n_output_features_, fitted.transform
    chunks = np.array_split(rows, 1 + rows.shape[0] * columns // CELLS)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate(
            [np.isfinite(columns_of(c).astype(np.float32)).all(axis=1) for c in chunks]
        )


def parameter_grid(identity: Identity) -> Grid:
    """Return the values to try for each hyperparameter, names without the step's prefix.

    Raises:
        RunFailed: scikit-learn knows no such parameter, or takes no such value.
    """
    family = family_named(identity.pipeline.classifier.type)
    listed = identity.pipeline.classifier.parameters
    if listed is None:
        return {} if identity.search.strategy == "None" else family.default_grid
    grid = {entry.name: [ast.literal_eval(text) for text in entry.values] for entry in listed}
    known = sorted(inspect.signature(family.estimator).parameters.keys() - OWNED)
    for name, values in grid.items():
        if name not in known:
            raise RunFailed(
                "InvalidParameter",
                f"{family.name} has no parameter {name!r}: use {', '.join(known)}",
            )
        for value in values:
            _check_value(family, name, value)
    return grid


def _check_value(family: Family, name: str, value: object) -> None:
    try:
        family.make(0).set_params(**{name: value})._validate_params()  # noqa: SLF001 - scikit-learn's own check, before hours of fits
    except InvalidParameterError as error:
        raise RunFailed("InvalidParameter", f"{error}: correct parameter {name!r}") from error


def fit_failed(what: str, error: ValueError) -> RunFailed:
    """Return how a run fails when scikit-learn refuses to fit, in scikit-learn's own words."""
    sentence = " ".join(str(error).split())[:400]
    return RunFailed(
        "InvalidParameter", f"{what} failed: {sentence}: correct pipeline.classifier.parameters"
    )

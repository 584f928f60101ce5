"""reference.json: the distribution of each column of the training rows, and of the answers."""

import numpy as np
from numpy.typing import NDArray

from taxon_contracts.manifest import Classes, SignatureFeature
from taxon_contracts.reference import (
    MOST_CATEGORIES,
    REFERENCE_FORMAT,
    Nominal,
    Ordered,
    Reference,
    Role,
)
from taxon_training_job.bundle.bins import column_edges, counted, short
from taxon_training_job.bundle.calibration import Calibration
from taxon_training_job.fit.training import Training
from taxon_training_job.measure import Answers

Values = NDArray[np.float64]


def reference(
    training: Training,
    importances: dict[str, float],
    answered: NDArray[np.intp],
    answers: Answers,
) -> Reference:
    """Return the profile of a training.

    Args:
        training: the training.
        importances: each feature's fall of the metric.
        answered: positions in the table of the rows that ``answers`` are for, shape [n].
        answers: the out-of-fold answers.
    """
    features, train = training.codec.features, training.split.train
    profiles = tuple(
        _feature(
            feature, training.encoded[train, place], short(max(0.0, importances[feature.name]))
        )
        for place, feature in enumerate(features)
    )
    if not len(answered):
        return Reference(format=REFERENCE_FORMAT, columns=profiles, out_of_fold_rows=0)
    calibration = Calibration.of(answers)
    counts = np.bincount(answers.labels, minlength=len(training.examples.classes))
    classes = np.argsort(-counts, kind="stable")
    return Reference(
        format=REFERENCE_FORMAT,
        columns=(
            *profiles,
            _ordered("confidence", calibration.confidence, role="Confidence"),
            _nominal(
                "answer",
                tuple(training.examples.classes[index] for index in classes),
                counts[classes].tolist(),
                role="Answer",
            ),
        ),
        confidence=calibration.bins,
        shift_error=short(calibration.shift_error(_numbers(features, training.encoded[answered]))),
        out_of_fold_rows=len(answered),
    )


def _feature(feature: SignatureFeature, values: Values, importance: float) -> Ordered | Nominal:
    """Return the profile of a feature on the classifier's rows of the training."""
    if feature.type != "Categorical":
        return _ordered(feature.name, values, importance=importance)
    codes = values[~np.isnan(values)].astype(np.intp)
    counts = np.bincount(codes, minlength=len(feature.categories)).tolist()
    missing = len(values) - len(codes)
    return _nominal(
        feature.name, feature.categories, counts, missing=missing, importance=importance
    )


def _ordered(
    name: str, values: Values, *, role: Role = "Feature", importance: float | None = None
) -> Ordered:
    present = np.sort(values[~np.isnan(values)])
    edges = column_edges(present)
    figures = {}
    if len(present):
        figures = {
            "mean": short(present.mean()),
            "std": short(present.std()),
            "min": float(present[0]),
            "max": float(present[-1]),
        }
    return Ordered(
        kind="Ordered",
        name=name,
        role=role,
        rows=len(values),
        missing=len(values) - len(present),
        edges=tuple(edges.tolist()),
        counts=tuple(counted(present, edges)),
        importance=importance,
        **figures,
    )


def _nominal(
    name: str,
    categories: Classes,
    counts: list[int],
    *,
    missing: int = 0,
    role: Role = "Feature",
    importance: float | None = None,
) -> Nominal:
    """Return the profile of categories in the order of their counts."""
    return Nominal(
        kind="Nominal",
        name=name,
        role=role,
        rows=sum(counts) + missing,
        missing=missing,
        categories=categories[:MOST_CATEGORIES],
        counts=tuple(counts[:MOST_CATEGORIES]),
        other=sum(counts[MOST_CATEGORIES:]),
        unseen=0,
        importance=importance,
    )


def _numbers(features: tuple[SignatureFeature, ...], rows: Values) -> Values:
    """Return rows with each category as whether it is the most frequent one of its feature."""
    numbers = rows.copy()
    for place, feature in enumerate(features):
        if feature.type == "Categorical":
            codes = rows[:, place]
            numbers[:, place] = np.where(np.isnan(codes), np.nan, codes == 0)
    return numbers

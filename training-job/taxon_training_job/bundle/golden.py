"""Golden rows: rows as a client writes them, and scikit-learn's exact answers to them."""

import json

import numpy as np
from numpy.typing import NDArray

from taxon_bundle.classifier import Classifier
from taxon_bundle.codec import UNSEEN, Encoded, Rows, Value
from taxon_bundle.texts import Texts
from taxon_training_job.classifiers.registry import family_of
from taxon_training_job.fit.pipeline import fits_float32, preprocessor
from taxon_training_job.fit.training import Training
from taxon_training_job.judge.odd import odd_rows

GOLDEN_ROWS = 32
ODD_ROWS = 32
"""Golden rows beside those of every table: with gaps, each category and an unseen one."""
NO_CATEGORY = "a category of no training row"


def golden_rows(training: Training) -> Rows:
    """Return rows to compare answers on: a sample, the medians, each feature's extremes, odd rows.

    Extremes of several features need not have met in a row; their products may overflow.
    """
    rows, seed = training.encoded, training.request.identity.seed
    generator = np.random.default_rng(seed)
    count = min(GOLDEN_ROWS - 3, len(rows))
    sample = rows[generator.choice(len(rows), count, replace=False)]
    odd = odd_rows(training.codec, sample)
    if len(odd) > ODD_ROWS:
        odd = odd[np.sort(generator.choice(len(odd), ODD_ROWS, replace=False))]
    chosen = np.concatenate([sample, _extremes(training), odd])
    kept = chosen[:, list(training.examples.kept)]
    usable: Rows = chosen[fits_float32(preprocessor(training.pipeline), kept)]
    return usable


def _extremes(training: Training) -> Rows:
    """Return the smallest, middle and largest values of the features, shape [3, features]."""
    extremes = np.stack([_of_feature(column) for column in training.encoded.T], axis=1)
    for place, feature in enumerate(training.codec.features):
        if feature.type != "Numeric":
            extremes[:, place] = np.floor(extremes[:, place])
    return extremes


def _of_feature(values: NDArray[np.float64]) -> NDArray[np.float64]:
    present = values[~np.isnan(values)]
    if not len(present):
        return np.full(3, np.nan)
    return np.array([present.min(), np.median(present), present.max()])


def golden(training: Training, rows: Rows, classifier: Classifier) -> bytes:
    """Return ``rows`` as a client writes them, and scikit-learn's own answers to them."""
    written = _written(classifier, rows)
    kept = classifier.codec.encode_rows(written).rows[:, list(training.examples.kept)]
    probabilities = training.pipeline.predict_proba(kept)
    labels = classifier.labels(probabilities)
    content = {
        "tolerance": family_of(training.pipeline.steps[-1][1]).tolerance,
        "rows": written,
        "probabilities": probabilities.tolist(),
        "labels": [training.examples.classes[index] for index in labels],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode()


def _written(classifier: Classifier, rows: Rows) -> list[list[Value]]:
    """Return rows as a client writes them; categories of no training row get a text that is none.

    What held-out rows have there stays out of the bundle.
    """
    unseen = {
        place: Texts.of(
            dict.fromkeys(np.flatnonzero(rows[:, place] == UNSEEN).tolist(), _other(categories))
        )
        for place, categories in enumerate(one.categories for one in classifier.codec.features)
    }
    return classifier.codec.decode(Encoded(rows, unseen))


def _other(categories: tuple[str, ...]) -> str:
    text = NO_CATEGORY
    while text in categories:
        text += "."
    return text

"""The files of a bundle: the same training gives the same bytes."""

import io
import json

import joblib
import numpy as np
from sklearn.pipeline import Pipeline

from taxon_contracts import manifest as layout
from taxon_training_job.bundle.card import model_card
from taxon_training_job.bundle.reference import reference
from taxon_training_job.bundle.serving import Serving
from taxon_training_job.fit.out_of_fold import OutOfFold
from taxon_training_job.fit.pipeline import preprocessor
from taxon_training_job.fit.training import Training, literals
from taxon_training_job.judge.figures import Figures
from taxon_training_job.measure import Answers

DENSE_CLASSES = 8
"""Classes beyond which a forest, a number per node and class, is mostly zeros and compressed."""


def contents(
    training: Training,
    served: Serving,
    golden_answers: bytes,
    figures: Figures,
    predicted: OutOfFold,
) -> dict[str, bytes]:
    """Return every file the manifest will list, by name."""
    answers = Answers(
        predicted.target,
        served.classifier.labels(predicted.probabilities),
        predicted.probabilities,
        training.positive,
    )
    profile = reference(training, figures.importances, predicted.row, answers)
    return {
        layout.SERVING_NAME: served.graph,
        layout.METRICS_NAME: metrics(training, figures),
        layout.REFERENCE_NAME: profile.encode(),
        layout.OUT_OF_FOLD_NAME: out_of_fold_file(predicted),
        layout.GOLDEN_NAME: golden_answers,
        layout.MODEL_CARD_NAME: model_card(training, figures, profile),
        **pickles(training.pipeline),
    }


def metrics(training: Training, figures: Figures) -> bytes:
    """Return the evaluation: metrics with intervals, confusion matrix, importances."""
    return _json(
        {
            "metrics": [value.model_dump() for value in figures.values],
            "confusion": {"classes": list(training.examples.classes), "counts": figures.confusion},
            "importances": figures.importances,
            "rows": training.rows.model_dump(),
            "parameters": literals(training.parameters),
            "constant_features": list(training.examples.constant),
            "split": training.split.rule.record(),
        }
    )


def out_of_fold_file(predicted: OutOfFold) -> bytes:
    """Return the predictions as compressed numpy arrays, which load without running code."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        row=predicted.row.astype("<i8"),
        target=predicted.target.astype("<i4"),
        fold=predicted.fold.astype("<i4"),
        probabilities=predicted.probabilities.astype("<f8"),
    )
    return buffer.getvalue()


def pickles(pipeline: Pipeline) -> dict[str, bytes]:
    """Return the fitted objects for people and notebooks; the server never loads them."""
    return {
        layout.MODEL_NAME: _joblib(pipeline, dense=len(pipeline.classes_) <= DENSE_CLASSES),
        layout.PREPROCESSOR_NAME: _joblib(preprocessor(pipeline)),
    }


def _joblib(value: object, *, dense: bool = True) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer, compress=0 if dense else ("zlib", 1))
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()

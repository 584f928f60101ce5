"""What a bundle is filled with: the same training gives the same bytes."""

import io
import json
from dataclasses import dataclass
from importlib.metadata import version
from platform import python_version
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from taxon_bundle.bundle import files_of
from taxon_bundle.classifier import Classifier
from taxon_contracts import manifest as layout
from taxon_contracts.manifest import File, Manifest, SignatureFeature
from taxon_contracts.run import MetricValue, Rows, RunRequest
from taxon_training_job.data.examples import Examples
from taxon_training_job.data.split import Split
from taxon_training_job.parity import tolerance
from taxon_training_job.pipeline import fits_float32, preprocessor
from taxon_training_job.search import Parameters, Trial

GOLDEN_ROWS = 32
QUANTILES = 10
LIBRARIES = ("joblib", "numpy", "onnx", "onnxruntime", "pandas", "scikit-learn", "scipy")
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Training:
    """Everything a finished training knows."""

    request: RunRequest
    dataset_digest: str
    examples: Examples
    split: Split
    parameters: Parameters
    trials: tuple[Trial, ...]
    pipeline: Pipeline
    graph: bytes

    @property
    def positive(self) -> int | None:
        """Return the positive class's position for a binary model."""
        return positive_index(self.request, self.examples.classes)

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

    def manifest(self, contents: dict[str, bytes]) -> Manifest:
        """Return the manifest that seals these files."""
        return self._manifest(files_of(contents))

    def classifier(self) -> Classifier:
        """Return the serving classifier as it will answer once sealed."""
        return Classifier.from_graph(self.graph, self._manifest({}))

    def _manifest(self, files: dict[str, File]) -> Manifest:
        kept, classes = set(self.examples.kept), self.examples.classes
        threshold = self.request.identity.pipeline.threshold
        positive = self.positive
        return Manifest(
            namespace=self.request.namespace,
            model=self.request.model,
            version=self.request.version,
            files=files,
            features=tuple(
                SignatureFeature(name=name, dropped=index not in kept)
                for index, name in enumerate(self.examples.features)
            ),
            classes=classes,
            positive_class=None if positive is None else classes[positive],
            threshold=(
                None if positive is None else DEFAULT_THRESHOLD if threshold is None else threshold
            ),
            classifier=self.request.identity.pipeline.classifier.type,
            dataset_digest=self.dataset_digest,
            libraries={"python": python_version()} | {name: version(name) for name in LIBRARIES},
        )


def positive_index(request: RunRequest, classes: tuple[str, ...] | tuple[int, ...]) -> int | None:
    """Return the position of the class the threshold is for; None beyond two classes."""
    if len(classes) > 2:  # noqa: PLR2004 - two is what binary means
        return None
    named = request.identity.dataset.positive_class
    return [str(label) for label in classes].index(named) if named is not None else 1


def golden_rows(training: Training) -> NDArray[np.float64]:
    """Return rows to compare answers on: a sample, the medians, and each feature's extremes.

    Extremes of several features need not have met in a row; their products may overflow.
    """
    rows, seed = training.examples.rows, training.request.identity.seed
    count = min(GOLDEN_ROWS - 3, len(rows))
    sample = rows[np.random.default_rng(seed).choice(len(rows), count, replace=False)]
    extremes = np.stack([rows.min(axis=0), np.median(rows, axis=0), rows.max(axis=0)])
    chosen = np.concatenate([sample, extremes])
    kept = chosen[:, list(training.examples.kept)]
    usable: NDArray[np.float64] = chosen[fits_float32(preprocessor(training.pipeline), kept)]
    return usable


def golden(training: Training, rows: NDArray[np.float64], classifier: Classifier) -> bytes:
    """Return scikit-learn's own answers on ``rows``."""
    probabilities = training.pipeline.predict_proba(rows[:, list(training.examples.kept)])
    labels = classifier.labels(probabilities)
    return _json(
        {
            "tolerance": tolerance(training.pipeline),
            "rows": rows.tolist(),
            "probabilities": probabilities.tolist(),
            "labels": [training.examples.classes[index] for index in labels],
        }
    )


def metrics(
    values: tuple[MetricValue, ...],
    confusion: list[list[int]],
    importances: dict[str, float],
    training: Training,
) -> bytes:
    """Return the held-out figures: metrics with intervals, confusion matrix, importances."""
    return _json(
        {
            "metrics": [value.model_dump() for value in values],
            "confusion": {"classes": list(training.examples.classes), "counts": confusion},
            "importances": importances,
            "rows": training.rows.model_dump(),
            "constant_features": list(training.examples.constant),
            "split": {
                "seed": training.request.identity.seed,
                "below": list(training.split.below),
            },
        }
    )


def reference(training: Training) -> bytes:
    """Return each feature's profile on the training rows, to see drift by."""
    rows = training.examples.rows[training.split.train]
    return _json(
        {name: _profile(rows[:, index]) for index, name in enumerate(training.examples.features)}
    )


def _profile(values: NDArray[np.float64]) -> dict[str, Any]:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, QUANTILES + 1)))
    counts = np.histogram(values, bins=edges)[0] if len(edges) > 1 else np.array([len(values)])
    return {
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
    }


def pickles(pipeline: Pipeline) -> dict[str, bytes]:
    """Return the fitted objects for people and notebooks; the server never loads them."""
    return {
        layout.MODEL_NAME: _joblib(pipeline),
        layout.PREPROCESSOR_NAME: _joblib(preprocessor(pipeline)),
    }


def _joblib(value: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()

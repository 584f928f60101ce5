"""The manifest of a training: its files, and the inputs and classes of its classifier."""

from collections.abc import Mapping
from importlib.metadata import version
from platform import python_version

from taxon_bundle.bundle import files_of
from taxon_contracts.datasets import dataset_of
from taxon_contracts.manifest import Manifest, format_of
from taxon_training_job.fit.training import Training

LIBRARIES = ("joblib", "numpy", "onnx", "onnxruntime", "pandas", "scikit-learn", "scipy")


def manifest(training: Training, files: Mapping[str, bytes]) -> Manifest:
    """Return the manifest that seals these files."""
    request, examples, positive = training.request, training.examples, training.positive
    features = training.codec.features
    return Manifest(
        format_version=format_of(features),
        namespace=request.namespace,
        model=request.model,
        version=request.version,
        files=files_of(files),
        features=features,
        classes=examples.classes,
        positive_class=None if positive is None else examples.classes[positive],
        threshold=None if positive is None else training.threshold,
        classifier=request.identity.pipeline.classifier.type,
        dataset_digest=training.dataset_digest,
        dataset=dataset_of(request.source),
        libraries={"python": python_version()} | {name: version(name) for name in LIBRARIES},
    )

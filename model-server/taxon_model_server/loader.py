"""From a bundle to a classifier that is ready: verified, loaded, and proven on its golden rows."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from taxon_bundle.bundle import Bundle, BundleError, open_bundle, verify
from taxon_bundle.classifier import Classifier, check_golden
from taxon_bundle.codec import Codec, Value
from taxon_contracts.manifest import GOLDEN_NAME, MANIFEST_NAME, METRICS_NAME


@dataclass(frozen=True)
class Model:
    """A bundle that was verified and loaded, and has answered its golden rows.

    ``metrics`` are those of the held-out rows, ``importances`` those of the features; ``example``
    is one of the golden rows, in the order of the features.
    """

    classifier: Classifier
    digest: str
    metrics: list[dict[str, Any]]
    importances: dict[str, float]
    example: list[Value]

    @cached_property
    def version(self) -> str:
        """Return the version's id."""
        return self.classifier.manifest.version

    @property
    def codec(self) -> Codec:
        """Return what turns a client's rows into the classifier's, and back."""
        return self.classifier.codec

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Return every input's name in order, dropped ones included."""
        return self.classifier.features

    @cached_property
    def classes_json(self) -> str:
        """Return the classes as the JSON text V2 parameters carry, which hold no lists."""
        return json.dumps(self.classifier.classes, ensure_ascii=False)


def load_model(uri: str, digest: str, *, version: str | None = None) -> Model:
    """Verify a bundle, load it, and check that it answers its golden rows.

    Args:
        uri: where the bundle is.
        digest: digest of its manifest.
        version: version id it must have; None accepts any.

    Raises:
        BundleError: it is not the requested bundle, or is incomplete or damaged.
        StorageError: storage did not return it.
    """
    bundle = open_bundle(uri, digest)
    verify(bundle)
    _check_version(bundle, version)
    classifier = Classifier.load(bundle)
    golden = bundle.read(GOLDEN_NAME)
    check_golden(classifier, golden)
    figures = json.loads(bundle.read(METRICS_NAME))
    return Model(
        classifier,
        bundle.digest,
        metrics=figures["metrics"],
        importances=figures["importances"],
        example=_example(classifier.codec, json.loads(golden)["rows"]),
    )


def _example(codec: Codec, rows: list[list[Value]]) -> list[Value]:
    """Return the first row without a gap and without an unseen category; else the first."""
    for row in rows:
        encoded = codec.encode_rows([row])
        if not np.isnan(encoded.rows).any() and not encoded.unseen:
            return row
    return rows[0]


def _check_version(bundle: Bundle, version: str | None) -> None:
    if version and version != bundle.manifest.version:
        raise BundleError(
            MANIFEST_NAME,
            f"{bundle.uri} is version {bundle.manifest.version}, but {version} was requested:"
            " give that version's bundle, or leave the version out",
        )

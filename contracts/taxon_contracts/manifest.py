"""The manifest that seals a bundle: its files, inputs and classes.

A bundle's digest is the SHA-256 of its manifest's bytes. The manifest lists every other file with
its own SHA-256, so the one digest pins them all.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from taxon_contracts.canonical import canonical_json
from taxon_contracts.datasets import DatasetReference
from taxon_contracts.document import Digest, Document, Version
from taxon_contracts.resource import FeatureType

FORMAT_VERSION = 2
"""The newest format. Bundles whose inputs are all numbers without gaps are still written as 1."""
MANIFEST_NAME = "manifest.json"
RUN_RECORD_NAME = "run.json"
"""Times, host and trials: not part of the digest."""

SERVING_NAME = "classifier.onnx"
MODEL_NAME = "model.joblib"
PREPROCESSOR_NAME = "preprocessor.joblib"
METRICS_NAME = "metrics.json"
REFERENCE_NAME = "reference.json"
OUT_OF_FOLD_NAME = "out-of-fold.npz"
GOLDEN_NAME = "golden.json"
MODEL_CARD_NAME = "model-card.md"
BUNDLE_FILES = (
    SERVING_NAME,
    MODEL_NAME,
    PREPROCESSOR_NAME,
    METRICS_NAME,
    REFERENCE_NAME,
    OUT_OF_FOLD_NAME,
    GOLDEN_NAME,
    MODEL_CARD_NAME,
)

FileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=64)]


class File(Document):
    """One file of a bundle."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class SignatureFeature(Document):
    """One input, and how its values are written; dropped ones are accepted and ignored.

    ``gaps`` says whether a missing value is accepted. ``categories`` are those of the training
    rows, the most frequent first; the classifier knows a category by its position among them.
    """

    name: str
    dropped: bool = False
    type: FeatureType = "Numeric"
    gaps: bool = False
    categories: tuple[str, ...] = ()


def format_of(features: Iterable[SignatureFeature]) -> Literal[1, 2]:
    """Return the format of a bundle with these inputs.

    A reader of format 1 takes every input for a number that is always there.
    """
    wider = any(one.gaps or one.type == "Categorical" for one in features)
    return 2 if wider else 1


Classes = tuple[str, ...] | tuple[int, ...]
"""A model's classes, in the order of the probabilities."""


def positive_index(classes: Classes, named: str | int | None) -> int | None:
    """Return the position of the class the threshold is for; None beyond two classes.

    Args:
        classes: the classes in the order of the probabilities.
        named: the positive class, as itself or as text; the last class where it is None.

    Raises:
        ValueError: ``named`` is not one of two classes.
    """
    if len(classes) > 2:  # noqa: PLR2004 - two is what binary means
        return None
    return len(classes) - 1 if named is None else [*map(str, classes)].index(str(named))


class Manifest(Document):
    """The content of a bundle."""

    format_version: Literal[1, 2] = 1
    namespace: str
    model: str
    version: Version
    files: dict[FileName, File]
    features: tuple[SignatureFeature, ...] = Field(min_length=1)
    classes: Classes = Field(min_length=2, description="In the order of the probabilities.")
    positive_class: str | int | None = Field(
        default=None, description="Binary models only: the class the threshold is for."
    )
    threshold: float | None = Field(default=None, description="Binary models only.")
    classifier: str
    dataset_digest: Digest
    dataset: DatasetReference | None = Field(
        default=None, description="The data set it was trained on; None for a file."
    )
    libraries: dict[str, str]

    @model_validator(mode="after")
    def _binary_has_a_positive_class(self) -> "Manifest":
        binary = len(self.classes) == 2  # noqa: PLR2004 - two is what binary means
        stated = self.positive_class is not None and self.threshold is not None
        if binary != stated or (binary and self.positive_class not in self.classes):
            raise ValueError("exactly a binary model has a positive class and a threshold")
        return self

    @model_validator(mode="after")
    def _format_fits_the_features(self) -> "Manifest":
        if self.format_version != format_of(self.features):
            raise ValueError("format 2 is for categories and missing values, format 1 for neither")
        return self

    @cached_property
    def positive_index(self) -> int | None:
        """Return the position of the positive class; None beyond two classes."""
        return positive_index(self.classes, self.positive_class)

    def encode(self) -> bytes:
        """Return the bytes that seal a bundle and are the input of its digest.

        Only for sealing: a reader keeps the bytes it verified, because another release may have
        written fields this one does not know.
        """
        content = self.model_dump(mode="json")
        if self.dataset is None:
            del content["dataset"]
        content["features"] = [
            {"name": one.name, "dropped": one.dropped}
            | one.model_dump(mode="json", exclude_defaults=True)
            for one in self.features
        ]
        return canonical_json(content)


def object_key(name: str, sha256: str) -> str:
    """Return the key of a file below the bundle's folder.

    The key carries the content's digest, so two attempts of one run cannot mix their files.
    """
    return f"{sha256}/{name}"

"""The trainer's request and its result."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, ValidationInfo, field_validator

from taxon_contracts import names
from taxon_contracts.document import UNKNOWN_WHEN_SALVAGING, Digest, Document, Version
from taxon_contracts.gate import ChampionComparison, GateReason
from taxon_contracts.resource import Gate, Identity, Tracking
from taxon_contracts.scores import ScoreName
from taxon_contracts.sentences import fitted

RUN_VARIABLE = "TAXON_RUN"
RUN_MAX_BYTES = 96 * 1024
RESULT_MAX_BYTES = 4000
MESSAGE_KEPT_BYTES = 400
"""Bytes a message is cut to, at a word, before other fields are shortened."""

EXIT_FINAL = 65
"""Bad data or a bad spec: the same run fails again (sysexits' EX_DATAERR)."""
EXIT_RETRYABLE = 75
"""Infrastructure: another attempt may succeed (sysexits' EX_TEMPFAIL)."""

FinalReason = Literal[
    "BundleCorrupt",
    "ClassMissing",
    "DatasetChanged",
    "DatasetNotFound",
    "DatasetUnreadable",
    "FeatureCopiesTarget",
    "FeatureMissing",
    "InfiniteValues",
    "InvalidParameter",
    "InvalidRun",
    "LabelsNotDiscrete",
    "MissingValues",
    "ModelTooLarge",
    "NonBooleanFeature",
    "NonNumericFeature",
    "ParityFailed",
    "SearchNotFinite",
    "SingleClass",
    "TargetMissing",
    "TooFewRows",
    "TooManyCategories",
    "TooManyFeatures",
    "UnsupportedFeature",
]
RetryableReason = Literal[
    "DatabaseUnavailable", "InternalError", "StorageDenied", "StorageUnavailable"
]


class ChosenParameter(Document):
    """A hyperparameter of the classifier that was fitted, its value as a Python literal."""

    name: Annotated[str, StringConstraints(max_length=64)]
    value: Annotated[str, StringConstraints(max_length=64)]


class Champion(Document):
    """The live version a candidate is compared with."""

    version: Version
    bundle_uri: str
    manifest_digest: Digest


class RunRequest(Document):
    """One training of a model, complete: the trainer reads nothing else.

    An unknown field of ``identity`` or ``gate`` is an error for every reader: a trainer that
    ignored it would train or accept something other than what the version's id stands for.
    """

    version: Version
    namespace: str
    model: Annotated[str, StringConstraints(pattern=names.MODEL_NAME_PATTERN)]
    source: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="s3:// URI, path or dataset://NAME/VERSION the table is read from",
        ),
    ]
    identity: Identity
    gate: Gate = Gate()
    tracking: Tracking = Tracking()
    destination: Annotated[
        str, Field(min_length=1, max_length=1024, description="s3:// URI or folder of the bundle")
    ]
    champion: Champion | None = None

    @field_validator("identity", "gate", mode="before")
    @classmethod
    def _understood_whole(cls, value: Any, info: ValidationInfo) -> Any:
        kind = Identity if info.field_name == "identity" else Gate
        if isinstance(value, kind):
            return value
        try:
            return kind.model_validate(value, extra="forbid")
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{path}: {first['msg']}") from error

    def encode(self) -> str:
        """Return the document for an environment variable: Kubernetes expands ``$(...)``.

        Fields that equal their default are left out, as in a version's id: a trainer of an
        earlier release understands every run that needs no later field.

        Raises:
            ValueError: the document is larger than the trainer's environment may be.
        """
        text = self.model_dump_json(by_alias=True, exclude_defaults=True).replace("$", "\\u0024")
        if len(text.encode()) > RUN_MAX_BYTES:
            raise ValueError(
                f"the run request is larger than {RUN_MAX_BYTES // 1024} KiB: list fewer features"
            )
        return text


class MetricValue(Document):
    """A metric of the held-out rows with its bootstrap interval (95 %)."""

    name: ScoreName
    value: float
    low: float
    high: float


class Rows(Document):
    """What became of the table's rows and columns."""

    train: int
    test: int
    duplicates: int = Field(description="rows that repeat an earlier one, class included")
    features: int
    constant_features: int = Field(description="accepted by the server and ignored")


class LeftOutColumn(Document):
    """A column of the table that is neither feature nor target, and why."""

    name: str
    why: str


class RunResult(Document):
    """The trainer's answer: scalars only, it has to fit a termination message."""

    version: Version | None = None
    outcome: Literal["Accepted", "Refused", "Failed"]
    reason: Annotated[
        GateReason | FinalReason | RetryableReason | Literal["Unknown"], UNKNOWN_WHEN_SALVAGING
    ]
    message: str
    bundle_uri: str | None = None
    manifest_digest: Digest | None = None
    dataset_digest: Digest | None = None
    rows: Rows | None = None
    metrics: tuple[MetricValue, ...] = ()
    champion: ChampionComparison | None = None
    parameters: tuple[ChosenParameter, ...] = Field(
        default=(), max_length=20, description="hyperparameters of the fitted classifier"
    )
    reused: bool = Field(default=False, description="an existing bundle was judged, none was made")
    left_out: tuple[LeftOutColumn, ...] = Field(
        default=(), description="the first columns that are not used; the trainer's log has all"
    )
    left_out_count: int = Field(default=0, description="how many columns are not used")

    def encode(self) -> str:
        """Return one line of at most ``RESULT_MAX_BYTES``.

        If it is too long, the last columns of ``left_out`` are dropped first; then a long message
        is cut, then the last parameters are dropped, then the message is cut further. Values that
        are not finite are left out, because JSON cannot express them.
        """
        result = self.model_copy(
            update={
                "metrics": tuple(one for one in self.metrics if _is_finite(one)),
                "champion": self.champion if _is_finite(self.champion) else None,
            }
        )
        while result.left_out and _excess(result) > 0:
            result = result.model_copy(update={"left_out": result.left_out[:-1]})
        result = _with_cut_message(result, MESSAGE_KEPT_BYTES)
        while result.parameters and _excess(result) > 0:
            result = result.model_copy(update={"parameters": result.parameters[:-1]})
        return _line(_with_cut_message(result, 0))


def _is_finite(figures: Document | None) -> bool:
    """Return whether every number of a document is one that JSON can write."""
    values = figures.model_dump().values() if figures else ()
    return all(math.isfinite(value) for value in values if isinstance(value, float))


def _with_cut_message(result: RunResult, keep: int) -> RunResult:
    """Return a result with as much of its message as fits, and no less than ``keep`` bytes hold."""
    message, most = result.message, len(result.message.encode())
    while (excess := _excess(result)) > 0 and most > keep:
        most = max(keep, most - excess)
        result = result.model_copy(update={"message": fitted(message, most)})
    return result


def _line(result: RunResult) -> str:
    return result.model_dump_json(exclude_defaults=True)


def _excess(result: RunResult) -> int:
    return len(_line(result).encode()) - RESULT_MAX_BYTES

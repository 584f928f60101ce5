"""What the trainer is asked, and what it answers."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from taxon_contracts import names
from taxon_contracts.document import Digest, Document, Version
from taxon_contracts.gate import ChampionComparison, GateReason
from taxon_contracts.resource import Gate, Identity, Tracking
from taxon_contracts.scores import ScoreName

RUN_VARIABLE = "TAXON_RUN"
RUN_MAX_BYTES = 96 * 1024
RESULT_MAX_BYTES = 4000

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
    "NonNumericFeature",
    "ParityFailed",
    "SearchNotFinite",
    "SingleClass",
    "TargetMissing",
    "TooFewRows",
    "TooManyFeatures",
]
RetryableReason = Literal["InternalError", "StorageDenied", "StorageUnavailable"]


class Champion(Document):
    """The live version a candidate is compared with."""

    version: Version
    bundle_uri: str
    manifest_digest: Digest


class RunRequest(Document):
    """One training of a model, complete: nothing else is looked up."""

    version: Version
    namespace: str
    model: Annotated[str, StringConstraints(pattern=names.MODEL_NAME_PATTERN)]
    source: Annotated[
        str,
        Field(
            min_length=1, max_length=1024, description="s3:// URI or path the table is read from"
        ),
    ]
    identity: Identity
    gate: Gate = Gate()
    tracking: Tracking = Tracking()
    destination: Annotated[
        str, Field(min_length=1, max_length=1024, description="s3:// URI or folder of the bundle")
    ]
    champion: Champion | None = None

    def encode(self) -> str:
        """Return the document for an environment variable: Kubernetes expands ``$(...)``.

        Raises:
            ValueError: the document is larger than the trainer's environment may be.
        """
        text = self.model_dump_json(by_alias=True, exclude_none=True).replace("$", "\\u0024")
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
    duplicates: int = Field(description="rows that repeat an earlier one; they share its side")
    features: int
    constant_features: int = Field(description="accepted by the server and ignored")


class RunResult(Document):
    """The trainer's answer: scalars only, it has to fit a termination message."""

    version: Version | None = None
    outcome: Literal["Accepted", "Refused", "Failed"]
    reason: GateReason | FinalReason | RetryableReason
    message: str
    bundle_uri: str | None = None
    manifest_digest: Digest | None = None
    dataset_digest: Digest | None = None
    rows: Rows | None = None
    metrics: tuple[MetricValue, ...] = ()
    champion: ChampionComparison | None = None
    reused: bool = Field(default=False, description="an existing bundle was judged, none was made")

    def encode(self) -> str:
        """Return one line of at most ``RESULT_MAX_BYTES``; a long message is cut, nothing else."""
        line = self.model_dump_json(exclude_none=True)
        excess = len(line.encode()) - RESULT_MAX_BYTES
        if excess <= 0:
            return line
        kept = self.message.encode()[: max(0, len(self.message.encode()) - excess - 16)]
        return self.shortened(kept.decode(errors="ignore") + "...").encode()

    def shortened(self, message: str) -> Self:
        """Return the same result with another message."""
        return self.model_copy(update={"message": message})

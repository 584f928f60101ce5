"""Rows in PostgreSQL's binary COPY format and the columns they have.

Imports no SQL library: the server builds and keeps such rows before it loads one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Intake = Literal["predictions", "labels"]

PREDICTION_COLUMNS = (
    "id",
    "namespace",
    "model",
    "version",
    "time",
    "request_id",
    "features",
    "categories",
    "label",
    "confidence",
    "probabilities",
    "latency_seconds",
    "outcome",
    "transport",
    "mirrored",
)
"""``features`` is float8[] in the signature's order: a boolean as 0 or 1, NULL for a missing value
and in the place of a category. ``categories`` is text[] with the categorical features only, in the
signature's order; NULL as a whole where there are none. ``label`` is jsonb."""
LABEL_COLUMNS = (
    "id",
    "namespace",
    "model",
    "prediction_id",
    "request_id",
    "label",
    "observed_at",
    "received_at",
    "submitter",
)


@dataclass(frozen=True)
class SignatureColumn:
    """A feature of a version's rows: its name and its type (Numeric, Categorical, Boolean)."""

    name: str
    type: str


@dataclass(frozen=True)
class Signature:
    """What the arrays of a version's rows stand for, and how long they are kept (None: default)."""

    namespace: str
    model: str
    version: str
    features: tuple[SignatureColumn, ...]
    retention_days: int | None = None


@dataclass(frozen=True)
class Rows:
    """Rows for one table; ``payload`` has no header and no trailer, so payloads may be joined."""

    table: Intake
    columns: tuple[str, ...]
    count: int
    payload: bytes
    signatures: Sequence[Signature] = field(default=())

"""reference.json: what a version's training rows were like, which later rows are compared with.

An ordered column has bins. ``edges`` [e] part the numbers into e + 1 of them, as PostgreSQL's
``width_bucket(value, edges)`` and ``bisect.bisect_right(edges, value)`` number them: the first is
below every training row and the last above, so both hold none.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from taxon_contracts.document import Document, salvage
from taxon_contracts.manifest import Classes

REFERENCE_FORMAT = 2
"""Of the profile; a bundle of an earlier release has one of another form, which has no bins for
values beyond the training rows."""
MOST_CATEGORIES = 50
"""Categories of a column that are counted one by one."""

Count = Annotated[int, Field(ge=0)]
Role = Literal["Feature", "Confidence", "Answer"]


class Part(Document):
    """A part of the profile, whose JSON names are camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Profile(Part):
    """What every kind of column has; ``rows`` includes the ``missing`` ones."""

    name: str
    role: Role = Field(
        default="Feature",
        description="Confidence and Answer are of the out-of-fold predictions.",
    )
    rows: Count
    missing: Count
    importance: float | None = Field(
        default=None, ge=0, description="Fall of the model's metric; features only."
    )


class Ordered(Profile):
    """Numbers; false is 0 and true is 1. The figures are of the values that are there."""

    kind: Literal["Ordered"]
    edges: tuple[float, ...]
    counts: tuple[Count, ...]
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bins_fit(self) -> "Ordered":
        _check_edges(self.edges, self.counts)
        if sum(self.counts) != self.rows - self.missing:
            raise ValueError("counts are of every row that has a value")
        return self


class Nominal(Profile):
    """Categories, the most frequent first; ``other`` counts those beyond ``MOST_CATEGORIES``.

    ``unseen`` counts those that no training row had, so it is 0 here.
    """

    kind: Literal["Nominal"]
    categories: Classes = Field(max_length=MOST_CATEGORIES)
    counts: tuple[Count, ...]
    other: Count
    unseen: Count

    @model_validator(mode="after")
    def _counts_fit(self) -> "Nominal":
        if len(self.counts) != len(self.categories):
            raise ValueError("there is one count for each category")
        if sum(self.counts) + self.other + self.unseen != self.rows - self.missing:
            raise ValueError("counts are of every row that has a value")
        return self


class Confidence(Part):
    """How often answers were right by confidence, the probability of the answer.

    All of it is counted: bin 0 is below the first edge, the last one above the last.
    """

    edges: tuple[float, ...]
    rows: tuple[Count, ...]
    right: tuple[Count, ...]

    @model_validator(mode="after")
    def _bins_fit(self) -> "Confidence":
        _check_edges(self.edges, self.rows)
        if len(self.right) != len(self.rows):
            raise ValueError("each bin has a number of right answers")
        if any(right > rows for right, rows in zip(self.right, self.rows, strict=True)):
            raise ValueError("no bin has more right answers than rows")
        return self


class Reference(Part):
    """The profile of a version's training rows: features in the signature's order, then the rest.

    Without out-of-fold predictions there is no column of confidence and answers, no ``confidence``
    and no ``shift_error``.
    """

    format: Literal[2]
    columns: tuple[Annotated[Ordered | Nominal, Field(discriminator="kind")], ...]
    confidence: Confidence | None = None
    shift_error: float | None = Field(
        default=None,
        ge=0,
        description="How far estimated accuracy was off when rows were weighted by a feature.",
    )
    out_of_fold_rows: Count

    def encode(self) -> bytes:
        """Return the bytes of a bundle's file."""
        content = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return json.dumps(
            content, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()


def read_reference(content: bytes) -> Reference | None:
    """Return the profile in a bundle's file; None where an earlier release wrote another form.

    What a newer release added is ignored, and a column of a kind it added is left out.

    Raises:
        ValueError: it is no profile, or one of a newer format.
    """
    document: Any = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError("reference.json is not a profile")  # noqa: TRY004 - as what is no JSON
    form = document.get("format")
    if not isinstance(form, int) or form < REFERENCE_FORMAT:  # a feature may have this name
        return None
    if form > REFERENCE_FORMAT:
        raise ValueError(
            f"reference.json has format {form}, newer than the {REFERENCE_FORMAT} this release"
            " reads: upgrade Taxon here"
        )
    try:
        return salvage(Reference, document)
    except ValidationError as error:
        raise ValueError(f"reference.json: {error.errors()[0]['msg']}") from error


def _check_edges(edges: Sequence[float], counts: Sequence[int]) -> None:
    if any(low >= high for low, high in pairwise(edges)):
        raise ValueError("edges ascend")
    if len(counts) != len(edges) + 1:
        raise ValueError("there is a count for each bin, and one bin more than edges")

"""What a version must reach before it may be rolled out."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from taxon_contracts.resource.part import Number, Part, list_map, published, rule
from taxon_contracts.scores import ScoreName

LIMIT_NEEDS_A_BOUND = "a limit needs min, max or both, and min must be at most max"


class Limit(Part):
    """Bounds on one metric of the held-out rows."""

    model_config = published(
        rule(
            "(has(self.min) || has(self.max)) &&"
            " (!has(self.min) || !has(self.max) || self.min <= self.max)",
            LIMIT_NEEDS_A_BOUND,
        )
    )

    metric: ScoreName = Field(description="Metric of the held-out rows.")
    min: Number | None = Field(default=None, description="Smallest value that passes.")
    max: Number | None = Field(default=None, description="Largest value that passes.")

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError(LIMIT_NEEDS_A_BOUND)
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(LIMIT_NEEDS_A_BOUND)
        return self


class ChampionRule(Part):
    """The comparison with the live version."""

    margin: Number = Field(
        default=0.01,
        ge=0,
        le=1,
        description="A version is refused when a paired test on the same held-out rows shows that"
        " it is worse than the live one by more than this. 1 turns the comparison off.",
    )


class Gate(Part):
    """What a version must reach before it may be rolled out."""

    limits: (
        Annotated[
            tuple[Limit, ...],
            Field(
                max_length=9,
                json_schema_extra=list_map("metric"),
            ),
        ]
        | None
    ) = Field(default=None, description="Bounds on the metrics of the held-out rows.")
    champion: ChampionRule = Field(
        default=ChampionRule(), description="The comparison with the live version."
    )

    @model_validator(mode="after")
    def _one_limit_per_metric(self) -> Self:
        listed = [limit.metric for limit in self.limits or ()]
        if len(set(listed)) != len(listed):
            raise ValueError("limits must name each metric once: join the repeated ones")
        return self

"""Whether a version may be rolled out at all: numbers in, verdict with reasons out."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from taxon_contracts.document import Document
from taxon_contracts.figures import beside, exact, readable
from taxon_contracts.resource import Gate, Limit
from taxon_contracts.scores import ScoreName

GateReason = Literal["LimitsMet", "LimitNotMet", "WorseThanChampion", "MetricNotFinite"]


class ChampionComparison(Document):
    """A candidate against the live version on the same held-out rows."""

    version: str
    metric: ScoreName
    candidate: float
    champion: float
    gain: float = Field(description="By how much the candidate is better; negative when worse.")
    low: float = Field(description="Lower end of the paired bootstrap's 95 % interval of the gain.")
    high: float = Field(description="Upper end of that interval.")


class Verdict(Document):
    """The gate's decision."""

    passed: bool
    reason: GateReason
    message: Annotated[str, Field(max_length=1024)]


def judge(
    gate: Gate, metrics: Mapping[ScoreName, float], comparison: ChampionComparison | None
) -> Verdict:
    """Decide whether a version with these figures may be rolled out.

    The candidate is refused when the whole 95 % interval of its paired gain over the champion is
    below ``-margin``: the rows show that it is worse by more than the margin.

    Args:
        gate: the limits and the margin.
        metrics: each metric's value on the held-out rows.
        comparison: the candidate against the live version, on the same rows; None without one.
    """
    limits = gate.limits or ()
    broken = [sentence for limit in limits if (sentence := _broken(limit, metrics))]
    if any(not math.isfinite(metrics.get(limit.metric, math.nan)) for limit in limits):
        return Verdict(passed=False, reason="MetricNotFinite", message="; ".join(broken)[:1024])
    if broken:
        return Verdict(passed=False, reason="LimitNotMet", message="; ".join(broken)[:1024])
    margin = gate.champion.margin
    if comparison and margin < 1 and not comparison.high >= -margin:
        return Verdict(passed=False, reason="WorseThanChampion", message=_worse(comparison, margin))
    held = [_bounds(limit, metrics[limit.metric]) for limit in limits]
    if comparison and margin < 1:
        held.append(
            f"{comparison.metric} {readable(comparison.candidate)}, live {comparison.version} has"
            f" {readable(comparison.champion)}"
        )
    return Verdict(
        passed=True, reason="LimitsMet", message="; ".join(held)[:1024] or "no limits are set"
    )


def _broken(limit: Limit, metrics: Mapping[ScoreName, float]) -> str:
    """Return what is wrong with one metric, or None."""
    value = metrics.get(limit.metric, math.nan)
    if not math.isfinite(value):
        return f"{limit.metric} has no finite value on the held-out rows"
    if limit.min is not None and value < limit.min:
        return f"{limit.metric} {beside(value, limit.min)} is below the limit {exact(limit.min)}"
    if limit.max is not None and value > limit.max:
        return f"{limit.metric} {beside(value, limit.max)} is above the limit {exact(limit.max)}"
    return ""


def _bounds(limit: Limit, value: float) -> str:
    """Return how a metric meets its limits, as ``0.8 <= roc_auc 0.9951``."""
    low = f"{exact(limit.min)} <= " if limit.min is not None else ""
    high = f" <= {exact(limit.max)}" if limit.max is not None else ""
    bounds = [bound for bound in (limit.min, limit.max) if bound is not None]
    shown = max((beside(value, bound) for bound in bounds), key=len)
    return f"{low}{limit.metric} {shown}{high}"


def _worse(comparison: ChampionComparison, margin: float) -> str:
    return (
        f"{comparison.metric} {readable(comparison.candidate)} is worse than the"
        f" {readable(comparison.champion)} of live {comparison.version} by more than"
        f" {exact(margin)} (gain {readable(comparison.gain)}, 95 % interval"
        f" {readable(comparison.low)} to {beside(comparison.high, -margin)})"
    )

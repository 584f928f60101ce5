"""The gate's current verdict on a version: its limits may have been edited since."""

from typing import cast

from taxon_contracts.gate import Verdict, judge
from taxon_contracts.reasons import AGAIN, REASONS
from taxon_contracts.resource import Gate
from taxon_contracts.scores import ScoreName
from taxon_contracts.status import VersionRecord
from taxon_controller.domain.actions import Finding

BY_LIMITS = ("LimitNotMet", "MetricNotFinite")
"""Refusals that depend on the limits and the version's own figures only."""


def refusal(record: VersionRecord, gate: Gate) -> Finding:
    """Return why a version was refused and what to do, by the current limits."""
    verdict = _by_todays_limits(record, gate) if record.reason in BY_LIMITS else None
    if verdict is not None and verdict.passed:
        return Finding(
            "GateChanged",
            f"{record.version} was refused ({record.message}), but meets the current limits:"
            f" {AGAIN} to train and judge again",
        )
    known = REASONS.get(record.reason)
    reason = record.reason if known and "GatePassed" in known.types else "Unknown"
    said = record.message
    if verdict is not None and verdict.message not in said:
        said = f"{verdict.message}, by the current limits"
    return Finding(reason, f"{record.version}: {said}; {REASONS[reason].remedy}")


def no_longer_met(record: VersionRecord, gate: Gate) -> Finding | None:
    """Return that a version which passed does not meet the current limits, if so."""
    verdict = _by_todays_limits(record, gate)
    if verdict is None or verdict.passed:
        return None
    return Finding(
        "GateChanged",
        f"{record.version} passed, but does not meet the current limits: {verdict.message}; it"
        f" is not rolled back: {AGAIN} to train and judge another version",
    )


def pass_message(record: VersionRecord, gate: Gate) -> str:
    """Return how a version passed: by today's limits where they differ."""
    verdict = _by_todays_limits(record, gate) if gate.limits else None
    if verdict is None or verdict.message in record.message:
        return record.message
    return f"{verdict.message}, by the current limits"


def _by_todays_limits(record: VersionRecord, gate: Gate) -> Verdict | None:
    """Judge a version's metrics by the current limits; return None if a metric is missing."""
    figures = {cast("ScoreName", one.name): float(one.value) for one in record.metrics or ()}
    if any(limit.metric not in figures for limit in gate.limits or ()):
        return None
    return judge(gate, figures, None)

"""What the conditions say, in the sense of kstatus."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from taxon_contracts.conditions import REASONS, ConditionType
from taxon_contracts.status import Condition, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.actions import Finding
from taxon_controller.domain.history import find, latest_of_spec
from taxon_controller.domain.model import Model
from taxon_controller.plan.rollout import RolloutPlan
from taxon_controller.plan.runs import RunPlan

MESSAGE_CHARACTERS = 1024
GOING_ON = ("Training", "RetryPending")
HELD_UP = ("CredentialsMissing", "WriteRefused")
"""Why a run cannot begin; told even if it would be one in the background."""
Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Statement:
    """A condition before it knows since when it holds."""

    type: ConditionType
    status: Truth
    reason: str
    message: str


def dated(model: Model, statements: tuple[Statement, ...], now: datetime) -> tuple[Condition, ...]:
    """Return the conditions; the time moves only when a status flips."""
    before = {one.type: one for one in model.status.conditions or ()}
    result = []
    for one in statements:
        if one.type not in REASONS[one.reason].types:
            raise ValueError(f"reason {one.reason} does not go with condition {one.type}")
        last = before.get(one.type)
        same = last is not None and last.status == one.status
        result.append(
            Condition(
                type=one.type,
                status=one.status,
                reason=one.reason,
                message=one.message[:MESSAGE_CHARACTERS],
                observed_generation=model.generation,
                last_transition_time=last.last_transition_time
                if last is not None and same
                else clock.text(now),
            )
        )
    return tuple(result)


def stalled(reason: str, message: str) -> tuple[Statement, ...]:
    """Return the statements of a model that waits for a person."""
    return (
        Statement("Ready", "False", reason, message),
        Statement("Stalled", "True", reason, message),
    )


def reconciling(reason: str, message: str) -> tuple[Statement, ...]:
    """Return the statements of a model that is on its way."""
    return (
        Statement("Ready", "False", reason, message),
        Statement("Reconciling", "True", reason, message),
    )


def describe(
    model: Model,
    runs: RunPlan,
    rollout: RolloutPlan,
    *,
    blocker: Finding | None,
    where: str,
    gateway_missing: bool,
) -> tuple[Statement, ...]:
    """Return every statement about a model.

    Args:
        model: which one.
        runs: where its runs stand.
        rollout: where its serving stands.
        blocker: what a person has to remove before anything new can happen.
        where: the URL the live version answers at.
        gateway_missing: a Gateway is configured, but the cluster has no Gateway API.
    """
    latest = latest_of_spec(model, rollout.records)
    ready = (
        stalled(blocker.reason, blocker.message)
        if blocker
        else _ready(model, runs, rollout, latest, where)
    )
    return (
        *ready,
        _trained(runs, latest, asked=_is_asked_for(model, rollout)),
        _gate_passed(latest),
        _serving(model, rollout, where, gateway_missing=gateway_missing),
    )


def _is_asked_for(model: Model, rollout: RolloutPlan) -> bool:
    """Tell whether the live version is what this generation asks for."""
    if rollout.live is None:
        return False
    if model.spec.pinned_version is not None:
        return rollout.live.version == model.spec.pinned_version
    if rollout.candidate is not None and _is_changing(model):
        return False
    record = find(rollout.records, rollout.live.version)
    return record is not None and model.asks_for(record)


def _is_changing(model: Model) -> bool:
    """Tell whether a change of the spec is on its way, and not only a run in the background."""
    going_on = any(one.type == "Reconciling" for one in model.status.conditions or ())
    return going_on or model.status.observed_generation != model.generation


def _ready(
    model: Model,
    runs: RunPlan,
    rollout: RolloutPlan,
    latest: VersionRecord | None,
    where: str,
) -> tuple[Statement, ...]:
    """Return Ready and, where it is not, what is going on or what a person has to do."""
    if rollout.blocked is not None:
        return stalled(rollout.blocked.reason, rollout.blocked.message)
    if rollout.live is not None and _is_asked_for(model, rollout):
        return _ready_when_live(rollout, rollout.live.version, where)
    if model.spec.suspend:
        return (Statement("Ready", "False", "Suspended", "spec.suspend stops runs and switches"),)
    return _on_the_way(runs, rollout, latest)


def _on_the_way(
    runs: RunPlan, rollout: RolloutPlan, latest: VersionRecord | None
) -> tuple[Statement, ...]:
    if rollout.phase is not None and rollout.candidate is not None:
        return reconciling(rollout.phase.reason, rollout.phase.message)
    if runs.phase is not None and runs.phase.reason in GOING_ON:
        return reconciling(runs.phase.reason, runs.phase.message)
    if runs.phase is not None:
        return stalled(runs.phase.reason, runs.phase.message)
    if latest is not None and latest.outcome != "Accepted":
        return stalled(latest.reason, latest.message)
    return reconciling("RollingOut", "the version is about to be rolled out")


def _ready_when_live(rollout: RolloutPlan, version: str, where: str) -> tuple[Statement, ...]:
    """Return what is ready once the version asked for has the traffic."""
    if rollout.live_down is not None:
        return (Statement("Ready", "False", rollout.live_down.reason, rollout.live_down.message),)
    if rollout.phase is not None and rollout.candidate is None:
        return reconciling(rollout.phase.reason, rollout.phase.message)
    return (Statement("Ready", "True", "VersionLive", f"{version} answers at {where}"),)


def _trained(runs: RunPlan, latest: VersionRecord | None, *, asked: bool) -> Statement:
    """Return where training stands; one in the background does not hide what is there."""
    phase = runs.phase
    if phase is not None and "Trained" in REASONS[phase.reason].types:  # noqa: SIM102 - two questions
        if not asked or latest is None or phase.reason in HELD_UP:
            return Statement("Trained", "False", phase.reason, phase.message)
    if latest is None:
        return Statement("Trained", "Unknown", "NotRun", "no run of this spec has begun")
    if latest.outcome == "Failed":
        return Statement("Trained", "False", latest.reason, latest.message)
    return Statement("Trained", "True", "Succeeded", f"{latest.version} was trained")


def _gate_passed(latest: VersionRecord | None) -> Statement:
    if latest is None or latest.outcome == "Failed":
        return Statement("GatePassed", "Unknown", "NotJudged", "there is no version to judge yet")
    if latest.outcome == "Refused":
        message = f"{latest.version}: {latest.message}"
        return Statement("GatePassed", "False", latest.reason, message)
    message = "it passed the gate" if latest.outcome == "Abandoned" else latest.message
    return Statement("GatePassed", "True", "LimitsMet", f"{latest.version}: {message}")


def _serving(model: Model, rollout: RolloutPlan, where: str, *, gateway_missing: bool) -> Statement:
    """Return whether the live version is served, and what became of one that was not."""
    if rollout.live is None:
        return Statement("Serving", "False", "NoVersion", "no version has the traffic yet")
    if rollout.live_down is not None:
        return Statement("Serving", "False", rollout.live_down.reason, rollout.live_down.message)
    message = f"{rollout.live.version} has ready servers"
    latest = latest_of_spec(model, rollout.records)
    if latest is not None and latest.outcome == "Abandoned":
        message = f"{message}; {latest.message}"
    if gateway_missing:
        message = f"{message}; there is no Gateway API, so it answers at {where} only"
        return Statement("Serving", "True", "ServingWithoutGateway", message)
    return Statement("Serving", "True", "VersionServing", message)

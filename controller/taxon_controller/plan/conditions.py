"""The conditions of a model, in the sense of kstatus."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from taxon_contracts.reasons import REASONS, ConditionType
from taxon_contracts.resource import Gate
from taxon_contracts.sentences import fitted
from taxon_contracts.status import Condition, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.actions import Finding
from taxon_controller.domain.history import carried_out, latest_of_spec
from taxon_controller.domain.model import Model
from taxon_controller.plan import gating
from taxon_controller.plan.blockers import SERVING_KINDS
from taxon_controller.plan.decided import Decision
from taxon_controller.plan.readiness import asked_for_is_live, first_finding, reported

HELD_UP = (
    "CredentialsMissing",
    "DatasetNotFound",
    "ImagePullFailed",
    "MonitorMissing",
    "ObjectBeingDeleted",
    "ReadFailed",
    "Unschedulable",
    "WriteRefused",
)
"""Why a run or its pod cannot start; reported also for runs in the background."""
Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Statement:
    """A condition without its transition time."""

    type: ConditionType
    status: Truth
    finding: Finding


def dated(model: Model, statements: tuple[Statement, ...], now: datetime) -> tuple[Condition, ...]:
    """Return the conditions; the time moves only when a status flips."""
    before = {one.type: one for one in model.status.conditions or ()}
    result = []
    for one in statements:
        reason, message = one.finding.reason, one.finding.message
        if one.type not in REASONS[reason].types:
            raise ValueError(f"reason {reason} does not fit condition {one.type}")
        last = before.get(one.type)
        same = last is not None and last.status == one.status
        result.append(
            Condition(
                type=one.type,
                status=one.status,
                reason=reason,
                message=fitted(message),
                observed_generation=model.generation,
                last_transition_time=last.last_transition_time
                if last is not None and same
                else clock.text(now),
            )
        )
    return tuple(result)


def describe(decision: Decision, where: str) -> tuple[Statement, ...]:
    """Return every statement about a model.

    Args:
        decision: the decision about it.
        where: the URL of the live version.
    """
    latest = latest_of_spec(decision.scene.model, decision.rollout.records)
    return (
        *_ready(decision, where),
        _trained(decision, latest),
        _gate_passed(latest, decision.scene.model.spec.gate),
        _serving(decision, latest, where),
    )


def not_ready(finding: Finding, companion: ConditionType | None) -> tuple[Statement, ...]:
    """Return Ready=False and Reconciling or Stalled, if the model is not Ready."""
    ready = Statement("Ready", "False", finding)
    return (ready, Statement(companion, "True", finding)) if companion else (ready,)


def _ready(decision: Decision, where: str) -> tuple[Statement, ...]:
    found = first_finding(decision)
    if found is not None:
        return not_ready(*found)
    live = decision.rollout.live
    assert live is not None  # noqa: S101 - the chain finds a model without one
    return (Statement("Ready", "True", _live(decision, f"{live.version} answers at {where}")),)


def _live(decision: Decision, answers: str) -> Finding:
    """Return the statement for a Ready model, which may be suspended or pinned."""
    spec = decision.scene.model.spec
    pinned = "spec.pinnedVersion keeps it live: remove it to follow the newest version"
    suspended = "spec.suspend stops runs and switches of traffic: set it to false to continue"
    match spec.suspend, spec.pinned_version is not None:
        case True, True:
            return Finding("Suspended", f"{answers}; {suspended}; {pinned}")
        case True, False:
            return Finding("Suspended", f"{answers}; {suspended}")
        case False, True:
            return Finding("Pinned", f"{answers}; {pinned}")
    return Finding("VersionLive", answers)


def _trained(decision: Decision, latest: VersionRecord | None) -> Statement:
    """Return the state of training; a run in the background does not hide an existing version."""
    phase = decision.runs.phase
    if phase is not None and "Trained" in REASONS[phase.reason].types:
        in_background = asked_for_is_live(decision) and latest is not None
        if not in_background or phase.reason in HELD_UP:
            return Statement("Trained", "False", phase)
    if latest is None:
        return Statement("Trained", "Unknown", Finding("NotRun", "no run of this spec has started"))
    if latest.outcome == "Failed":
        return Statement("Trained", "False", reported(latest, "Trained"))
    said = f"{latest.version} was trained{_waiting(phase)}{_carried_out(decision)}"
    return Statement("Trained", "True", Finding("Succeeded", said))


def _waiting(phase: Finding | None) -> str:
    """Return the sentence for a run in the background that waits for the monitor."""
    unknown = phase is not None and phase.reason == "DatasetVersionUnknown"
    return f"; {phase.message}" if phase is not None and unknown else ""


def _carried_out(decision: Decision) -> str:
    """Return the sentence for an annotation whose run has ended, so that it starts no other."""
    model = decision.scene.model
    if not model.retrain or decision.runs.phase is not None:
        return ""
    record = carried_out(model, decision.rollout.records)
    if record is None:
        return ""
    value = model.retrain.partition(":")[2]
    return (
        f"; the annotation taxon.dev/retrain={value} was carried out by {record.version} at"
        f" {record.completion_time}: a new value, such as $(date +%s), trains again"
    )


def _gate_passed(latest: VersionRecord | None, gate: Gate) -> Statement:
    if latest is None or latest.outcome == "Failed":
        nothing = Finding("NotJudged", "there is no version to judge yet")
        return Statement("GatePassed", "Unknown", nothing)
    if latest.outcome == "Refused":
        return Statement("GatePassed", "False", gating.refusal(latest, gate))
    changed = gating.no_longer_met(latest, gate)
    if changed is not None:
        return Statement("GatePassed", "Unknown", changed)
    abandoned = latest.outcome == "Abandoned"
    message = "it passed the gate" if abandoned else gating.pass_message(latest, gate)
    passed = Finding("LimitsMet", f"{latest.version}: {message}")
    return Statement("GatePassed", "True", passed)


def _serving(decision: Decision, latest: VersionRecord | None, where: str) -> Statement:
    """Return whether the live version is served, and why it is not."""
    scene, rollout = decision.scene, decision.rollout
    unread = scene.observed.unread_of(*SERVING_KINDS)
    if unread is not None:
        return Statement("Serving", "Unknown", unread)
    if rollout.live is None:
        nothing = Finding("NoVersion", "no version has the traffic yet")
        return Statement("Serving", "False", nothing)
    if rollout.live_down is not None:
        return Statement("Serving", "False", rollout.live_down)
    message = f"{rollout.live.version} has ready servers"
    if latest is not None and latest.outcome == "Abandoned":
        message = f"{message}; {latest.message}"
    if scene.settings.gateway is not None and not scene.observed.gateway:
        message = f"{message}; the cluster has no Gateway API, so it answers only at {where}"
        return Statement("Serving", "True", Finding("ServingWithoutGateway", message))
    return Statement("Serving", "True", Finding("VersionServing", message))

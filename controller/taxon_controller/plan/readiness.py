"""Whether a model is Ready: one ordered chain of checks, each named after the bad state it finds.

The first that finds something decides; a model in which none does is Ready.
"""

from collections.abc import Callable
from typing import Literal

from taxon_contracts.reasons import REASONS, ConditionType
from taxon_contracts.status import VersionRecord
from taxon_controller.domain.actions import Finding
from taxon_controller.domain.history import find, latest_of_spec
from taxon_controller.plan import gating
from taxon_controller.plan.decided import Decision
from taxon_controller.plan.edits import Edit

RUNNING = (
    "Training",
    "RetryPending",
    "DatasetVersionUnknown",
    "ObjectBeingDeleted",
    "Unschedulable",
    "ImagePullFailed",
)

Companion = Literal["Stalled", "Reconciling"] | None
"""The condition that is True beside Ready=False: a person has to act, or it is on its way."""
Check = Callable[[Decision], Finding | None]


def asked_for_is_live(decision: Decision) -> bool:
    """Return whether the live version is the desired one of this generation."""
    model, rollout = decision.scene.model, decision.rollout
    if rollout.live is None:
        return False
    if model.spec.pinned_version is not None:
        return rollout.live.version == model.spec.pinned_version
    if rollout.candidate is not None and _is_changing(decision):
        return False
    record = find(rollout.records, rollout.live.version)
    return record is not None and model.asks_for(record)


def _is_changing(decision: Decision) -> bool:
    """Return whether a change of the spec is in progress, not only a run in the background."""
    model = decision.scene.model
    reconciling = any(one.type == "Reconciling" for one in model.status.conditions or ())
    return reconciling or model.status.observed_generation != model.generation


def blocked(decision: Decision) -> Finding | None:
    """Find what stops runs and switches alike."""
    return decision.scene.blocker


def rollout_blocked(decision: Decision) -> Finding | None:
    """Find why the desired version cannot get the traffic."""
    return decision.rollout.blocked


def live_without_servers(decision: Decision) -> Finding | None:
    """Find that the live version is the desired one and has no ready server."""
    return decision.rollout.live_down if asked_for_is_live(decision) else None


def edit_stuck(decision: Decision) -> Finding | None:
    """Find an edit in place of the desired version that does not reach every server in time."""
    edit = _edit(decision)
    return edit.finding if edit is not None and edit.stuck else None


def edit_on_its_way(decision: Decision) -> Finding | None:
    """Find an edit in place of the desired version that does not run on every server yet."""
    edit = _edit(decision)
    return edit.finding if edit is not None else None


def _edit(decision: Decision) -> Edit | None:
    return decision.rollout.edit if asked_for_is_live(decision) else None


def url_not_answering(decision: Decision) -> Finding | None:
    """Find that the live version is the desired one and its URL no longer answers with it."""
    phase = _phase_of_live(decision)
    return phase if phase is not None and phase.reason == "URLNotAnswering" else None


def traffic_on_its_way(decision: Decision) -> Finding | None:
    """Find that the live version is the desired one and does not get the traffic yet."""
    return _phase_of_live(decision)


def _phase_of_live(decision: Decision) -> Finding | None:
    rollout = decision.rollout
    alone = rollout.candidate is None and asked_for_is_live(decision)
    return rollout.phase if alone else None


def suspended(decision: Decision) -> Finding | None:
    """Find spec.suspend before the desired version is live."""
    if asked_for_is_live(decision) or not decision.scene.suspended:
        return None
    return Finding("Suspended", "spec.suspend stops runs and switches")


def candidate_on_its_way(decision: Decision) -> Finding | None:
    """Find that the desired version waits for its servers or its traffic."""
    rollout = decision.rollout
    if asked_for_is_live(decision) or rollout.candidate is None:
        return None
    return rollout.phase


def run_on_its_way(decision: Decision) -> Finding | None:
    """Find a run that has not ended."""
    phase = decision.runs.phase
    if asked_for_is_live(decision) or phase is None or phase.reason not in RUNNING:
        return None
    return phase


def run_cannot_begin(decision: Decision) -> Finding | None:
    """Find why no run can start."""
    return None if asked_for_is_live(decision) else decision.runs.phase


def no_version_passed(decision: Decision) -> Finding | None:
    """Find a run of this spec without a version to roll out."""
    latest = latest_of_spec(decision.scene.model, decision.rollout.records)
    if asked_for_is_live(decision) or latest is None or latest.outcome == "Accepted":
        return None
    if latest.outcome == "Refused":
        return gating.refusal(latest, decision.scene.model.spec.gate)
    return reported(latest, "Ready")


def reported(record: VersionRecord, condition: ConditionType) -> Finding:
    """Return a record's finding with a known reason: the record may be of another release."""
    known = REASONS.get(record.reason)
    reason = record.reason if known and condition in known.types else "Unknown"
    return Finding(reason, record.message)


def rollout_not_begun(decision: Decision) -> Finding | None:
    """Find a version whose rollout starts with the next reconciliation."""
    if asked_for_is_live(decision):
        return None
    return Finding("RollingOut", "the version is about to be rolled out")


CHAIN: tuple[tuple[Check, Companion], ...] = (
    (blocked, "Stalled"),
    (rollout_blocked, "Stalled"),
    (live_without_servers, None),
    (edit_stuck, "Stalled"),
    (url_not_answering, None),
    (traffic_on_its_way, "Reconciling"),
    (edit_on_its_way, "Reconciling"),
    (suspended, None),
    (candidate_on_its_way, "Reconciling"),
    (run_on_its_way, "Reconciling"),
    (run_cannot_begin, "Stalled"),
    (no_version_passed, "Stalled"),
    (rollout_not_begun, "Reconciling"),
)


def first_finding(decision: Decision) -> tuple[Finding, Companion] | None:
    """Return why a model is not Ready and the condition beside it, or None when it is."""
    for check, companion in CHAIN:
        found = check(decision)
        if found is not None:
            return found, companion
    return None

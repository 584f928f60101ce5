"""Planning: from a model and the observed state to the desired state.

Pure and total: no clock, no network, no memory; there is a plan for every observation.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from taxon_contracts import names
from taxon_contracts.status import Address, Status, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.accounts import accounts
from taxon_controller.domain.actions import Annotate, Delete, Finalize, Finding, Write
from taxon_controller.domain.history import (
    Records,
    carried_out,
    find,
    newest_first,
    with_record,
)
from taxon_controller.domain.hosts import inside_url
from taxon_controller.domain.model import Model
from taxon_controller.observe.observed import Observed
from taxon_controller.plan import conditions, setbacks
from taxon_controller.plan.blockers import BLOCKERS, first, something_unread
from taxon_controller.plan.decided import Decision, Plan
from taxon_controller.plan.deletion import plan_deletion, wants_finalizer
from taxon_controller.plan.events import events_between
from taxon_controller.plan.retention import plan_retention
from taxon_controller.plan.rollout import RolloutPlan, plan_rollout
from taxon_controller.plan.runs import RunPlan, plan_runs
from taxon_controller.plan.scene import Scene
from taxon_controller.plan.setbacks import Setbacks
from taxon_controller.settings import Settings
from taxon_kube.api import JOB

UNWATCHED_LOOK = timedelta(seconds=15)
"""Pause while a person has to act: objects that are not Taxon's are not watched."""


def plan(model: Model, observed: Observed, now: datetime, settings: Settings) -> Plan:
    """Return the plan for a model."""
    if model.deleted is not None:
        return plan_deletion(model, observed, now, settings)
    if model.parsed is None:
        return _unreadable(model, now)
    scene = Scene(model, observed, known_records(model, observed), now, settings)
    scene = replace(scene, blocker=first(BLOCKERS, scene))
    runs = plan_runs(scene)
    rollout = plan_rollout(replace(scene, records=runs.records))
    kept = plan_retention(
        replace(scene, records=rollout.records), protected=_protected(model, runs, rollout)
    )
    due = (*runs.due, *rollout.due, *kept.due, *_unwatched(scene))
    writes = (*_finalizer(model), *runs.writes, *rollout.writes, *kept.writes)
    writes = (*writes, *_kept_on_jobs(scene, kept.records, writes))
    return _with_status(Decision(scene, runs, rollout, kept.records, kept.events, due), writes)


def after_writes(planned: Plan, setbacks_: Setbacks) -> Plan:
    """Return the plan with a status that reports what was not written, and why."""
    if planned.decision is None or setbacks_ == Setbacks():
        return planned
    return _with_status(setbacks.after(planned.decision, setbacks_), planned.writes)


def known_records(model: Model, observed: Observed) -> Records:
    """Return the records of the status, and those it lost that servers and Jobs carry.

    A status that does not know a version's digest has lost it: no run forgets one.
    """
    records = tuple(model.status.versions or ())
    attempts = sorted(observed.attempts, key=lambda one: one.number, reverse=True)
    carriers = (*(one.record for one in attempts), *(one.record for one in observed.servers))
    for carried in carriers:
        if carried is None:
            continue
        written = find(records, carried.version)
        if written is None or (carried.manifest_digest and not written.manifest_digest):
            records = with_record(records, carried)
    return newest_first(records)


def _kept_on_jobs(
    scene: Scene, records: Records, writes: tuple[Write, ...]
) -> tuple[Annotate, ...]:
    """Return the writes that copy each record to its run's last Job, in case the status is lost."""
    deleted = [one.body for one in writes if isinstance(one, Delete)]
    last = {one.version: one for one in sorted(scene.observed.attempts, key=lambda one: one.number)}
    return tuple(
        Annotate(JOB, attempt.body, names.ANNOTATION_RECORD, _encoded(record))
        for record in records
        if (attempt := last.get(record.version)) is not None
        and attempt.record != record
        and attempt.finished is not None
        and attempt.finished <= clock.parse(record.completion_time)
        and not attempt.deleting
        and attempt.body not in deleted
    )


def _encoded(record: VersionRecord) -> str:
    return record.model_dump_json(by_alias=True, exclude_none=True)


def _unwatched(scene: Scene) -> tuple[datetime, ...]:
    """Return when to reconcile again if objects that are not watched are missing."""
    missing = accounts(scene.model, scene.settings) - scene.observed.accounts
    return (scene.now + UNWATCHED_LOOK,) if scene.observed.foreign or missing else ()


def _protected(model: Model, runs: RunPlan, rollout: RolloutPlan) -> frozenset[str]:
    """Return the versions that are kept at any age."""
    places = (rollout.live, rollout.candidate, rollout.previous)
    asked = carried_out(model, rollout.records)
    in_use = (runs.run, asked, *places)
    named = (rollout.target, model.spec.pinned_version)
    return frozenset({one.version for one in in_use if one} | {one for one in named if one})


def _with_status(decision: Decision, writes: tuple[Write, ...]) -> Plan:
    """Return the plan that carries a decision out and reports it."""
    scene = decision.scene
    status = _status(decision)
    return Plan(
        writes=writes,
        status=status,
        events=(*events_between(scene.model.status, status, scene.model), *decision.events),
        look_again=_soonest(decision.due, scene.now),
        decision=decision,
    )


def _status(decision: Decision) -> Status:
    scene, rollout = decision.scene, decision.rollout
    model = scene.model
    inside, outside = inside_url(model), scene.observed.url
    statements = conditions.describe(decision, outside or inside)
    return Status(
        observed_generation=_observed_generation(scene),
        conditions=conditions.dated(model, statements, scene.now),
        url=outside if rollout.live else None,
        address=Address(url=inside) if rollout.live else None,
        run=decision.runs.run,
        live=rollout.live,
        candidate=rollout.candidate,
        previous=rollout.previous,
        versions=decision.records or None,
    )


def _observed_generation(scene: Scene) -> int | None:
    """Return the generation that was acted on: the previous one if not everything could be read.

    A lost status is rebuilt once everything can be read.
    """
    model = scene.model
    return model.status.observed_generation if something_unread(scene) else model.generation


def _finalizer(model: Model) -> tuple[Write, ...]:
    """Add the finalizer before anything is created outside the cluster."""
    there = names.FINALIZER in model.finalizers
    wanted = wants_finalizer(model)
    return () if there == wanted else (Finalize(wanted=wanted),)


def _unreadable(model: Model, now: datetime) -> Plan:
    """Return the plan for a spec that cannot be read: report it and change nothing."""
    finding = Finding("InvalidSpec", f"{model.spec_error}: correct the field")
    status = model.status.model_copy(
        update={
            "observed_generation": model.generation,
            "conditions": conditions.dated(model, conditions.not_ready(finding, "Stalled"), now),
        }
    )
    return Plan((), status, events_between(model.status, status), None)


def _soonest(due: Iterable[datetime], now: datetime) -> datetime | None:
    return min((max(time, now) for time in due), default=None)

"""The rollout: the live version, the candidate, and the previous version that is kept warm.

The order of a switch: the version's servers are ready, the Service points at them, then the
HTTPRoute, then the URL answers with that version, then the status reports it. A reconciliation
takes every possible step and stops at the first that is not.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from taxon_contracts.status import ServedVersion, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.actions import Finding, Write
from taxon_controller.domain.history import Records, find, with_record
from taxon_controller.domain.model import is_ready
from taxon_controller.plan.blockers import SERVING_BLOCKERS, SERVING_KINDS, first
from taxon_controller.plan.edits import Edit, edit_on_its_way
from taxon_controller.plan.scene import Scene
from taxon_controller.plan.serving import plan_serving
from taxon_controller.plan.stages import Stage, points_at, reached, waits_for_url
from taxon_controller.plan.target import choose, live_version

LOOK = timedelta(seconds=15)
"""Pause while a rollout waits for objects that are not watched."""
EDIT_LOOK = timedelta(seconds=5)
"""Pause while an edit is in progress: Deployments are not watched."""


@dataclass(frozen=True)
class RolloutPlan:
    """The decision about serving.

    ``phase`` is what serving waits for. ``blocked`` is why the desired version cannot get the
    traffic until a person acts. ``live_down`` is why the live version has no ready server.
    ``edit`` is the edit in place that does not run on every server of the live version.
    """

    records: Records
    target: str | None = None
    live: ServedVersion | None = None
    candidate: ServedVersion | None = None
    previous: ServedVersion | None = None
    phase: Finding | None = None
    blocked: Finding | None = None
    live_down: Finding | None = None
    edit: Edit | None = None
    writes: tuple[Write, ...] = ()
    due: tuple[datetime, ...] = ()


def plan_rollout(scene: Scene) -> RolloutPlan:
    """Decide about serving; traffic stays where it is while the model is suspended or blocked."""
    unread = scene.observed.unread_of(*SERVING_KINDS)
    if unread is not None:
        return _untouched(scene, unread)
    live = live_version(scene)
    blocked = first(SERVING_BLOCKERS, scene)
    target, refusal = choose(scene, live)
    while True:
        if scene.suspended or scene.blocker or blocked:
            target = live
        plan = RolloutPlan(scene.records, target, blocked=blocked or refusal)
        if target is None:
            return _with_objects(scene, plan, traffic=None)
        if target == live:
            return _with_objects(scene, _stay(scene, plan, target), traffic=live)
        stage = reached(scene, target)
        if not _is_given_up(scene, stage, live):
            return _move(scene, plan, live, stage)
        abandoned = with_record(scene.records, _abandoned(scene, stage))
        scene = replace(scene, records=abandoned)
        target, refusal = choose(scene, live)


def _untouched(scene: Scene, unread: Finding) -> RolloutPlan:
    """Change nothing: the servers cannot be read."""
    status = scene.model.status
    return RolloutPlan(
        scene.records,
        live=status.live,
        candidate=status.candidate,
        previous=status.previous,
        blocked=unread,
        due=(scene.now + LOOK,),
    )


def _is_given_up(scene: Scene, stage: Stage, live: str | None) -> bool:
    """Return whether a stage is late and the version is to be abandoned.

    A pinned version is never abandoned. One with ready servers is abandoned only if another one
    answers.
    """
    if not stage.is_late(scene) or scene.model.spec.pinned_version == stage.version:
        return False
    if stage.weight == 0:
        return True
    return points_at(scene, stage.version) and scene.observed.server(live) is not None


def _abandoned(scene: Scene, stage: Stage) -> VersionRecord:
    """Return the record of a version that never became ready, or never answered."""
    record = find(scene.records, stage.version)
    assert record is not None  # noqa: S101 - a target is chosen among the records
    trouble = _trouble(scene, stage.version)
    return record.model_copy(
        update={
            "outcome": "Abandoned",
            "reason": trouble.reason if trouble else "ProgressDeadlineExceeded",
            "message": f"{stage.version} did not become ready: {_why_late(scene, stage)}",
        }
    )


def _why_late(scene: Scene, stage: Stage) -> str:
    trouble = _trouble(scene, stage.version)
    if trouble is not None:
        return trouble.message
    if stage.weight > 0:
        return scene.observed.unanswered or "the URL does not answer with it"
    if scene.observed.admission_refused:
        return f"admission refuses its InferenceService: {scene.observed.admission_refused}"
    seconds = scene.model.spec.serving.rollout.progress_deadline_seconds
    return f"progressDeadlineSeconds ({seconds}) passed"


def _trouble(scene: Scene, version: str) -> Finding | None:
    server = scene.observed.server(version)
    return server.trouble if server and not server.ready else None


def _move(scene: Scene, plan: RolloutPlan, live: str | None, stage: Stage) -> RolloutPlan:
    """Continue the rollout as far as possible: to the stage that waits, or to live."""
    if stage.why is None:
        return _arrive(scene, plan, live, stage.version)
    moving = replace(
        plan,
        live=_leaving(scene, live, stage),
        candidate=scene.served(stage.version, stage.weight, stage.since),
        previous=_previous(scene, live, stage.version),
        phase=stage.why,
        live_down=_down(scene, live),
        due=_due(scene, stage),
    )
    if stage.is_late(scene):
        moving = replace(moving, blocked=plan.blocked or _late(scene, stage))
    return _with_objects(scene, moving, traffic=stage.version if stage.weight > 0 else live)


def _due(scene: Scene, stage: Stage) -> tuple[datetime, ...]:
    """Return when to reconcile a version again that waits in a stage."""
    look = scene.now + LOOK
    return (look,) if stage.paused or stage.is_late(scene) else (stage.deadline(scene), look)


def _late(scene: Scene, stage: Stage) -> Finding:
    """Return why a version that is not abandoned needs a person."""
    trouble = _trouble(scene, stage.version)
    reason = trouble.reason if trouble else "ProgressDeadlineExceeded"
    pinned = "pinned " if scene.model.spec.pinned_version == stage.version else ""
    return Finding(reason, f"{pinned}{stage.version} is not ready: {_why_late(scene, stage)}")


def _arrive(scene: Scene, plan: RolloutPlan, live: str | None, target: str) -> RolloutPlan:
    """Make the target live; keep the previous version warm."""
    since = clock.text(scene.now)
    previous = None
    if live is not None and scene.observed.server(live) is not None:
        previous = scene.served(live, 0, since)
    expiry = _expiry(scene, previous)
    arrived = replace(
        plan,
        live=scene.served(target, 100, since),
        previous=previous,
        due=(expiry,) if expiry else (),
    )
    return _with_objects(scene, arrived, traffic=target)


def _stay(scene: Scene, plan: RolloutPlan, live: str) -> RolloutPlan:
    """Keep the live version live, and check its servers and URL."""
    written = scene.model.status.live
    waits = _not_answering(scene, live)
    down = _down(scene, live)
    previous = _previous(scene, live)
    expiry = _expiry(scene, previous)
    if expiry is not None and expiry <= scene.now:
        previous, expiry = None, None
    due = [expiry] if expiry else []
    if down or waits:
        due.append(scene.now + LOOK)
    return replace(
        plan,
        live=scene.served(live, 100, scene.since(written, live)),
        previous=previous,
        phase=None if down else waits,
        live_down=down,
        due=tuple(due),
    )


def _not_answering(scene: Scene, live: str) -> Finding | None:
    """Return why the live version's URL does not answer with it, if it does not.

    If it is unknown, as after a restart, the status counts.
    """
    written, observed = scene.model.status.live, scene.observed
    settled = written is not None and (written.version, written.weight) == (live, 100)
    if not settled or not points_at(scene, live):
        return waits_for_url(scene, live)
    if not (observed.answering or observed.unanswered):
        return None if is_ready(scene.model) else waits_for_url(scene, live)
    if observed.answering == live:
        return None
    why = observed.unanswered or f"it answers with {observed.answering}"
    return Finding(
        "URLNotAnswering", f"{live} has ready servers, but its URL does not answer with it: {why}"
    )


def _down(scene: Scene, live: str | None) -> Finding | None:
    """Return why the live version has no ready server, if it has none."""
    server = scene.observed.server(live)
    if live is None or (server is not None and server.up):
        return None
    trouble = server.trouble if server else None
    why = f"{trouble.reason}: {trouble.message}" if trouble else "its servers are starting"
    return Finding("ServersNotReady", f"live {live} has no ready server ({why})")


def _leaving(scene: Scene, live: str | None, stage: Stage) -> ServedVersion | None:
    """Return the live version with the share of the traffic it still has."""
    if live is None:
        return None
    since = scene.since(scene.model.status.live, live)
    return scene.served(live, 100 - stage.weight, since)


def _previous(scene: Scene, *others: str | None) -> ServedVersion | None:
    """Return the version kept warm, unless it has another role now or no servers."""
    written = scene.model.status.previous
    if written is None or written.version in others:
        return None
    if scene.observed.server(written.version) is None:
        return None
    return scene.served(written.version, 0, written.since_time)


def _expiry(scene: Scene, previous: ServedVersion | None) -> datetime | None:
    """Return until when the previous version stays warm."""
    if previous is None:
        return None
    delay = scene.model.spec.serving.rollout.scale_down_delay_seconds
    return clock.parse(previous.since_time) + timedelta(seconds=delay)


def _with_objects(scene: Scene, plan: RolloutPlan, *, traffic: str | None) -> RolloutPlan:
    """Add the writes for the servers of each version in use, and for the traffic."""
    places = (plan.live, plan.candidate, plan.previous)
    used = frozenset(place.version for place in places if place is not None)
    serve = frozenset(p.version for p in places if p is not None and (p.weight or p is plan.live))
    writes = plan_serving(scene, used=used, budgeted=serve, traffic=traffic)
    edit = edit_on_its_way(scene, plan.live.version) if plan.live else None
    due = (*plan.due, scene.now + EDIT_LOOK) if edit else plan.due
    return replace(plan, edit=edit, writes=writes, due=due)

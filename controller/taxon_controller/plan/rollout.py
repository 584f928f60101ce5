"""Which version should have the traffic, and the next step on the way there.

The order of a switch: the version's servers are ready, the Service points at them, then the
HTTPRoute, then the URL answers with that version, then the status says so. Each look at the model
takes every step that is possible and stops at the first that is not.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from taxon_contracts.status import ServedVersion
from taxon_controller import clock
from taxon_controller.domain.actions import Apply, Delete, Finding, Write
from taxon_controller.domain.history import Records, can_serve, find, with_record
from taxon_controller.domain.hosts import outside_host
from taxon_controller.domain.model import Model
from taxon_controller.objects.http_route import http_route
from taxon_controller.objects.inference_service import inference_service
from taxon_controller.objects.service import service
from taxon_controller.observe.observed import Observed, Server
from taxon_controller.settings import Settings
from taxon_kube.api import INFERENCE_SERVICE, Manifest

PROBE_LOOK = timedelta(seconds=15)
"""When to look again whether the URL answers; an answer that changes is heard of at once."""
KSERVE_LOOK = timedelta(seconds=15)
NO_SCORE = "-"


@dataclass(frozen=True)
class RolloutPlan:
    """What becomes of serving.

    ``blocked`` is why the version asked for cannot get the traffic until a person acts;
    """

    records: Records
    target: str | None = None
    live: ServedVersion | None = None
    candidate: ServedVersion | None = None
    previous: ServedVersion | None = None
    phase: Finding | None = None
    blocked: Finding | None = None
    live_down: Finding | None = None
    writes: tuple[Write, ...] = ()
    due: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Scene:
    """What every step of a rollout looks at."""

    model: Model
    observed: Observed
    records: Records
    now: datetime
    settings: Settings

    def served(self, version: str, weight: int, since: str) -> ServedVersion:
        """Return a version with its score for the status."""
        record = find(self.records, version)
        metrics = record.metrics if record and record.metrics else ()
        score = next((m.value for m in metrics if m.name == self.model.spec.metric), NO_SCORE)
        return ServedVersion(version=version, weight=weight, score=score, since_time=since)

    def since(self, place: ServedVersion | None, version: str) -> str:
        """Return since when a version has a place: now, if it was not there before."""
        if place is not None and place.version == version:
            return place.since_time
        return clock.text(self.now)


def plan_rollout(scene: Scene, *, frozen: bool, blocked: Finding | None) -> RolloutPlan:
    """Decide about serving.

    Args:
        scene: the model and its surroundings.
        frozen: the traffic must stay where it is.
        blocked: why no version can be rolled out, if none can.
    """
    live = live_version(scene)
    target, refusal = _target(scene.model, scene.records, live)
    target = live if frozen or blocked else target
    plan = RolloutPlan(scene.records, target, blocked=blocked or refusal)
    if target is None:
        return _with_objects(scene, plan, live=None)
    if target == live:
        return _with_objects(scene, _stay(scene, plan, target), live=live)
    return _move(scene, plan, live, target)


def live_version(scene: Scene) -> str | None:
    """Return the version that has the traffic: by the status or, if that is lost, the Service."""
    status = scene.model.status
    version = status.live.version if status.live else None
    lost = status.observed_generation is None
    if lost and scene.observed.service is not None:
        version = scene.observed.service.version
        if scene.observed.server(version) is None:
            return None
    return version if can_serve(find(scene.records, version)) else None


def _target(model: Model, records: Records, live: str | None) -> tuple[str | None, Finding | None]:
    """Return the version that should be live, and why the pin cannot be if it cannot.

    The live version has passed: one that ran again and failed, or was refused, is not left for an
    older one.
    """
    pin = model.spec.pinned_version
    if pin is None:
        passed = (
            one.version
            for one in records
            if one.version == live or (one.outcome == "Accepted" and can_serve(one))
        )
        return next(passed, live), None
    record = find(records, pin)
    if record is None or not can_serve(record):
        kept = ", ".join(one.version for one in records if can_serve(one)) or "none"
        return live, Finding("PinNotFound", f"pinnedVersion {pin} is not kept; kept are: {kept}")
    if record.outcome in {"Refused", "Failed"} and pin != live:
        return live, Finding(
            "PinNotAccepted",
            f"pinnedVersion {pin} did not pass the gate in its last run: {record.message}",
        )
    return pin, None


def _stay(scene: Scene, plan: RolloutPlan, live: str) -> RolloutPlan:
    """Keep the live version live, and see that it is."""
    written = scene.model.status.live
    confirmed = written is not None and written.version == live and _was_ready(scene.model)
    settled = _points_at(scene, live) and (confirmed or scene.observed.answering == live)
    down = _down(scene, live)
    previous = _previous(scene, live)
    expiry = _expiry(scene, previous)
    if expiry is not None and expiry <= scene.now:
        previous, expiry = None, None
    due = [expiry] if expiry else []
    if down or not settled:
        waits = down or scene.observed.foreign
        due.append(scene.now + (KSERVE_LOOK if waits else PROBE_LOOK))
    return replace(
        plan,
        live=scene.served(live, 100, scene.since(written, live)),
        previous=previous,
        phase=None if settled or down else _switching(scene, live),
        live_down=down,
        due=tuple(due),
    )


def _down(scene: Scene, live: str | None) -> Finding | None:
    """Return why the live version has no ready server, if it has none."""
    server = scene.observed.server(live)
    if live is None or (server is not None and server.up):
        return None
    trouble = server.trouble if server else None
    told = f"{trouble.reason}: {trouble.message}" if trouble else "its servers are starting"
    return Finding("ServersNotReady", f"live {live} has no ready server ({told})")


def _move(scene: Scene, plan: RolloutPlan, live: str | None, target: str) -> RolloutPlan:
    """Bring the target's servers up, then the traffic over."""
    server = scene.observed.server(target)
    if server is not None and server.ready:
        if _points_at(scene, target) and scene.observed.answering == target:
            return _arrive(scene, plan, live, target)
        since = scene.since(scene.model.status.candidate, target)
        if _is_mute(scene, target, since) and scene.observed.server(live) is not None:
            return _abandon(scene, plan, target, server)
        moving = replace(
            plan,
            live=_unmoved(scene, live),
            candidate=scene.served(target, 0, since),
            previous=_previous(scene, live, target),
            phase=_switching(scene, target),
            live_down=_down(scene, live),
            due=(scene.now + PROBE_LOOK,),
        )
        return _with_objects(scene, moving, live=target)
    return _wait_for_servers(scene, plan, live, target, server)


def _is_mute(scene: Scene, target: str, since: str) -> bool:
    """Tell whether the traffic leads to a version that never answered, and its time is up."""
    pinned = scene.model.spec.pinned_version == target
    return _points_at(scene, target) and not pinned and _deadline(scene, since) <= scene.now


def _deadline(scene: Scene, since: str) -> datetime:
    seconds = scene.model.spec.serving.rollout.progress_deadline_seconds
    return clock.parse(since) + timedelta(seconds=seconds)


def _arrive(scene: Scene, plan: RolloutPlan, live: str | None, target: str) -> RolloutPlan:
    """Say that the target is live; the version before stays warm."""
    since = clock.text(scene.now)
    previous = None
    if live is not None and scene.observed.server(live) is not None:
        previous = scene.served(live, 0, since)
    delay = _expiry(scene, previous)
    arrived = replace(
        plan,
        live=scene.served(target, 100, since),
        previous=previous,
        due=(delay,) if delay else (),
    )
    return _with_objects(scene, arrived, live=target)


def _wait_for_servers(
    scene: Scene, plan: RolloutPlan, live: str | None, target: str, server: Server | None
) -> RolloutPlan:
    """Wait until the target is ready, or abandon it when its time is up."""
    paused = scene.observed.kserve == "Unavailable" or server is None or not server.seen
    since = scene.since(None if paused else scene.model.status.candidate, target)
    deadline = _deadline(scene, since)
    late = not paused and deadline <= scene.now
    trouble = server.trouble if server else None
    pinned = scene.model.spec.pinned_version == target
    if late and not pinned:
        return _abandon(scene, plan, target, server)
    phase = Finding("RollingOut", f"the servers of {target} are starting")
    if trouble:
        phase = Finding("RollingOut", f"{target}: {trouble.reason}: {trouble.message}")
    if scene.observed.kserve == "Unavailable":
        phase = Finding("KServeUnavailable", "KServe's webhook does not answer; tried again")
    blocked = plan.blocked
    if late:
        reason = trouble.reason if trouble else "ProgressDeadlineExceeded"
        blocked = Finding(reason, f"pinned {target} is not ready: {_late(scene, server)}")
    waiting = replace(
        plan,
        live=_unmoved(scene, live),
        candidate=scene.served(target, 0, since),
        previous=_previous(scene, live, target),
        phase=phase,
        blocked=blocked,
        live_down=_down(scene, live),
        due=(scene.now + KSERVE_LOOK if late or paused else deadline, scene.now + KSERVE_LOOK),
    )
    return _with_objects(scene, waiting, live=live)


def _abandon(scene: Scene, plan: RolloutPlan, target: str, server: Server | None) -> RolloutPlan:
    """Record that the target never became ready, or never answered, and plan without it."""
    record = find(scene.records, target)
    assert record is not None  # noqa: S101 - a target is chosen among the records
    trouble = server.trouble if server else None
    abandoned = record.model_copy(
        update={
            "outcome": "Abandoned",
            "reason": trouble.reason if trouble else "ProgressDeadlineExceeded",
            "message": f"{target} did not become ready: {_late(scene, server)}",
        }
    )
    without = replace(scene, records=with_record(scene.records, abandoned))
    return plan_rollout(without, frozen=False, blocked=plan.blocked)


def _late(scene: Scene, server: Server | None) -> str:
    seconds = scene.model.spec.serving.rollout.progress_deadline_seconds
    if server is not None and server.trouble is not None:
        return server.trouble.message
    if server is not None and server.ready:
        return scene.observed.unanswered or "the URL does not answer with it"
    return f"progressDeadlineSeconds ({seconds}) passed"


def _unmoved(scene: Scene, live: str | None) -> ServedVersion | None:
    if live is None:
        return None
    return scene.served(live, 100, scene.since(scene.model.status.live, live))


def _previous(scene: Scene, *others: str | None) -> ServedVersion | None:
    """Return the version kept warm, unless it has another place by now or no servers."""
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


def _was_ready(model: Model) -> bool:
    return any(
        one.type == "Ready" and one.status == "True" for one in model.status.conditions or ()
    )


def _points_at(scene: Scene, version: str) -> bool:
    """Tell whether Service and HTTPRoute lead to a version."""
    observed = scene.observed
    service_there = observed.service is not None and observed.service.version == version
    if not observed.gateway or scene.settings.gateway is None:
        return service_there
    route_there = observed.route is not None and observed.route.version == version
    return service_there and route_there


def _switching(scene: Scene, version: str) -> Finding:
    told = scene.observed.unanswered or f"the URL does not answer with {version} yet"
    return Finding("SwitchingTraffic", f"the traffic is led to {version}; {told}")


def _with_objects(scene: Scene, plan: RolloutPlan, *, live: str | None) -> RolloutPlan:
    """Add the writes that give each version in use its servers, and the traffic its way."""
    places = (plan.live, plan.candidate, plan.previous)
    used = {place.version for place in places if place is not None}
    writes: list[Write] = []
    kserve_answers = scene.observed.kserve == "Answering"
    if kserve_answers:
        writes += [w for version in sorted(used) for w in _serving(scene, version)]
    if live is not None:
        writes += [w for w in _traffic(scene, live, used) if not _is_taken(scene, w)]
    pointed = {
        pointer.version
        for pointer in (scene.observed.service, scene.observed.route)
        if pointer is not None
    }
    writes += [
        Delete(INFERENCE_SERVICE, one.body)
        for one in scene.observed.servers
        if kserve_answers and one.version not in used | pointed and not one.deleting
    ]
    return replace(plan, writes=tuple(writes))


def _is_taken(scene: Scene, write: Apply) -> bool:
    """Tell whether an object's name belongs to someone else."""
    manifest = write.manifest
    return f"{manifest['kind']}/{manifest['metadata']['name']}" in scene.observed.foreign


def _serving(scene: Scene, version: str) -> list[Write]:
    record = find(scene.records, version)
    if record is None or not can_serve(record):
        return []
    if any(one.version == version and one.deleting for one in scene.observed.servers):
        return []  # made anew once it is gone
    there = scene.observed.server(version)
    first = there.record if there and there.record else record
    runtime = there.runtime if there and there.runtime else scene.settings.runtime
    kept = first.model_copy(
        update={"bundle_uri": record.bundle_uri, "manifest_digest": record.manifest_digest}
    )
    manifest = inference_service(scene.model, kept, runtime=runtime, settings=scene.settings)
    return [Apply(manifest, there.body if there else None)]


def _traffic(scene: Scene, version: str, used: set[str]) -> list[Apply]:
    """Return the Service first, then the HTTPRoute."""
    there = scene.observed.service
    writes = [
        Apply(
            service(scene.model, version, settings=scene.settings),
            there.body if there else None,
        )
    ]
    gateway = scene.settings.gateway
    if scene.observed.gateway and gateway:
        ready = {one.version for one in scene.observed.servers if one.up and not one.deleting}
        route = http_route(
            scene.model,
            version,
            versions=(used & ready) | {version},
            gateway=gateway,
            host=outside_host(scene.model, scene.settings),
        )
        over: Manifest | None = scene.observed.route.body if scene.observed.route else None
        writes.append(Apply(route, over))
    return writes

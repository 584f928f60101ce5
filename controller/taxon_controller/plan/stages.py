"""The stages of a rollout, as data: the share of the traffic a version has reached, and why.

A version first gets its servers, at weight 0, then its traffic. Each stage has its own deadline.
A rollout in more steps needs only more weights here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from taxon_contracts.status import ServedVersion
from taxon_controller import clock
from taxon_controller.domain.actions import Finding
from taxon_controller.observe.observed import Server
from taxon_controller.plan.scene import Scene

WEIGHTS = (0, 100)


@dataclass(frozen=True)
class Stage:
    """One stage a version has reached.

    ``why`` is what it waits for, or None when the stage is complete. ``paused``: what it waits for
    is not the version's doing, so its clock does not run.
    """

    version: str
    weight: int
    since: str
    why: Finding | None
    paused: bool = False

    def deadline(self, scene: Scene) -> datetime:
        """Return until when the stage has to be complete."""
        seconds = scene.model.spec.serving.rollout.progress_deadline_seconds
        return clock.parse(self.since) + timedelta(seconds=seconds)

    def is_late(self, scene: Scene) -> bool:
        """Return whether the stage's time is up."""
        return self.why is not None and not self.paused and self.deadline(scene) <= scene.now


def reached(scene: Scene, version: str) -> Stage:
    """Return the last stage a version has reached; it is complete when the version has arrived."""
    stage = _stage(scene, version, WEIGHTS[0])
    for weight in WEIGHTS[1:]:
        if stage.why is not None:
            break
        stage = _stage(scene, version, weight)
    return stage


def points_at(scene: Scene, version: str) -> bool:
    """Return whether Service and HTTPRoute point at a version."""
    observed = scene.observed
    service_there = observed.service is not None and observed.service.version == version
    if not scene.through_gateway:
        return service_there
    route_there = observed.route is not None and observed.route.version == version
    return service_there and route_there


def waits_for_url(scene: Scene, version: str) -> Finding | None:
    """Return what a version that has the traffic waits for, until its URL answers with it."""
    if points_at(scene, version) and scene.observed.answering == version:
        return None
    why = scene.observed.unanswered or "waiting for the URL to answer with it"
    return Finding("SwitchingTraffic", f"Service and HTTPRoute point at {version}; {why}")


def _stage(scene: Scene, version: str, weight: int) -> Stage:
    place = scene.model.status.candidate
    if weight > 0:
        here = place if place is not None and place.weight == weight else None
        since = scene.since(here, version)
        return Stage(version, weight, since, waits_for_url(scene, version))
    why, paused = _waits_for_servers(scene, version), _is_paused(scene, version)
    return Stage(version, weight, _since_servers(scene, place, version, paused=paused), why, paused)


def _since_servers(scene: Scene, place: ServedVersion | None, version: str, *, paused: bool) -> str:
    return scene.since(None if paused else place, version)


def _is_paused(scene: Scene, version: str) -> bool:
    """Return whether KServe, and not the version, prevents servers from starting."""
    server = scene.observed.server(version)
    return scene.observed.kserve == "Unavailable" or server is None or not server.seen


def _has_enough(scene: Scene, server: Server) -> bool:
    """Return whether enough pods answer, also while an edit in place is in progress."""
    deployment = server.deployment
    return deployment is not None and deployment.available >= max(
        scene.model.spec.serving.min_replicas, 1
    )


def _waits_for_servers(scene: Scene, version: str) -> Finding | None:
    server = scene.observed.server(version)
    if server is not None and (server.ready or _has_enough(scene, server)):
        return None
    if scene.observed.kserve == "Unavailable":
        return Finding("KServeUnavailable", "KServe's webhook does not answer; retrying")
    if server is not None and server.trouble is not None:
        trouble = server.trouble
        return Finding("RollingOut", f"{version}: {trouble.reason}: {trouble.message}")
    if scene.observed.admission_refused:
        refused = f"admission refuses its InferenceService: {scene.observed.admission_refused}"
        return Finding("RollingOut", f"{version}: {refused}")
    return Finding("RollingOut", f"the servers of {version} are starting")

"""Whether an edit in place (resources, replicas, account, log mode, HTTP) runs on every server.

KServe applies an edit to a Deployment, which replaces one pod after the other. If a pod does not
become ready, the rollout stops there and the old servers keep serving, so nothing else shows it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from taxon_controller.domain.actions import Finding
from taxon_controller.domain.drift import matches
from taxon_controller.domain.model import is_ready
from taxon_controller.observe.observed import Deployment, Server
from taxon_controller.plan.scene import Scene
from taxon_controller.plan.serving import wanted_servers
from taxon_kube.api import DEPLOYMENT, Manifest


@dataclass(frozen=True)
class Edit:
    """An edit that does not run everywhere yet.

    ``stuck``: a person has to act. ``is_late``: its time is up.
    """

    finding: Finding
    stuck: bool = False
    is_late: bool = False


def edit_on_its_way(scene: Scene, version: str) -> Edit | None:
    """Return the edit that does not run on every server of a version, if there is one.

    Once a generation was Ready, later changes of pods are not an edit of it: scaling, a repair, an
    upgrade of KServe. They are reported only if they do not finish.
    """
    server, wanted = scene.observed.server(version), wanted_servers(scene, version)
    if server is None or wanted is None:
        return None
    edit = _edit(scene, server, wanted)
    settled = _is_settled(scene)
    return edit if edit is None or not settled or edit.is_late else None


def _is_settled(scene: Scene) -> bool:
    """Return whether this generation was Ready already."""
    model = scene.model
    return is_ready(model) and model.status.observed_generation == model.generation


def _edit(scene: Scene, server: Server, wanted: Manifest) -> Edit | None:
    unread = scene.observed.unread_of(DEPLOYMENT)
    if unread is not None:
        return Edit(unread, stuck=True)
    deployment = server.deployment
    if deployment is None and matches(server.body, wanted):
        return None
    if deployment is None or not _carries(scene, server, deployment, wanted):
        return _not_carried(scene, server, wanted)
    if _runs_everywhere(scene, deployment):
        return None
    if _is_late(scene, deployment):
        return Edit(_stuck(scene, server, deployment), stuck=True, is_late=True)
    return Edit(_updating(server, deployment))


def _not_carried(scene: Scene, server: Server, wanted: Manifest) -> Edit:
    """Return an edit that KServe has not acted on; the deadline counts from when it could."""
    waits = f"KServe has not applied the edit to the servers of {server.version} yet"
    since = server.applied if matches(server.body, wanted) else None
    if since is None or _deadline(scene, since) > scene.now:
        return Edit(Finding("ServersUpdating", waits))
    remedy = "check KServe's controller manager, or revert the edit"
    return Edit(Finding("ProgressDeadlineExceeded", f"{waits}: {remedy}"), stuck=True)


def _carries(scene: Scene, server: Server, deployment: Deployment, wanted: Manifest) -> bool:
    """Return whether a Deployment's pods have the model's settings."""
    predictor = wanted["spec"]["predictor"]
    asked = predictor["model"]
    there = {one["name"]: one for one in deployment.container.get("env", ())}
    serving = scene.model.spec.serving
    most = serving.max_replicas or serving.min_replicas
    return (
        matches(server.body, wanted)
        and serving.min_replicas <= deployment.wanted <= most
        and deployment.account == predictor["serviceAccountName"]
        and matches(deployment.container.get("resources", {}), asked["resources"])
        and all(matches(there.get(one["name"], {}), one) for one in asked["env"])
    )


def _runs_everywhere(scene: Scene, deployment: Deployment) -> bool:
    if not deployment.current or deployment.updated < deployment.pods:
        return False
    return deployment.available >= scene.model.spec.serving.min_replicas


def _is_late(scene: Scene, deployment: Deployment) -> bool:
    """Return whether the newest spec makes no progress; reports about earlier ones do not count."""
    since = deployment.progressed
    return deployment.current and since is not None and _deadline(scene, since) <= scene.now


def _deadline(scene: Scene, since: datetime) -> datetime:
    seconds = scene.model.spec.serving.rollout.progress_deadline_seconds
    return since + timedelta(seconds=seconds)


def _updating(server: Server, deployment: Deployment) -> Finding:
    if not deployment.current:  # its counts are about the spec before
        waits = f"Kubernetes has not begun to update the servers of {server.version} yet"
        return Finding("ServersUpdating", waits)
    trouble = server.trouble
    why = f"; the next one is not ready: {trouble.reason}: {trouble.message}" if trouble else ""
    return Finding("ServersUpdating", f"{_how_far(server, deployment)}{why}")


def _stuck(scene: Scene, server: Server, deployment: Deployment) -> Finding:
    seconds = scene.model.spec.serving.rollout.progress_deadline_seconds
    trouble = server.trouble or Finding(
        "ProgressDeadlineExceeded", f"no further server became ready within {seconds} s"
    )
    edited = deployment.pods > deployment.updated
    remedy = "revert the edit or fix it" if edited else "check the pods of its servers"
    return Finding(trouble.reason, f"{_how_far(server, deployment)}: {trouble.message}: {remedy}")


def _how_far(server: Server, deployment: Deployment) -> str:
    """Return how many servers run the edit; the old ones are assumed to work."""
    before = deployment.pods - deployment.updated
    done = max(0, deployment.available - before)
    how = "run the edit; the old servers keep serving" if before else "are ready"
    return f"{done} of {deployment.wanted} servers of {server.version} {how}"

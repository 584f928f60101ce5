"""What the other controllers of a cluster do in the world in memory: Jobs, KServe, Deployments."""

import copy
from typing import TYPE_CHECKING

from support.outcomes import Outcome

from taxon_contracts.run import RunRequest
from taxon_controller import clock
from taxon_kube.api import DEPLOYMENT, INFERENCE_SERVICE, JOB, Manifest

if TYPE_CHECKING:
    from support.world import World


def settle(world: "World") -> None:
    """Let Jobs end, servers become ready and clean-ups finish."""
    for (kind, namespace, _), body in list(world.objects.items()):
        if kind == JOB.name and "status" not in body:
            if namespace == world.system:
                _clean(world, body)
            elif world.trains:
                end_job(world, body, world.train)
        if kind == INFERENCE_SERVICE.name:
            _serve(world, body)


def end_job(world: "World", job: Manifest, outcome: Outcome, *, reason: str = "") -> None:
    """End a training Job, and leave its pod's state."""
    container = job["spec"]["template"]["spec"]["containers"][0]
    value = next(one["value"] for one in container["env"] if one["name"] == "TAXON_RUN")
    request = RunRequest.model_validate_json(value)
    attempt = int(job["metadata"]["name"].rpartition("-")[2])
    state = outcome(request, attempt)
    succeeded = state.get("terminated", {}).get("exitCode") == 0
    if succeeded:
        world.bundles.add(request.destination)
    _finish(world, job, "Complete" if succeeded else "Failed", reason)
    add_pod(
        world, job, {"containerStatuses": [{"name": "trainer", "state": state}]} if state else {}
    )


def add_pod(world: "World", job: Manifest, status: Manifest) -> None:
    """Put a Job's pod there."""
    metadata = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"],
             "uid": metadata["uid"], "controller": True}  # fmt: skip
    body = world.put("Pod", metadata["namespace"], f"{metadata['name']}-pod")
    stored = world.objects[world.key(body)]
    labels = {"batch.kubernetes.io/job-name": metadata["name"]}
    stored["metadata"]["labels"] = metadata.get("labels", {}) | labels
    stored["metadata"]["ownerReferences"] = [owner]
    stored["status"] = status


def _finish(world: "World", job: Manifest, kind: str, reason: str = "") -> None:
    condition = {
        "type": kind,
        "status": "True",
        "reason": reason,
        "lastTransitionTime": clock.text(world.now),
    }
    job["status"] = {"conditions": [condition]}
    world.touch(job)


def _clean(world: "World", job: Manifest) -> None:
    if not world.cleans:
        return
    _, *folders = job["spec"]["template"]["spec"]["containers"][0]["args"]
    if world.undeletable:
        _finish(world, job, "Failed", "BackoffLimitExceeded")
        return
    world.bundles = {one for one in world.bundles if not one.startswith(tuple(folders))}
    _finish(world, job, "Complete")


def _serve(world: "World", body: Manifest) -> None:
    if world.webhook_away:
        return
    _deploy(world, body)
    status = {"conditions": [{"type": "PredictorReady", "status": str(world.serves)}]}
    if body.get("status") == status:
        return
    body["status"] = status
    world.touch(body)
    if world.server_state:
        _server_pod(world, body, world.server_state)


def _server_pod(world: "World", body: Manifest, status: Manifest, suffix: str = "pod") -> None:
    name = f"{body['metadata']['name']}-{suffix}"
    pod = world.put("Pod", body["metadata"]["namespace"], name)
    stored = world.objects[world.key(pod)]
    stored["metadata"]["labels"] = body["metadata"]["labels"] | {
        "serving.kserve.io/inferenceservice": body["metadata"]["name"]
    }
    stored["metadata"]["ownerReferences"] = body["metadata"]["ownerReferences"]
    stored["status"] = copy.deepcopy(status)


def _deploy(world: "World", body: Manifest) -> None:
    """Carry an InferenceService over to its Deployment, and roll that out."""
    metadata, predictor = body["metadata"], body["spec"]["predictor"]
    if "model" not in predictor or "env" not in predictor["model"]:
        return
    container = {"name": "kserve-container"} | {
        part: copy.deepcopy(predictor["model"][part]) for part in ("resources", "env")
    }
    spec = {
        "replicas": predictor["minReplicas"],
        "template": {
            "spec": {
                "serviceAccountName": predictor["serviceAccountName"],
                "containers": [container],
            }
        },
    }
    name = f"{metadata['name']}-predictor"
    there = world.objects.get((DEPLOYMENT.name, metadata["namespace"], name))
    if there is None:
        world.put("Deployment", metadata["namespace"], name, spec=spec, status={})
        there = world.objects["Deployment", metadata["namespace"], name]
        there["metadata"]["labels"] = dict(metadata["labels"])
        there["metadata"]["ownerReferences"] = [{"uid": metadata["uid"], "controller": True}]
        there["ran"] = spec
    elif there["spec"] != spec and world.carries:
        there["spec"] = spec
        there["metadata"]["generation"] += 1
    _roll_out(world, body, there)


def deployment_conditions(world: "World", there: Manifest, status: Manifest) -> list[Manifest]:
    """Return what Kubernetes says of a Deployment with these counts.

    As there, what was rolled out once notes no further progress until its template changes.
    """
    before = {one["type"]: one for one in there["status"].get("conditions", ())}
    now, whole = clock.text(world.now), status["replicas"] == status["updatedReplicas"]
    progress = before.get("Progressing", {})
    if not (whole and progress.get("reason") == "NewReplicaSetAvailable"):
        reason = "NewReplicaSetAvailable" if whole else "ReplicaSetUpdated"
        progress = {"type": "Progressing", "status": "True", "reason": reason,
                    "lastUpdateTime": now}  # fmt: skip
    enough = str(status["availableReplicas"] >= there["spec"]["replicas"])
    available = before.get("Available", {})
    if available.get("status") != enough:
        available = {"type": "Available", "status": enough, "lastTransitionTime": now}
    return [progress, available]


def _roll_out(world: "World", body: Manifest, there: Manifest) -> None:
    """Replace the pods of the spec that ran by pods of the newest, if those become ready."""
    spec, before = there["spec"], there["ran"]["replicas"]
    arrives = world.updates or spec == there["ran"]
    count = spec["replicas"]
    if arrives:
        counts = (count, count, count if world.serves else 0)
    elif spec.get("template") == there["ran"].get("template"):
        counts = (count, count, min(before, count))
    else:
        counts = (before + 1, 1, before)
    status = {
        "observedGeneration": there["metadata"]["generation"],
        **dict(zip(("replicas", "updatedReplicas", "availableReplicas"), counts, strict=True)),
    }
    known = {key: there["status"].get(key) for key in status}
    if known == status:
        return
    there["status"] = status | {"conditions": deployment_conditions(world, there, status)}
    surplus = ("Pod", body["metadata"]["namespace"], f"{body['metadata']['name']}-next")
    if arrives:
        there["ran"] = copy.deepcopy(spec)
        world.objects.pop(surplus, None)
    elif surplus not in world.objects:
        _server_pod(world, body, world.update_state, "next")
    world.touch(there)

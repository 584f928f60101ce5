"""From objects as the API server returns them to the values that are planned with."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from pydantic import ValidationError

from taxon_contracts import names
from taxon_contracts.document import salvage
from taxon_contracts.run import RunResult
from taxon_contracts.status import TrainedDataset, Trigger, VersionRecord
from taxon_controller import clock
from taxon_controller.domain.actions import Finding
from taxon_controller.observe.observed import (
    Attempt,
    Budget,
    Cleanup,
    Deployment,
    Pointer,
    Server,
)
from taxon_kube.api import Manifest

JOB_LABEL = "batch.kubernetes.io/job-name"
SERVING_LABEL = "serving.kserve.io/inferenceservice"
IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
CONFIG_REASONS = ("CreateContainerConfigError", "CreateContainerError")
DEADLINE = "DeadlineExceeded"
MESSAGE_CHARACTERS = 400
EXCEPTION = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Failed))(:|$)")
"""The last line of a traceback."""
SERVER_CONTAINER = "kserve-container"
DEPLOYMENT_SECONDS = 600
"""The default of a Deployment's progressDeadlineSeconds."""


def label(body: Manifest, name: str) -> str:
    """Return a label's value, or nothing."""
    return str(body["metadata"].get("labels", {}).get(name, ""))


def annotation(body: Manifest, name: str) -> str:
    """Return an annotation's value, or nothing."""
    return str(body["metadata"].get("annotations", {}).get(name, ""))


def read_attempt(job: Manifest, pods: Iterable[Manifest]) -> Attempt | None:
    """Return the attempt of a training Job, or None if its labels are not those of one."""
    metadata = job["metadata"]
    version = label(job, names.LABEL_VERSION)
    number = metadata["name"].removeprefix(f"{label(job, names.LABEL_MODEL)}-{version}-")
    if not version or not number.isdigit():
        return None
    run = _run(annotation(job, names.ANNOTATION_RUN))
    own = [pod for pod in pods if label(pod, JOB_LABEL) == metadata["name"]]
    finished, kind, job_reason = _finished(job)
    result = _result(own) if finished else None
    return Attempt(
        version=version,
        number=int(number),
        trigger=run.trigger,
        token=run.token,
        dataset=run.dataset,
        created=clock.parse(metadata["creationTimestamp"]),
        finished=finished,
        deleting="deletionTimestamp" in metadata,
        succeeded=kind == "Complete",
        lost=bool(finished) and result is None and not own and job_reason != DEADLINE,
        record=read_record(annotation(job, names.ANNOTATION_RECORD)),
        result=result,
        failure=_job_failure(job_reason, own) if finished and result is None else None,
        trouble=None if finished else _trouble(own),
        body=job,
    )


@dataclass(frozen=True)
class _Run:
    """What a training Job says about its run."""

    trigger: Trigger = "Spec"
    token: str = ""
    dataset: TrainedDataset | None = None


def _run(text: str) -> _Run:
    try:
        stated = json.loads(text or "{}")
    except ValueError:
        return _Run()
    trigger = stated.get("trigger", "Spec")
    return _Run(
        trigger=trigger if trigger in get_args(Trigger) else "Unknown",
        token=str(stated.get("token", "")),
        dataset=_dataset(stated.get("dataset")),
    )


def _dataset(stated: object) -> TrainedDataset | None:
    try:
        return salvage(TrainedDataset, stated) if stated else None
    except ValidationError:
        return None


def _finished(job: Manifest) -> tuple[datetime | None, str, str]:
    """Return when a Job ended, with the type and reason of its condition, if it has ended."""
    for condition in job.get("status", {}).get("conditions", ()):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            ended = clock.parse(condition["lastTransitionTime"])
            return ended, condition["type"], condition.get("reason", "")
    return None, "", ""


def _containers(pods: Iterable[Manifest]) -> Iterator[dict[str, Any]]:
    for pod in pods:
        status = pod.get("status", {})
        yield from status.get("initContainerStatuses", ())
        yield from status.get("containerStatuses", ())


def _result(pods: Iterable[Manifest]) -> RunResult | None:
    for container in _containers(pods):
        message = container.get("state", {}).get("terminated", {}).get("message", "")
        try:
            return salvage(RunResult, message.strip())
        except ValidationError:
            continue
    return None


def _job_failure(job_reason: str, pods: list[Manifest]) -> Finding:
    if job_reason == DEADLINE:
        return Finding("DeadlineExceeded", "it took longer than training.deadlineSeconds")
    ended = [one.get("state", {}).get("terminated", {}) for one in _containers(pods)]
    if any(state.get("reason") == "OOMKilled" for state in ended):
        return Finding("OutOfMemory", "the container needed more memory than its limit")
    reasons = [pod.get("status", {}).get("reason", "") for pod in pods]
    why = next(filter(None, reasons), "") or next(
        (f"exit code {state['exitCode']}" for state in ended if "exitCode" in state), "no pod"
    )
    return Finding("PodLost", f"the pod ended without a result ({why})")


def _trouble(pods: list[Manifest]) -> Finding | None:
    """Return the first problem that keeps pods from running."""
    for container in _containers(pods):
        found = _container_trouble(container)
        if found:
            return found
    for pod in pods:
        for condition in pod.get("status", {}).get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
                return Finding("Unschedulable", _short(condition.get("message", "")))
    return None


def _container_trouble(container: dict[str, Any]) -> Finding | None:
    waiting = container.get("state", {}).get("waiting", {})
    ended = container.get("lastState", {}).get("terminated") or container.get("state", {}).get(
        "terminated", {}
    )
    reason = waiting.get("reason", "")
    if reason in IMAGE_REASONS:
        return Finding("ImagePullFailed", f"image {container.get('image', '')} cannot be pulled")
    if reason in CONFIG_REASONS:
        return Finding("CredentialsMissing", _short(waiting.get("message", reason)))
    if ended.get("reason") == "OOMKilled":
        return Finding("OutOfMemory", "the container needed more memory than its limit")
    if ended.get("exitCode"):
        last = _last_words(ended.get("message", "")) or f"exit code {ended['exitCode']}"
        kind = "BundleRefused" if container.get("name") == "storage-initializer" else ""
        return Finding(kind or "ServerCrashed", last)
    return None


def _last_words(text: str) -> str:
    """Return a container's last line, but never the text of an exception.

    If the container wrote no termination message, Kubernetes uses the end of its log; the
    text of an exception may repeat a value of a table or a request.
    """
    lines = text.strip().splitlines()
    try:
        logged = json.loads(lines[-1]) if lines else {}
    except ValueError:
        logged = {}
    if isinstance(logged, dict) and "event" in logged:
        return _short(str(logged.get("reason") or logged["event"]))
    raised = EXCEPTION.match(lines[-1]) if lines else None
    return f"it ended with {raised[1]}: read its log" if raised else _short(text)


def _short(text: str) -> str:
    """Return the last line of a message, of a bounded length."""
    lines = text.strip().splitlines()
    return lines[-1][:MESSAGE_CHARACTERS] if lines else ""


def read_server(
    body: Manifest, pods: Iterable[Manifest], deployments: Iterable[Manifest] = ()
) -> Server:
    """Return the servers of an InferenceService."""
    conditions = body.get("status", {}).get("conditions", ())
    ready = any(
        one["type"] == "PredictorReady" and one.get("status") == "True" for one in conditions
    )
    own = [pod for pod in pods if label(pod, SERVING_LABEL) == body["metadata"]["name"]]
    return Server(
        version=label(body, names.LABEL_VERSION),
        ready=ready,
        up=ready or any(_is_ready(pod) for pod in own),
        seen=bool(conditions),
        deleting="deletionTimestamp" in body["metadata"],
        record=read_record(annotation(body, names.ANNOTATION_RECORD)),
        runtime=annotation(body, names.ANNOTATION_RUNTIME),
        trouble=_trouble([pod for pod in own if not _is_ready(pod)])
        or (None if ready else _load_failure(body)),
        applied=_applied(body),
        deployment=next(
            (read_deployment(one) for one in deployments if _is_of(one, body)),
            None,
        ),
        body=body,
    )


def _applied(body: Manifest) -> datetime | None:
    """Return when this field manager last changed an object: the API server notes it."""
    entries = body["metadata"].get("managedFields", ())
    own = [one for one in entries if one.get("manager") == names.FIELD_MANAGER and "time" in one]
    return max((clock.parse(one["time"]) for one in own), default=None)


def _is_of(deployment: Manifest, server: Manifest) -> bool:
    """Return whether KServe created a Deployment for an InferenceService."""
    owners = deployment["metadata"].get("ownerReferences", ())
    return any(owner.get("uid") == server["metadata"]["uid"] for owner in owners)


def read_deployment(body: Manifest) -> Deployment:
    """Return the progress of a Deployment with its newest spec."""
    spec, status = body["spec"], body.get("status", {})
    containers = spec["template"]["spec"]["containers"]
    return Deployment(
        current=status.get("observedGeneration", 0) >= body["metadata"].get("generation", 0),
        wanted=spec.get("replicas", 1),
        pods=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        available=status.get("availableReplicas", 0),
        progressed=_progressed(body),
        account=spec["template"]["spec"].get("serviceAccountName", ""),
        container=next((one for one in containers if one["name"] == SERVER_CONTAINER), {}),
    )


def _progressed(deployment: Manifest) -> datetime | None:
    """Return when a Deployment last made progress or pods became unavailable, the later of both.

    Kubernetes records no progress if only the number of pods changes or one of them is lost: the
    time stays that of the last rollout. If its own deadline passes, it records a later time.
    """
    times = []
    for one in deployment.get("status", {}).get("conditions", ()):
        if one["type"] == "Progressing" and "lastUpdateTime" in one:
            seconds = deployment["spec"].get("progressDeadlineSeconds", DEPLOYMENT_SECONDS)
            late = timedelta(seconds=seconds if one["status"] == "False" else 0)
            times.append(clock.parse(one["lastUpdateTime"]) - late)
        if one["type"] == "Available" and one["status"] == "False" and "lastTransitionTime" in one:
            times.append(clock.parse(one["lastTransitionTime"]))
    return max(times, default=None)


def _is_ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _load_failure(body: Manifest) -> Finding | None:
    failure = body.get("status", {}).get("modelStatus", {}).get("lastFailureInfo", {})
    if failure.get("reason") != "ModelLoadFailed":
        return None
    return Finding("BundleRefused", _short(failure.get("message", "")) or "the loader failed")


def read_record(text: str) -> VersionRecord | None:
    """Return the record in an annotation, or None if there is none."""
    try:
        return salvage(VersionRecord, text) if text else None
    except ValidationError:
        return None


def read_pointer(body: Manifest) -> Pointer:
    """Return the version a Service or HTTPRoute points at."""
    return Pointer(version=label(body, names.LABEL_VERSION), body=body)


def read_cleanup(job: Manifest) -> Cleanup:
    """Return the clean-up a Job is."""
    conditions = job.get("status", {}).get("conditions", ())
    succeeded = any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)
    failed = any(one["type"] == "Failed" and one["status"] == "True" for one in conditions)
    return Cleanup(job["metadata"]["name"], succeeded, failed, job)


def read_budget(body: Manifest) -> Budget:
    """Return the version of a PodDisruptionBudget."""
    return Budget(version=label(body, names.LABEL_VERSION), body=body)

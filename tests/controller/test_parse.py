"""What Kubernetes and KServe say, in the words of the conditions' table."""

from typing import Any

import pytest
from support.world import model_body

from taxon_contracts.reasons import REASONS
from taxon_controller.domain.actions import Finding
from taxon_controller.domain.model import read_model
from taxon_controller.observe.parse import read_attempt, read_record, read_server

TIME = "2026-11-02T12:00:00Z"
ISVC = "wine-v3f9c2a71be"


def server_trouble(container: dict[str, Any], *, kind: str = "containerStatuses") -> Finding | None:
    """Return why the servers of a version with one such pod do not get on."""
    pod = {
        "metadata": {"labels": {"serving.kserve.io/inferenceservice": ISVC}},
        "status": {kind: [{"name": "kserve-container", **container}]},
    }
    return read_server(inference_service(), [pod]).trouble


def inference_service(**status: Any) -> dict[str, Any]:
    """Return an InferenceService that is not ready."""
    labels = {"taxon.dev/model": "wine", "taxon.dev/version": "v3f9c2a71be"}
    return {"metadata": {"name": ISVC, "labels": labels}, "status": status}


def crashed(message: str) -> dict[str, Any]:
    """Return a container that has crashed and left this."""
    return {"lastState": {"terminated": {"exitCode": 1, "message": message}}}


@pytest.mark.parametrize(
    ("container", "reason", "message"),
    [
        (
            {"image": "taxon/none:1", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
            "ImagePullFailed",
            "image taxon/none:1 cannot be pulled",
        ),
        (
            {
                "state": {
                    "waiting": {
                        "reason": "CreateContainerConfigError",
                        "message": 'secret "taxon-s3-read" not found',
                    }
                }
            },
            "CredentialsMissing",
            'secret "taxon-s3-read" not found',
        ),
        (
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            },
            "OutOfMemory",
            "the container needed more memory than its limit",
        ),
        (
            {"lastState": {"terminated": {"exitCode": 1, "message": "one\nthe last line\n"}}},
            "ServerCrashed",
            "the last line",
        ),
        ({"lastState": {"terminated": {"exitCode": 2}}}, "ServerCrashed", "exit code 2"),
        (
            crashed('{"event": "not_serving", "reason": "no bundle", "level": "error"}'),
            "ServerCrashed",
            "no bundle",
        ),
        (crashed('{"event": "stopped", "level": "error"}'), "ServerCrashed", "stopped"),
        (
            crashed("Traceback ...\nValueError: could not convert 'Mrs. Example' to float"),
            "ServerCrashed",
            "it ended with ValueError: read its log",
        ),
        (
            crashed("onnxruntime.RuntimeException: 'Mrs. Example'"),
            "ServerCrashed",
            "it ended with onnxruntime.RuntimeException: read its log",
        ),
    ],
)
def test_a_pod_that_does_not_get_on_is_understood(
    container: dict[str, Any], reason: str, message: str
) -> None:
    """Image, credentials, memory, crash with the last line; an exception's text is left out."""
    assert server_trouble(container) == Finding(reason, message)
    assert "Serving" in REASONS[reason].types or reason == "CredentialsMissing"


def test_a_bundle_the_loader_refuses_is_understood() -> None:
    """The loader's sentence is in its termination message."""
    ended = {"exitCode": 65, "message": "digest of the manifest is another"}

    assert server_trouble(
        {"name": "storage-initializer", "state": {"terminated": ended}},
        kind="initContainerStatuses",
    ) == Finding("BundleRefused", "digest of the manifest is another")


def test_a_refusal_is_read_from_the_inference_service_when_the_pod_is_gone() -> None:
    """KServe keeps the loader's message."""
    failure = {"reason": "ModelLoadFailed", "message": "no such bundle", "exitCode": 65}
    body = inference_service(modelStatus={"lastFailureInfo": failure})

    assert read_server(body, []).trouble == Finding("BundleRefused", "no such bundle")
    assert read_server(inference_service(modelStatus={"lastFailureInfo": {}}), []).trouble is None


def test_a_pod_without_a_node_is_understood() -> None:
    """The scheduler says why."""
    condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes: cpu"}
    pod = {
        "metadata": {"labels": {"serving.kserve.io/inferenceservice": ISVC}},
        "status": {"conditions": [condition]},
    }

    assert read_server(inference_service(), [pod]).trouble == Finding(
        "Unschedulable", "0/1 nodes: cpu"
    )


def test_one_ready_pod_is_enough_for_a_live_version() -> None:
    """KServe says not ready while replicas are added; the version answers all the same."""
    pod = {
        "metadata": {"labels": {"serving.kserve.io/inferenceservice": ISVC}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    server = read_server(inference_service(), [pod])

    assert (server.ready, server.up) == (False, True)


def job(name: str, **extra: Any) -> dict[str, Any]:
    """Return a Job with a version's labels."""
    labels = {"taxon.dev/model": "wine", "taxon.dev/version": "v3f9c2a71be"}
    metadata = {"name": name, "labels": labels, "creationTimestamp": TIME, **extra}
    return {"metadata": metadata, "status": {}}


@pytest.mark.parametrize("name", ["wine-v3f9c2a71be", "wine-v3f9c2a71be-x", "other-1"])
def test_a_job_of_another_name_is_no_attempt(name: str) -> None:
    """Whoever put our labels on it."""
    assert read_attempt(job(name), ()) is None


@pytest.mark.parametrize("text", ["", "no json", '{"another": "field"}'])
def test_a_job_without_a_readable_trigger_is_of_the_spec(text: str) -> None:
    """Labels and name say the rest."""
    attempt = read_attempt(job("wine-v3f9c2a71be-1", annotations={"taxon.dev/run": text}), ())

    assert attempt is not None
    assert (attempt.trigger, attempt.token) == ("Spec", "")


@pytest.mark.parametrize("text", ["", "no json", "{}"])
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    """A hand on the annotation breaks nothing."""
    assert read_record(text) is None


def test_a_status_that_cannot_be_read_heals_like_a_lost_one() -> None:
    """Another release may have written it."""
    body = model_body()
    body["metadata"] |= {"uid": "1", "creationTimestamp": TIME}
    model = read_model(body | {"status": {"live": "v1"}})

    assert model.status.live is None


def test_a_long_annotation_is_shortened_to_a_digest() -> None:
    """A token stands in the status, which is bounded."""
    body = model_body()
    body["metadata"] |= {
        "uid": "1",
        "creationTimestamp": TIME,
        "annotations": {"taxon.dev/retrain": "x" * 1000},
    }

    assert len(read_model(body).retrain) == len("retrain:") + 64

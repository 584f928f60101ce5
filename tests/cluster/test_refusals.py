"""What must not be served: KServe's status says why, in a sentence a person understands."""

from collections.abc import Iterator

import pytest
from support import by_hand
from support.by_hand import Served, TrainVersion
from support.kubectl import Object, apply, delete, find, kubectl
from support.waiting import wait_until

from taxon_bundle.location import open_store
from taxon_contracts.manifest import SERVING_NAME, object_key
from taxon_contracts.names import ANNOTATION_DIGEST

NAMESPACE = "default"
OTHER_DIGEST = "sha256:" + "0" * 64
MISSING_URI = "s3://taxon/default/nothing/here/"
REASONS = {
    "tampered": "classifier.onnx: its content is not what the manifest of {uri} lists",
    "digest": "manifest.json: the bundle under taxon+{uri} is {digest}, not the requested "
    + OTHER_DIGEST,
    "missing": "manifest.json: no bundle is sealed under taxon+" + MISSING_URI,
    "credentials": "manifest.json is denied (InvalidAccessKeyId): check the credentials",
}
"""What the status must say, by what is wrong."""


@pytest.fixture(scope="session")
def refused(release: str, train_version: TrainVersion) -> Iterator[dict[str, Served]]:
    """Apply one InferenceService per way to be wrong, all at once."""
    tampered, sound = train_version(), train_version()
    listed = tampered.manifest.files[SERVING_NAME]
    open_store(tampered.uri).write(object_key(SERVING_NAME, listed.sha256), b"x" * listed.size)
    served = {
        case: Served(
            f"{case}-{sound.manifest.version}",
            NAMESPACE,
            tampered if case == "tampered" else sound,
            release,
        )
        for case in REASONS
    }
    services = {
        "tampered": by_hand.inference_service(served["tampered"]),
        "digest": by_hand.inference_service(served["digest"], digest=OTHER_DIGEST),
        "missing": by_hand.inference_service(served["missing"], uri=MISSING_URI),
        "credentials": by_hand.inference_service(served["credentials"], account="stranger"),
    }
    objects = [*by_hand.stranger("stranger", NAMESPACE), *services.values()]
    apply(*objects)
    yield served
    delete(*objects)


@pytest.mark.parametrize("case", REASONS)
def test_the_status_says_why(refused: dict[str, Served], case: str) -> None:
    """The InferenceService is not Ready, and its status holds the reason."""
    served = refused[case]
    status: Object = {}

    def failed() -> bool:
        found = find("inferenceservice", served.name, served.namespace) or {}
        status.update(found.get("status", {}))
        return "lastFailureInfo" in status.get("modelStatus", {})

    wait_until(failed, seconds=120, every=1)
    [ready] = [one for one in status["conditions"] if one["type"] == "Ready"]
    reason = REASONS[case].format(uri=served.bundle.uri, digest=served.bundle.digest)
    assert reason in status["modelStatus"]["lastFailureInfo"]["message"]
    assert ready["status"] != "True"


def test_a_server_refuses_a_bundle_of_another_digest_than_requested(
    release: str, train_version: TrainVersion
) -> None:
    """A server whose annotation names another manifest than was fetched ends and says so."""
    bundle = train_version()
    served = Served(f"annotation-{bundle.manifest.version}", NAMESPACE, bundle, release)
    service = by_hand.inference_service(served)
    service["metadata"]["annotations"][ANNOTATION_DIGEST] = OTHER_DIGEST
    apply(service)
    expected = f"the bundle under /mnt/models is {bundle.digest}, not the requested {OTHER_DIGEST}"
    try:
        wait_until(lambda: expected in termination_messages(served), seconds=90, every=1)
    finally:
        delete(service)


def termination_messages(served: Served) -> str:
    """Return what containers of a version's pods said when they ended."""
    pods = f"--selector=serving.kserve.io/inferenceservice={served.name}"
    messages = "{.items[*].status.containerStatuses[*]['state','lastState'].terminated.message}"
    return kubectl("get", "pods", pods, "-n", served.namespace, f"--output=jsonpath={messages}")

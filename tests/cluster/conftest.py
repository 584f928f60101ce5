"""The cluster of `make cluster` with a release of the chart, and two bundles served by hand.

Without a cluster these tests fail: they are asked for by name, so a skip would hide something.
"""

import base64
import os
import secrets
from collections.abc import Iterator

import pytest
from support import by_hand
from support.by_hand import MODEL, Served, TrainVersion
from support.kubectl import apply, delete, find, forwarded, kubectl, wait_for
from support.release import SYSTEM, helm
from support.training import run_request, small_table, train

from hack.cluster import layout
from hack.cluster.release import VALUES
from taxon_bundle.bundle import Bundle
from taxon_contracts.names import bundle_uri

NAMESPACE = "default"
"""A model namespace of the release: it has its ServiceAccounts and Secrets, and is scraped."""


@pytest.fixture(scope="session")
def release() -> str:
    """Bring the release of the chart up to date; return the name of its runtime."""
    assert layout.KUBECONFIG.exists(), "there is no cluster: run `make cluster`"
    values = ("--reset-then-reuse-values", f"--values={VALUES}")
    chart = str(layout.ROOT / "charts/taxon")
    helm("upgrade", "--install", "taxon", chart, "--create-namespace", *values)
    for component in ("credentials", "buckets"):
        jobs = f"--selector=app.kubernetes.io/component={component}"
        kubectl("wait", "job", jobs, "-n", SYSTEM, "--for=condition=complete", "--timeout=180s")
    runtime = "{.spec.template.spec.containers[0].env[?(@.name=='TAXON_CONTROLLER_RUNTIME')].value}"
    return kubectl(
        "get", "deployment/taxon-controller", "-n", SYSTEM, f"--output=jsonpath={runtime}"
    )


@pytest.fixture(scope="session")
def object_store(release: str) -> Iterator[None]:  # noqa: ARG001 - the store comes with the release
    """Lead this process's S3 clients to the release's object store, as its administrator."""
    secret = find("secret", "taxon-evaluation", SYSTEM)
    assert secret
    with forwarded("taxon-object-store", SYSTEM, 8333) as port, pytest.MonkeyPatch.context() as env:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            env.setenv(name, base64.b64decode(secret["data"][name]).decode())
        env.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        env.setenv("AWS_DEFAULT_REGION", "us-east-1")
        env.setenv("AWS_CONFIG_FILE", os.devnull)
        env.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest.fixture(scope="session")
def train_version(
    object_store: None,  # noqa: ARG001 - where the bundles go
    tmp_path_factory: pytest.TempPathFactory,
) -> TrainVersion:
    """Return what trains bundles into the object store."""
    folder = tmp_path_factory.mktemp("tables")

    def train_one() -> Bundle:
        version = f"v{secrets.token_hex(5)}"
        destination = bundle_uri("s3://taxon", namespace=NAMESPACE, model=MODEL, version=version)
        table = small_table(seed=int(version[1:], 16))
        place = {"version": version, "model": MODEL, "destination": destination}
        return train(run_request(table, folder / version, **place))

    return train_one


@pytest.fixture(scope="session")
def versions(release: str, train_version: TrainVersion) -> Iterator[tuple[Served, Served]]:
    """Yield two versions of a model, each served and Ready."""
    first, second = [
        Served(f"{MODEL}-{bundle.manifest.version}", NAMESPACE, bundle, release)
        for bundle in (train_version(), train_version())
    ]
    services = [by_hand.inference_service(served) for served in (first, second)]
    apply(*services)
    for served in (first, second):
        wait_for("condition=Ready", f"inferenceservice/{served.name}", NAMESPACE, seconds=180)
    yield first, second
    delete(*services)

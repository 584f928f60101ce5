"""The API server's answers in Taxon's own words, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import kmock
import pytest
import pytest_asyncio
from kubernetes.client import Configuration
from kubernetes.config import ConfigException
from support.emulated import Emulated
from support.world import World

from taxon_kube.api import (
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    JOB,
    SERVICE,
    SERVICE_ACCOUNT,
    AlreadyExists,
    ApiError,
    Conflict,
    KindMissing,
    Manifest,
    NotTheWriter,
    Refused,
    Unavailable,
    WebhookUnavailable,
)
from taxon_kube.client import Cluster, load_configuration


class Served:
    """An emulated cluster and a client of it."""

    def __init__(self, emulated: Emulated, url: str) -> None:
        self.emulated, self.url = emulated, url
        self.cluster = Cluster(Configuration(host=url))

    async def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call the synchronous client while the loop serves it."""
        return await asyncio.to_thread(function, *arguments, **named)


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    """Yield an emulated cluster and a client of it."""
    emulated = Emulated(World(missing={"HTTPRoute"}))
    async with kmock.KubernetesScaffold() as api, kmock.Server(api):
        emulated.serve(api)
        yield Served(emulated, str(api.url).rstrip("/"))


def manifest(kind: str = "Service", **metadata: Any) -> Manifest:
    """Return a small object."""
    versions = {"Service": "v1", "InferenceService": "serving.kserve.io/v1beta1"}
    return {
        "apiVersion": versions[kind],
        "kind": kind,
        "metadata": {"name": "wine", "namespace": "default", "ownerReferences": [], **metadata},
        "spec": {"type": "ClusterIP"},
    }


@pytest.mark.asyncio
async def test_an_object_is_created_read_applied_and_deleted(served: Served) -> None:
    """What travels is plain JSON."""
    cluster = served.cluster
    created = await served.call(cluster.create, manifest(labels={"a": "b"}))
    found = await served.call(cluster.list, SERVICE, "default", labels={"a": "b"})
    assert [one["metadata"]["name"] for one in found] == ["wine"]

    version = created["metadata"]["resourceVersion"]
    applied = await served.call(cluster.apply, manifest(resourceVersion=version))
    await served.call(cluster.delete, SERVICE, applied)
    await served.call(cluster.delete, SERVICE, applied)
    assert await served.call(cluster.get, SERVICE, "default", "wine") is None


@pytest.mark.asyncio
async def test_what_is_in_the_way_is_reported_from_what_has_changed(served: Served) -> None:
    """Both are 409."""
    await served.call(served.cluster.create, manifest())

    with pytest.raises(AlreadyExists):
        await served.call(served.cluster.create, manifest())
    for write in (served.cluster.apply, served.cluster.replace):
        with pytest.raises(Conflict):
            await served.call(write, manifest(resourceVersion="0"))


@pytest.mark.asyncio
async def test_what_is_gone_cannot_be_replaced(served: Served) -> None:
    """A late write finds nothing to write to."""
    served.emulated.fail("PUT", 404)

    with pytest.raises(Conflict):
        await served.call(served.cluster.replace, manifest(resourceVersion="1"))


@pytest.mark.asyncio
async def test_a_kind_that_is_not_installed_is_reported(served: Served) -> None:
    """The list of it is not found."""
    with pytest.raises(KindMissing):
        await served.call(served.cluster.list, HTTP_ROUTE, "default")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused), (401, Unavailable), (403, Refused), (422, Refused), (429, Unavailable),
        (500, Unavailable), (503, Unavailable), (504, Unavailable),
    ],
)  # fmt: skip
@pytest.mark.asyncio
async def test_a_status_is_reported_as_what_can_be_done_about_it(
    served: Served, status: int, error: type[ApiError]
) -> None:
    """Try again, or give up."""
    served.emulated.fail("GET", status)

    with pytest.raises(error):
        await served.call(served.cluster.list, JOB, "default")


@pytest.mark.asyncio
async def test_kserves_webhook_being_away_is_reported_from_other_failures(served: Served) -> None:
    """An InferenceService cannot be written; everything else can."""
    served.emulated.world.webhook_away = True

    for write in (served.cluster.create, served.cluster.try_admission):
        with pytest.raises(WebhookUnavailable):
            await served.call(write, manifest("InferenceService"))
    assert INFERENCE_SERVICE.name not in [key[0] for key in served.emulated.world.objects]
    await served.call(served.cluster.create, manifest())


@pytest.mark.asyncio
async def test_the_webhook_of_someone_else_is_not_kserves(served: Served) -> None:
    """A policy engine that is away is an error of its own."""
    said = 'failed calling webhook "validate.policy.example.com": connection refused'
    served.emulated.fail("PATCH", 500, message=said)

    with pytest.raises(Unavailable, match=r"validate\.policy"):
        await served.call(served.cluster.try_admission, manifest("InferenceService"))


@pytest.mark.asyncio
async def test_admission_is_tried_without_writing(served: Served) -> None:
    """The Lease need not be held for it, and nothing is counted."""
    wrote: list[str] = []
    cluster = Cluster(
        Configuration(host=served.url),
        may_write=lambda: False,
        wrote=lambda verb, _: wrote.append(verb),
    )
    await served.call(cluster.try_admission, manifest("InferenceService"))

    assert wrote == []


@pytest.mark.asyncio
async def test_nothing_is_written_without_the_lease(served: Served) -> None:
    """It is checked before every write."""
    cluster = Cluster(Configuration(host=served.url), may_write=lambda: False)

    with pytest.raises(NotTheWriter):
        await served.call(cluster.create, manifest())
    assert await served.call(cluster.list, SERVICE, "default") == []


@pytest.mark.asyncio
async def test_every_page_of_a_list_is_read(served: Served) -> None:
    """And each item says what it is, which a list leaves out."""
    found = await served.call(served.cluster.list, SERVICE_ACCOUNT, None)

    assert len(found) == 6
    assert {one["kind"] for one in found} == {"ServiceAccount"}


def test_an_api_server_that_is_away_is_unavailable() -> None:
    """No connection, no crash."""
    with pytest.raises(Unavailable):
        Cluster(Configuration(host="http://127.0.0.1:1")).list(JOB, "default")


def test_retry_after_is_reported() -> None:
    """What the API server asks for is obeyed."""

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(429)
            self.send_header("Retry-After", "7")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = HTTPServer(("127.0.0.1", 0), Busy)
    Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(Unavailable) as raised:
        Cluster(Configuration(host=f"http://127.0.0.1:{server.server_port}")).list(JOB, "default")
    server.shutdown()
    server.server_close()

    assert raised.value.retry_after == 7.0


def test_without_a_cluster_there_is_no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a pod's nor a person's."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "/none")

    with pytest.raises(ConfigException):
        load_configuration()

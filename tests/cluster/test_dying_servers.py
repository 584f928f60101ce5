"""A server that dies or hangs behind the Gateway costs no request when there is another."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from support.kubectl import Object, find, kubectl
from support.lifecycle import Life, living, serving, small_spec
from support.signals import frozen, kill
from support.waiting import wait_until

from taxon_contracts.names import LABEL_MODEL
from taxon_controller import clock

RATE = 50.0
SLOWEST_SECONDS = 3.0
"""One try of a second, another one, and what a busy machine adds."""
HUNG_SECONDS = 8
UNREADY_SECONDS = 5.0
"""Three until the last probe fails, one because Kubernetes counts whole seconds, one to be seen."""
SETTLE_SECONDS = 6.0
"""The five seconds without the server that failed, and a look at it."""


@pytest.fixture(scope="module")
def life(release: str) -> Iterator[Life]:
    """Yield a model with two servers."""
    assert release
    resources = {"requests": {"cpu": "10m", "memory": "64Mi"}}
    spec = small_spec(seed=1, serving=serving() | {"minReplicas": 2, "resources": resources})
    with living(Life("dying"), spec) as life:
        life.become_ready()
        life.wait(lambda: len(ready(life)) == 2)
        yield life


def pods(life: Life) -> list[Object]:
    """Return the pods of a model's servers."""
    selector = f"--selector={LABEL_MODEL}={life.name},app.kubernetes.io/component=model-server"
    text = kubectl("get", "pods", "-n", life.namespace, selector, "--output=json")
    found: list[Object] = json.loads(text)["items"]
    return found


def condition(pod: Object) -> Object:
    """Return whether a pod is ready, and since when."""
    conditions = pod["status"].get("conditions", [])
    return next((one for one in conditions if one["type"] == "Ready"), {"status": "Unknown"})


def ready(life: Life) -> list[Object]:
    """Return the pods that are ready."""
    return [pod for pod in pods(life) if condition(pod)["status"] == "True"]


def settle(life: Life) -> None:
    """Wait until both servers have been answering for longer than a failed one is left out."""
    life.wait(lambda: len(ready(life)) == 2)
    last = max(clock.parse(condition(pod)["lastTransitionTime"]) for pod in ready(life))
    wait_until(
        lambda: (datetime.now(UTC) - last).total_seconds() > SETTLE_SECONDS,
        seconds=SETTLE_SECONDS + 1,
        every=0.2,
    )


def test_the_gateway_takes_the_policy(life: Life) -> None:
    """Envoy Gateway accepts the one policy of the namespace for the model's route."""
    policy = find("backendtrafficpolicy", "taxon", life.namespace)
    assert policy
    states = {
        one["type"]: one["status"]
        for ancestor in policy["status"]["ancestors"]
        for one in ancestor["conditions"]
    }
    assert states["Accepted"] == "True"


def test_a_pod_reserves_what_its_model_asks_for(life: Life) -> None:
    """The loader's own request never exceeds the server's, so 10m of CPU reserve 10m."""
    for pod in pods(life):
        loader, server = pod["spec"]["initContainers"], pod["spec"]["containers"]
        assert [one["resources"]["requests"]["cpu"] for one in server] == ["10m"]
        assert [one["resources"]["requests"]["cpu"] for one in loader] == ["1m"]


def test_a_killed_server_costs_no_request(life: Life) -> None:
    """What it was working on, and what comes before Kubernetes knows, another server answers."""
    settle(life)
    victim = ready(life)[0]
    with life.unharmed(rate=RATE) as answers:
        kill(victim)
        wait_until(lambda: restarts(life, victim) > restarts_of(victim), seconds=30, every=0.2)
        life.wait(lambda: len(ready(life)) == 2)
    assert answers.slowest < SLOWEST_SECONDS


def restarts(life: Life, pod: Object) -> int:
    """Return how often a pod's server was started again by now."""
    found = find("pod", pod["metadata"]["name"], life.namespace)
    assert found
    return restarts_of(found)


def restarts_of(pod: Object) -> int:
    """Return how often a pod's server had been started again."""
    [container] = pod["status"]["containerStatuses"]
    return int(container["restartCount"])


def test_a_hung_server_costs_no_request_and_is_noticed(life: Life) -> None:
    """Each try is given up after a second, and readiness fails within three."""
    settle(life)
    victim = ready(life)[0]
    name = victim["metadata"]["name"]
    with life.unharmed(rate=RATE) as answers, frozen(victim, seconds=HUNG_SECONDS):
        since = time.monotonic()
        wait_until(
            lambda: name not in {pod["metadata"]["name"] for pod in ready(life)},
            seconds=HUNG_SECONDS,
            every=0.1,
        )
        noticed = time.monotonic() - since
    assert noticed < UNREADY_SECONDS
    assert answers.slowest < SLOWEST_SECONDS

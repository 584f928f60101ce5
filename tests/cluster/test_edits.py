"""An edit in place that cannot arrive is said, harms nobody and can be taken back."""

from collections.abc import Iterator

import pytest
from support.kubectl import Object, kubectl
from support.lifecycle import Life, living, serving, small_spec

DEADLINE_SECONDS = 30
AMPLE = {"memory": "512Mi"}
TIGHT = {"memory": "30Mi"}


def spec(amounts: Object) -> Object:
    """Return the spec of the model with this memory for its server."""
    served = serving(progressDeadlineSeconds=DEADLINE_SECONDS)
    return small_spec(
        seed=1, serving=served | {"resources": {"requests": amounts, "limits": amounts}}
    )


@pytest.fixture(scope="module")
def life(release: str) -> Iterator[Life]:
    """Yield a model whose server has enough memory."""
    assert release
    with living(Life("edited"), spec(AMPLE)) as life:
        life.become_ready()
        yield life


def test_a_memory_limit_that_is_too_low_is_stalled_and_can_be_taken_back(life: Life) -> None:
    """The server before the edit answers all the time, and so does it after."""
    live = life.live
    with life.unharmed():
        life.apply(spec(TIGHT))
        life.wait(lambda: life.condition("Ready").get("reason") == "ServersUpdating")
        stalled = life.stall()
        assert life.answering() == live
        life.apply(spec(AMPLE))
        assert life.become_ready() == live
    assert stalled["reason"] == "OutOfMemory"
    assert "revert the edit" in stalled["message"]


def test_the_live_version_has_a_disruption_budget_of_its_own(life: Life) -> None:
    """One server may be taken away by a drain, and Kubernetes finds the pod it is about."""
    name = f"poddisruptionbudget/{life.name}-{life.live}"
    path = "--output=jsonpath={.status.currentHealthy} {.status.disruptionsAllowed}"
    life.wait(lambda: kubectl("get", name, "-n", life.namespace, path) == "1 1")

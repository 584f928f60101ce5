"""A training pod that cannot start says so, and an edit replaces it."""

from typing import Any

import pytest
from support.other_controllers import add_pod
from support.story import READY, Story, served
from support.world import World

from taxon_kube.api import JOB, Manifest

NO_ROOM = {
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory.",
        }
    ]
}
NO_IMAGE = {
    "containerStatuses": [
        {"name": "trainer", "image": "x", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    ]
}


def resources(memory: str, cpu: str = "1000m") -> dict[str, Any]:
    """Return spec.training with these limits."""
    limits = {"memory": memory, "cpu": cpu}
    return {"resources": {"requests": limits, "limits": limits}}


def pending(status: Manifest, story: Story, **spec: Any) -> Story:
    """Let a model's first attempt have a pod in this state."""
    story.world.trains = False
    story.submit(**spec)
    story.run(2)
    [job] = [one for one in story.world.named(JOB).values() if "status" not in one]
    add_pod(story.world, job, status)
    story.run(2)
    return story


def test_an_attempt_without_a_node_says_so_and_what_to_do() -> None:
    """The reason is in the column of kubectl get, and not Training."""
    story = pending(NO_ROOM, Story(World()), training=resources("900Gi"))

    for kind in ("Ready", "Trained"):
        assert story.conditions[kind] == ("False", "Unschedulable")
    assert story.conditions["Reconciling"] == ("True", "Unschedulable")
    assert story.message("Ready").endswith(
        "3 Insufficient memory.; lower spec.training.resources, which replaces this attempt, or"
        " add nodes"
    )


def test_lower_resources_replace_the_attempt_that_waits_for_a_node() -> None:
    """Nobody has to delete the Job by hand."""
    story = pending(NO_ROOM, Story(World()), training=resources("900Gi"))
    story.submit(training=resources("1Gi"))
    story.world.trains = True
    story.run()

    assert story.conditions == READY
    [job] = story.world.named(JOB).values()
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "1Gi"


def test_an_attempt_that_waits_is_not_replaced_without_an_edit() -> None:
    """Not either where the API server writes the same amount in another way."""
    story = pending(NO_ROOM, Story(World()), training=resources("900Gi"))
    [job] = story.world.named(JOB).values()
    for part in job["spec"]["template"]["spec"]["containers"][0]["resources"].values():
        part["cpu"] = "1"
    uid = job["metadata"]["uid"]
    story.run()

    assert [one["metadata"]["uid"] for one in story.world.named(JOB).values()] == [uid]


def test_a_running_attempt_is_never_replaced() -> None:
    """Resources edited while it trains are for the next attempt."""
    story = Story(World(trains=False))
    story.submit(training=resources("2Gi"))
    story.run(2)
    story.submit(training=resources("1Gi"))
    story.run()

    [job] = story.world.named(JOB).values()
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "2Gi"


@pytest.mark.parametrize(
    ("status", "reason"), [(NO_ROOM, "Unschedulable"), (NO_IMAGE, "ImagePullFailed")]
)
def test_an_attempt_in_the_background_says_so_as_well(status: Manifest, reason: str) -> None:
    """Ready stays True; Trained says why no newer version comes."""
    story = served()
    story.world.pass_time(minutes=1)
    story.submit(annotation="again")
    story.world.trains = False
    story.run(2)
    job = next(one for one in story.world.named(JOB).values() if "status" not in one)
    add_pod(story.world, job, status)
    story.run(2)

    assert story.conditions["Ready"] == ("True", "VersionLive")
    assert story.conditions["Trained"] == ("False", reason)

"""Versions that do not become ready, and the way back to one that did.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

import pytest
from support.outcomes import Outcome, failed, refused
from support.story import READY, Story, served
from support.world import World

from taxon_contracts import names
from taxon_controller.domain.model import read_model
from taxon_kube.api import INFERENCE_SERVICE, JOB, SERVICE

CRASHING = {
    "containerStatuses": [
        {
            "name": "kserve-container",
            "lastState": {"terminated": {"exitCode": 1, "message": "start\nno module named x"}},
        }
    ]
}


def test_a_version_that_is_never_ready_is_abandoned_and_the_live_one_stays() -> None:
    """After progressDeadlineSeconds, with the last line it said."""
    story = served()
    first = story.live
    story.world.serves = False
    story.world.server_state = CRASHING
    story.submit(seed=7)
    story.world.objects[INFERENCE_SERVICE.name, "default", f"wine-{first}"]["status"] = {
        "conditions": [{"type": "PredictorReady", "status": "True"}]
    }
    story.run(4)
    assert story.conditions["Ready"] == ("False", "RollingOut")
    assert "no module named x" in story.message("Ready")

    story.world.pass_time(seconds=601)
    story.look()
    assert story.live == first
    assert story.outcomes[0] == ("Spec", "Abandoned", "ServerCrashed")
    assert story.conditions["Stalled"] == ("True", "ServerCrashed")
    story.look()
    assert list(story.world.named(INFERENCE_SERVICE)) == [f"wine-{first}"]


def test_deadlines_are_paused_while_kserve_does_not_answer() -> None:
    """Its webhook being away is no fault of the version."""
    story = Story(World())
    story.submit()
    story.run(2)
    story.world.serves = False
    story.run(3)
    story.world.webhook_away = True
    story.world.pass_time(seconds=900)
    story.look()
    assert story.conditions["Ready"] == ("False", "KServeUnavailable")
    assert story.outcomes[0][1] == "Accepted"

    story.world.webhook_away = False
    story.world.serves = True
    story.run()
    assert story.conditions == READY


def test_a_version_kserve_has_not_looked_at_is_not_late() -> None:
    """The clock begins when KServe's manager has seen it."""
    story = Story(World())
    story.submit()
    story.look()
    story.world.settle()
    story.look()
    story.world.pass_time(seconds=900)
    story.look()

    assert story.outcomes[0][1] == "Accepted"
    assert story.status.candidate is not None


def test_a_ready_version_that_never_answers_gives_the_traffic_back() -> None:
    """Its servers are ready, but the URL does not answer with it: the live one answers again."""
    story = served(seed=1)
    first, world = story.live, story.world
    story.submit(seed=2)
    world.mute = {read_model(world.model()).version("")}
    story.run()
    assert story.conditions["Ready"] == ("False", "SwitchingTraffic")
    world.pass_time(minutes=11)
    story.run()

    assert story.live == first
    assert story.outcomes[0] == ("Spec", "Abandoned", "ProgressDeadlineExceeded")
    assert "status 503" in story.message("Ready")
    [service] = world.named(SERVICE).values()
    assert service["metadata"]["labels"][names.LABEL_VERSION] == first


@pytest.mark.parametrize("outcome", [refused, failed("DatasetChanged")])
def test_a_live_version_whose_next_run_goes_wrong_stays_live(outcome: Outcome) -> None:
    """A spec is left and comes back, and its run does not succeed this time."""
    story = served(seed=1)
    story.world.pass_time(hours=1)
    story.submit(seed=2)
    story.run()
    live = story.live
    story.world.pass_time(hours=1)
    story.world.train = refused
    story.submit(seed=3)
    story.run()
    story.world.pass_time(hours=1)
    story.world.train = outcome
    story.submit(seed=2)
    story.run()

    assert story.live == live
    [service] = story.world.named(SERVICE).values()
    assert service["metadata"]["labels"][names.LABEL_VERSION] == live


def test_a_pin_rolls_back_without_training_and_unpinning_returns() -> None:
    """Rollback is a switch of traffic to a kept version."""
    story = served()
    first = story.live
    story.world.pass_time(minutes=1)
    story.submit(seed=7)
    story.run()
    second, jobs = story.live, len(story.world.named(JOB))

    story.submit(seed=7, pinnedVersion=first)
    story.run()
    assert story.live == first
    assert story.conditions == READY | {"Ready": ("True", "Pinned")}
    assert "spec.pinnedVersion keeps it live: remove it" in story.message("Ready")

    story.submit(seed=7)
    story.run()
    assert story.live == second
    assert story.conditions == READY
    assert len(story.world.named(JOB)) == jobs


def test_unpinning_is_ready_only_when_the_newest_version_answers() -> None:
    """Both versions are of one spec, so that the pinned one looks like what is asked for."""
    story = served()
    first, world = story.live, story.world
    world.pass_time(hours=1)
    story.submit(annotation="again")
    newest = story.run().versions
    assert newest
    story.submit(annotation="again", pinnedVersion=first)
    story.run()
    assert story.live == first
    world.pass_time(hours=1)
    world.serves = False
    story.submit(annotation="again")
    story.run()
    assert story.conditions["Ready"] == ("False", "RollingOut")

    world.serves = True
    story.run()
    assert story.conditions["Ready"] == ("True", "VersionLive")
    assert story.live == newest[0].version


def test_a_pin_of_a_version_that_is_not_kept_is_reported() -> None:
    """Nothing breaks, and the message lists what can be pinned: no version the gate refused."""
    story = served()
    first = story.live
    story.world.train = refused
    story.world.pass_time(minutes=1)
    story.submit(annotation="again")
    story.run()
    story.submit(annotation="again", pinnedVersion="v0000000000")
    story.run()

    assert story.conditions["Stalled"] == ("True", "PinNotFound")
    assert story.message("Stalled") == (
        f"pinnedVersion v0000000000 is not kept; pin one of {first}, or remove pinnedVersion"
    )
    assert story.live == first


def test_where_no_version_can_be_pinned_the_message_says_so() -> None:
    """It does not name a version that would not be accepted either."""
    story = Story(World(train=refused))
    story.submit()
    story.run()
    story.submit(pinnedVersion="v0000000000")
    story.run()

    assert "no version can be pinned: remove pinnedVersion" in story.message("Stalled")


def test_a_refused_version_cannot_be_pinned() -> None:
    """The gate decides whether a version may be rolled out at all."""
    story = served()
    first = story.live
    story.world.train = refused
    story.world.pass_time(minutes=1)
    story.submit(seed=7)
    story.run()
    assert story.status.versions is not None
    story.submit(seed=7, pinnedVersion=story.status.versions[0].version)
    story.run()

    assert story.conditions["Stalled"] == ("True", "PinNotAccepted")
    assert f"pin one of {first}, or remove pinnedVersion" in story.message("Stalled")
    assert story.live == first


def test_a_refused_version_cannot_be_pinned_after_its_next_run_failed() -> None:
    """The gate's verdict is not lost with the run that came after it."""
    story = served(seed=1)
    live = story.live
    story.world.train = refused
    story.submit(seed=2)
    turned_down = story.run().versions
    assert turned_down
    story.world.pass_time(hours=1)
    story.world.train = failed("DatasetChanged")
    story.submit(seed=3)
    story.run()
    story.submit(seed=2)
    story.run()
    story.submit(seed=2, pinnedVersion=turned_down[0].version)
    story.run()

    assert story.live == live
    assert story.conditions["Stalled"] == ("True", "PinNotAccepted")


def test_a_pinned_version_that_is_not_ready_is_reported_and_kept_trying() -> None:
    """A person asked for it; it goes live when it is ready after all."""
    story = served()
    first = story.live
    story.world.pass_time(minutes=1)
    story.submit(seed=7)
    story.run()
    second = story.live
    story.world.pass_time(hours=2)
    story.run()
    story.world.serves = False
    live = story.world.objects[INFERENCE_SERVICE.name, "default", f"wine-{second}"]
    story.submit(seed=7, pinnedVersion=first)
    story.run(3)
    live["status"] = {"conditions": [{"type": "PredictorReady", "status": "True"}]}
    story.world.pass_time(seconds=601)
    story.look()
    assert story.conditions["Stalled"] == ("True", "ProgressDeadlineExceeded")
    assert story.live == second

    story.world.serves = True
    story.run()
    assert story.live == first
    assert story.conditions == READY | {"Ready": ("True", "Pinned")}

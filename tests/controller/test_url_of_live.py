"""The URL of a Ready model is asked again and again, and the status says what it answers."""

from support.story import READY, Story, served
from support.world import World


def test_a_route_that_leads_nowhere_makes_a_ready_model_not_ready() -> None:
    """Servers are ready, but no client reaches them: the message says what the URL answers."""
    story = served()
    story.world.routes = False
    story.look()
    assert story.conditions["Ready"] == ("False", "URLNotAnswering")
    assert "does not answer" in story.message("Ready")
    assert story.conditions["Serving"] == ("True", "VersionServing")
    assert "Stalled" not in story.conditions

    story.world.routes = True
    story.look()
    assert story.conditions == READY


def test_a_restarted_controller_believes_the_status_until_the_url_was_asked() -> None:
    """A restart alone makes no model unready, and no transition is written."""
    story = served()
    written = len(story.world.writes)
    story.world.unasked = True
    story.look()

    assert story.conditions == READY
    assert story.world.writes[written:] == []


def test_a_slow_gateway_does_not_abandon_a_version_whose_servers_were_just_in_time() -> None:
    """The switch has a deadline of its own, from the moment the traffic was moved."""
    story = served(seed=1)
    first, world = story.live, story.world
    world.serves = False
    story.submit(seed=2)
    story.run(4)
    assert story.status.candidate is not None
    second = story.status.candidate.version
    world.pass_time(seconds=595)
    world.serves, world.mute = True, {second}
    story.run(2)
    world.pass_time(seconds=6)
    story.run(2)
    assert story.status.versions is not None
    assert story.status.versions[0].outcome == "Accepted"
    assert (story.status.candidate.weight, story.status.live.weight) == (100, 0)  # type: ignore[union-attr]

    world.mute = set()
    story.run()
    assert (story.live, story.conditions) == (second, READY)
    assert first != second


def test_a_first_version_whose_url_never_answers_is_stalled() -> None:
    """There is nothing to go back to, and waiting in silence helps nobody."""
    story = Story(World(routes=False))
    story.submit()
    story.run()
    assert story.conditions["Reconciling"] == ("True", "SwitchingTraffic")
    story.world.pass_time(minutes=11)
    story.look()
    assert story.conditions["Stalled"] == ("True", "ProgressDeadlineExceeded")
    assert "does not answer" in story.message("Ready")

    story.world.routes = True
    story.run()
    assert story.conditions == READY

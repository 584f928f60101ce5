"""What the gate says of a version whose limits were edited after it was judged."""

from typing import Any

import pytest
from support.outcomes import refused
from support.story import Story, served
from support.world import World

AGAIN = "set the annotation taxon.dev/retrain to a new value"


def limit(**bounds: float) -> dict[str, Any]:
    """Return a gate with one limit."""
    return {"limits": [{"metric": "roc_auc", **bounds}]}


def test_a_limit_raised_above_the_live_version_is_reported() -> None:
    """It stays live, and the condition says that today's gate would refuse it."""
    story = served(gate=limit(min=0.8))
    live = story.live
    story.submit(gate=limit(min=0.995))
    story.run()

    assert story.conditions["GatePassed"] == ("Unknown", "GateChanged")
    assert "roc_auc 0.9900 is below the limit 0.995" in story.message("GatePassed")
    assert AGAIN in story.message("GatePassed")
    assert story.live == live
    assert story.conditions["Ready"] == ("True", "VersionLive")


def test_a_limit_lowered_below_a_refused_version_is_reported_with_the_remedy() -> None:
    """The refusal stands, because nobody judges again by himself."""
    story = Story(World(train=refused))
    story.submit(gate=limit(min=0.8))
    story.run()
    story.submit(gate=limit(min=0.6))
    story.run()

    for kind in ("GatePassed", "Stalled"):
        assert story.conditions[kind] in {("False", "GateChanged"), ("True", "GateChanged")}
        assert "meets the current limits" in story.message(kind)
        assert AGAIN in story.message(kind)


def test_a_refusal_says_what_to_do() -> None:
    """The remedy is in the message a person meets, not on a page."""
    story = Story(World(train=refused))
    story.submit(gate=limit(min=0.8))
    story.run()

    assert story.conditions["Stalled"] == ("True", "LimitNotMet")
    for kind in ("GatePassed", "Stalled"):
        assert "roc_auc 0.7000 is below the limit 0.8; " in story.message(kind)
        assert AGAIN in story.message(kind)


@pytest.mark.parametrize("now", [0.85, 0.75])
def test_a_message_shows_the_limits_as_they_are_now(now: float) -> None:
    """Where the verdict is the same, its numbers are today's."""
    passed, turned_down = served(gate=limit(min=0.8)), Story(World(train=refused))
    turned_down.submit(gate=limit(min=0.8))
    turned_down.run()
    for story in (passed, turned_down):
        story.submit(gate=limit(min=now))
        story.run()

    assert passed.conditions["GatePassed"] == ("True", "LimitsMet")
    assert f"{now} <= roc_auc 0.9900, by the current limits" in passed.message("GatePassed")
    assert turned_down.conditions["GatePassed"] == ("False", "LimitNotMet")
    assert f"is below the limit {now}, by the current limits" in turned_down.message("GatePassed")


def test_an_edit_that_is_taken_back_leaves_no_trace() -> None:
    """What was said before is said again."""
    story = served(gate=limit(min=0.8))
    said = story.message("GatePassed")
    for bound in (0.999, 0.8):
        story.submit(gate=limit(min=bound))
        story.run()

    assert story.message("GatePassed") == said


def test_a_limit_on_a_metric_nobody_measured_changes_nothing() -> None:
    """An earlier release may not have measured it: there is nothing to say."""
    story = served(gate=limit(min=0.8))
    story.submit(gate={"limits": [{"metric": "ece", "max": 0.1}]})
    story.run()

    assert story.conditions["GatePassed"] == ("True", "LimitsMet")

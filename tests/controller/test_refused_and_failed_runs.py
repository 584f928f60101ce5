"""Runs that give no version, or one the gate refuses.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

import itertools
from typing import get_args

import pytest
from support.other_controllers import end_job
from support.outcomes import accepted, failed, lost, out_of_memory, refused
from support.story import READY, Story, served
from support.world import World

from taxon_contracts.run import FinalReason
from taxon_kube.api import INFERENCE_SERVICE, JOB


def test_a_final_failure_stops_and_says_why() -> None:
    """Bad data fails again: there is no second attempt."""
    story = Story(World(train=failed("TargetMissing", "column 'cultivar' is not there")))
    story.submit()
    story.run()

    assert list(story.world.named(JOB)) == [next(iter(story.world.named(JOB)))]
    assert story.conditions["Ready"] == ("False", "TargetMissing")
    assert story.conditions["Stalled"] == ("True", "TargetMissing")
    assert story.message("Stalled") == "column 'cultivar' is not there"


@pytest.mark.parametrize("reason", get_args(FinalReason))
def test_a_run_that_would_fail_again_is_not_repeated(reason: str) -> None:
    """Every final reason of the trainer is the one of the conditions after one attempt."""
    story = Story(World(train=failed(reason, "columns are not what they are listed as; list them")))
    story.submit()
    story.run(6)
    story.world.pass_time(hours=1)
    story.run(2)

    assert len(story.world.named(JOB)) == 1
    assert {story.conditions[one][1] for one in ("Ready", "Stalled", "Trained")} == {reason}
    assert story.message("Trained") == "columns are not what they are listed as; list them"


def test_a_failure_of_many_columns_keeps_its_remedy() -> None:
    """The columns are as many as the trainer may name, the remedy comes after them."""
    columns = ", ".join(f"{'column' * 16} {number} (dates or times)" for number in range(30))
    remedy = "remove them from dataset.features"
    story = Story(World(train=failed("UnsupportedFeature", f"not usable: {columns}; {remedy}")))
    story.submit()
    story.run()

    assert story.message("Stalled").startswith("not usable: columncolumn")
    assert story.message("Stalled").endswith(f"...; {remedy}")


def test_a_retryable_failure_is_tried_again_after_growing_pauses() -> None:
    """The pauses follow from when the attempts ended, so a restart forgets nothing."""
    story = Story(World(train=failed("StorageUnavailable")))
    story.submit()
    seen = []
    for _ in range(200):
        story.look()
        story.world.settle()
        seen.append(len(story.world.named(JOB)))
        story.world.pass_time(seconds=10)
    started = [seen.index(count) * 10 for count in range(1, 6)]
    pauses = [later - sooner for sooner, later in itertools.pairwise(started)]

    assert pauses == [30, 60, 120, 240]
    assert story.conditions["Stalled"] == ("True", "AttemptsExhausted")
    assert len(story.world.named(JOB)) == 1


def test_a_retryable_failure_waits_in_sight() -> None:
    """The condition says what failed and when the next attempt begins."""
    story = Story(World(train=failed("StorageUnavailable", "s3://samples does not answer")))
    story.submit()
    story.run(3)

    assert story.conditions["Ready"] == ("False", "RetryPending")
    assert "s3://samples does not answer" in story.message("Ready")
    assert "2026-11-02T12:00:30Z" in story.message("Ready")


def test_a_lost_pod_is_another_attempt() -> None:
    """A finished Job whose result is gone tells nothing."""
    story = Story(World(train=lost))
    story.submit()
    story.run(3)
    assert story.conditions["Ready"] == ("False", "RetryPending")

    story.world.train = accepted
    story.world.pass_time(seconds=31)
    story.run()
    assert story.conditions == READY
    assert story.live in next(iter(story.world.named(JOB)))


def test_out_of_memory_is_tried_once_more_and_then_reported() -> None:
    """A second time is no accident."""
    story = Story(World(train=out_of_memory))
    story.submit()
    story.run(3)
    assert story.conditions["Ready"] == ("False", "RetryPending")

    story.world.pass_time(seconds=31)
    story.run()
    assert story.conditions["Stalled"] == ("True", "OutOfMemory")


def test_an_attempt_past_its_deadline_is_final() -> None:
    """The Job controller has ended it."""
    world = World(trains=False)
    story = Story(world)
    story.submit()
    story.look()
    [job] = world.named(JOB).values()
    end_job(world, job, lost, reason="DeadlineExceeded")
    story.run()

    assert story.conditions["Stalled"] == ("True", "DeadlineExceeded")


def test_an_edit_that_fails_leaves_the_live_version_alone() -> None:
    """It is Ready=False and Stalled, and serves."""
    story = served()
    first = story.live
    story.world.train = failed("TooFewRows")
    story.submit(seed=7)
    story.run()

    assert story.live == first
    assert story.conditions["Stalled"] == ("True", "TooFewRows")
    assert story.conditions["Serving"] == ("True", "VersionServing")


def test_a_version_the_gate_refuses_is_recorded_and_not_rolled_out() -> None:
    """With numbers and reason."""
    story = Story(World(train=refused))
    story.submit()
    status = story.run()

    assert story.conditions["Stalled"] == ("True", "LimitNotMet")
    assert story.conditions["GatePassed"] == ("False", "LimitNotMet")
    assert story.conditions["Trained"] == ("True", "Succeeded")
    assert status.versions is not None
    assert status.versions[0].metrics is not None
    assert story.world.named(INFERENCE_SERVICE) == {}

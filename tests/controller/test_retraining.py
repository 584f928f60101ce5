"""Another version of an unchanged spec: by annotation and by schedule.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

from support.outcomes import failed, refused
from support.story import READY, served

from taxon_kube.api import JOB


def test_the_retrain_annotation_makes_a_version_in_the_background() -> None:
    """Ready stays true all the while."""
    story = served()
    first = story.live
    story.world.trains = False
    story.world.pass_time(minutes=1)
    story.submit(annotation="monday")
    status = story.run()

    assert status.run is not None
    assert (status.run.trigger, status.run.token) == ("Manual", "retrain:monday")
    assert story.conditions == READY

    story.world.trains = True
    story.run()
    assert story.live != first
    assert story.outcomes[0] == ("Manual", "Accepted", "LimitsMet")
    jobs = len(story.world.named(JOB))
    story.run()
    assert len(story.world.named(JOB)) == jobs


def test_a_schedule_makes_a_version_when_its_slot_has_come() -> None:
    """The slot is part of the version's id; Ready stays true."""
    story = served(retrain={"schedule": "0 13 * * *"})
    story.world.pass_time(minutes=59)
    story.run()
    assert len(story.world.named(JOB)) == 1

    story.world.pass_time(minutes=2)
    story.look()
    assert story.conditions["Ready"] == ("True", "VersionLive")
    story.run()
    assert story.outcomes[0] == ("Schedule", "Accepted", "LimitsMet")
    assert story.status.versions is not None
    assert story.status.versions[0].token == "schedule:2026-11-02T13:00:00Z"  # noqa: S105 - no secret


def test_missed_slots_run_once() -> None:
    """After three days away there is one run, not three."""
    story = served(retrain={"schedule": "0 13 * * *"})
    story.world.pass_time(days=3)
    story.run()

    assert [trigger for trigger, _, _ in story.outcomes] == ["Schedule", "Spec"]


def test_the_next_slot_is_looked_for_in_time() -> None:
    """Nothing else would wake the controller."""
    story = served(retrain={"schedule": "0 13 * * *"})
    again = story.look()

    assert again is not None
    assert again.isoformat() == "2026-11-02T13:00:00+00:00"


def test_a_scheduled_version_the_gate_refuses_changes_gate_passed_only() -> None:
    """The live version is still what the spec asks for."""
    story = served(retrain={"schedule": "0 13 * * *"})
    first = story.live
    story.world.train = refused
    story.world.pass_time(hours=2)
    story.run()

    assert story.live == first
    assert story.conditions == READY | {"GatePassed": ("False", "LimitNotMet")}


def test_a_background_run_that_fails_does_not_touch_ready() -> None:
    """Trained says so."""
    story = served()
    story.world.train = failed("MissingValues")
    story.world.pass_time(minutes=1)
    story.submit(annotation="again")
    story.run()

    assert story.conditions == READY | {
        "Trained": ("False", "MissingValues"),
        "GatePassed": ("Unknown", "NotJudged"),
    }

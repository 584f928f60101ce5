"""What a person finds out with `kubectl describe`: every run in the background has its Events."""

import pytest
from support.outcomes import Outcome, accepted, failed, leaving_out, refused
from support.story import Story, served
from support.world import World

from taxon_kube.api import EVENT

SEARCH = "540 fits (108 combinations in 5 folds)"


def events(story: Story) -> dict[str, tuple[str, str]]:
    """Return type and message of the model's Events, by reason."""
    found = story.world.named(EVENT).values()
    return {one["reason"]: (one["type"], one["message"]) for one in found}


def forget_events(story: Story) -> None:
    """Remove the Events so far, as Kubernetes does after an hour."""
    for key in [key for key in story.world.objects if key[0] == EVENT.name]:
        del story.world.objects[key]


def retrained(outcome: Outcome, *, times: int = 1) -> Story:
    """Return the story of a model that is trained again by annotation, with this outcome."""
    story = served()
    story.world.train = outcome
    for number in range(times):
        story.world.pass_time(hours=1)
        forget_events(story)
        story.submit(annotation=f"again-{number}")
        story.run()
    return story


def test_a_run_in_the_background_says_that_it_began_and_how_long_it_may_take() -> None:
    """Nothing in the conditions shows it."""
    kind, message = events(retrained(accepted))["RunStarted"]

    assert kind == "Normal"
    assert message.endswith(f" is trained in the background (Manual): {SEARCH}")


@pytest.mark.parametrize(
    ("outcome", "reason", "kind", "words"),
    [
        (accepted, "RunSucceeded", "Normal", "0.8 <= roc_auc 0.9900"),
        (refused, "RunRefused", "Warning", "roc_auc 0.7000 is below the limit 0.8"),
        (failed("TooFewRows"), "RunFailed", "Warning", "the reason in one sentence (TooFewRows)"),
    ],
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_run_in_the_background_says_how_it_ended(
    outcome: Outcome, reason: str, kind: str, words: str, times: int
) -> None:
    """Each time, also when it ends as the one before did; a person looks at what is a Warning."""
    found = events(retrained(outcome, times=times))

    assert found[reason][0] == kind
    assert words in found[reason][1]
    assert not {"LimitNotMet", "TooFewRows"} & set(found)


def test_a_version_of_the_background_that_is_abandoned_is_a_warning() -> None:
    """The live one stays, and so do the conditions."""
    story = served()
    story.world.serves = False
    story.world.pass_time(hours=1)
    story.submit(annotation="again")
    story.run(4)
    story.world.pass_time(hours=1)
    story.run()

    assert events(story)["VersionAbandoned"][0] == "Warning"


def test_a_refusal_of_the_specs_own_run_is_a_warning() -> None:
    """Once, with the reason of the condition."""
    story = Story(World(train=refused))
    story.submit()
    story.run()

    assert events(story)["LimitNotMet"][0] == "Warning"
    assert "RunRefused" not in events(story)


def test_columns_that_were_left_out_are_in_the_condition_and_the_event() -> None:
    """In the trainer's words: which they are, and why."""
    columns = "'name' (free text), 'boarded' (dates or times)"
    story = Story(World(train=leaving_out(columns)))
    story.submit()
    story.run()

    said = f"{story.live}: 0.8 <= roc_auc 0.9900; left out: {columns}"
    assert story.message("GatePassed") == said
    assert events(story)["LimitsMet"] == ("Normal", said)


def test_many_left_out_columns_are_cut_and_the_figures_stay() -> None:
    """A list of long names in any language ends where an Event has to."""
    columns = ", ".join(f"'{'säule' * 20}' (text)" for _ in range(5)) + " and 495 more"
    story = Story(World(train=leaving_out(columns * 3)))
    story.submit()
    story.run()

    kind, message = events(story)["LimitsMet"]
    assert kind == "Normal"
    assert message.startswith(f"{story.live}: 0.8 <= roc_auc 0.9900; left out: 'säule")
    assert message.endswith("...")
    assert len(message.encode()) <= 1024
    assert story.conditions["Ready"] == ("True", "VersionLive")


def test_the_event_that_begins_the_specs_run_says_how_many_fits_it_is() -> None:
    """Before anyone wonders."""
    story = Story(World(trains=False))
    story.submit()
    story.look()

    assert events(story)["Training"][1].endswith(SEARCH)
    assert story.message("Trained").endswith(SEARCH)


def test_a_lost_status_is_not_reported_again() -> None:
    """Its runs are old news."""
    story = retrained(accepted)
    forget_events(story)
    del story.world.model()["status"]
    story.run()

    assert "RunSucceeded" not in events(story)


def test_an_annotation_that_was_carried_out_says_so() -> None:
    """The same date, a second time that day."""
    story = retrained(accepted)
    [version] = [one.version for one in story.status.versions or () if one.trigger == "Manual"]

    message = story.message("Trained")
    assert f"taxon.dev/retrain=again-0 was carried out by {version} at 2026-" in message
    assert "$(date +%s)" in message


def test_a_url_that_stops_answering_is_a_warning() -> None:
    """Clients get no answer, so a person should look, though nothing is stalled."""
    story = served()
    story.world.routes = False
    story.look()

    assert events(story)["URLNotAnswering"][0] == "Warning"

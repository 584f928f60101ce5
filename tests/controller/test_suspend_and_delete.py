"""A model is suspended, and a model is deleted.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

import copy

import pytest
from support.story import READY, Story, served
from support.world import SETTINGS, dependents

from taxon_contracts import names
from taxon_kube.api import INFERENCE_SERVICE, JOB, SERVICE


def delete(story: Story) -> None:
    """Delete the model and let everything that waits for it end."""
    story.world.remove(story.world.model())
    for _ in range(6):
        story.look()
        story.world.settle()


def test_suspend_stops_a_run_and_leaves_serving_alone() -> None:
    """The Job goes; what is live goes on."""
    story = served()
    first = story.live
    story.world.trains = False
    story.submit(seed=7)
    story.run(3)
    story.submit(seed=7, suspend=True)
    story.run(6)

    assert [name for name in story.world.named(JOB) if first not in name] == []
    assert story.conditions["Ready"] == ("False", "Suspended")
    assert story.conditions["Serving"] == ("True", "VersionServing")

    story.world.trains = True
    story.world.pass_time(minutes=1)
    story.submit(seed=7)
    story.run()
    assert story.conditions == READY


def test_a_suspended_model_that_has_what_it_asks_for_is_ready() -> None:
    """Suspending does not take the URL away, and the reason of Ready shows it."""
    story = served()
    story.submit(suspend=True)
    story.world.pass_time(days=1)
    story.run()

    assert story.conditions == READY | {"Ready": ("True", "Suspended")}
    assert "spec.suspend stops runs and switches of traffic: set it to false" in story.message(
        "Ready"
    )


def test_a_suspended_and_pinned_model_says_both() -> None:
    """Whoever resumes it learns that the pin still holds the version."""
    story = served()
    story.submit(suspend=True, pinnedVersion=story.live)
    story.run()

    assert story.conditions["Ready"] == ("True", "Suspended")
    assert "spec.suspend" in story.message("Ready")
    assert "spec.pinnedVersion" in story.message("Ready")


@pytest.mark.parametrize("by", ["annotation", "schedule"])
def test_a_run_that_is_suspended_has_not_failed(by: str) -> None:
    """It is stopped, recorded as such, and begins again where it would have."""
    schedule = {"retrain": {"schedule": "0 3 * * *"}} if by == "schedule" else {}
    story = served(**schedule)
    first = story.live
    story.world.trains = False
    story.world.pass_time(days=1)
    annotation = "again" if by == "annotation" else ""
    story.submit(annotation=annotation, **schedule)
    story.run(3)
    assert story.status.run is not None
    version = story.status.run.version
    story.submit(annotation=annotation, suspend=True, **schedule)
    story.run(6)

    assert story.outcomes[0][1:] == ("Unknown", "Suspended")
    assert [name for name in story.world.named(JOB) if version in name] == []
    assert story.conditions == READY | {"Ready": ("True", "Suspended")}

    story.world.trains = True
    story.world.pass_time(minutes=1)
    story.submit(annotation=annotation, **schedule)
    story.run()
    assert story.live == version != first
    assert [outcome for _, outcome, _ in story.outcomes] == ["Accepted", "Accepted"]


def test_suspend_stops_a_switch() -> None:
    """A version that was accepted meanwhile waits."""
    story = served()
    first = story.live
    story.world.trains = False
    story.submit(seed=7)
    story.look()
    story.world.trains = True
    story.world.settle()
    story.submit(seed=7, suspend=True)
    story.run()

    assert story.live == first
    assert story.outcomes[0][1] == "Accepted"
    assert list(story.world.named(INFERENCE_SERVICE)) == [f"wine-{first}"]


def test_a_deleted_model_takes_its_objects_and_leaves_its_bundles() -> None:
    """With deletionPolicy Retain it needs no finalizer."""
    story = served()
    bundles = set(story.world.bundles)
    assert "finalizers" not in story.world.model()["metadata"]
    story.world.remove(story.world.model())

    assert story.look() is None
    assert sum(map(len, dependents(story.world).values())) == 0
    assert story.world.bundles == bundles


def test_a_deleted_model_takes_its_bundles_when_it_is_reported_to() -> None:
    """With deletionPolicy Delete the model waits until they are gone."""
    story = served(deletionPolicy="Delete")
    assert story.world.model()["metadata"]["finalizers"] == [names.FINALIZER]
    delete(story)

    assert ("ClassifierModel", "default", "wine") not in story.world.objects
    assert story.world.bundles == set()


def test_a_model_whose_spec_cannot_be_read_takes_its_bundles_when_it_is_reported_to() -> None:
    """Its deletionPolicy can be read."""
    story = served(deletionPolicy="Delete")
    story.world.model()["spec"]["dataset"] = {"uri": 5}
    story.run(2)
    delete(story)

    assert ("ClassifierModel", "default", "wine") not in story.world.objects
    assert story.world.bundles == set()


def test_a_clean_up_that_hangs_holds_nothing_for_longer_than_promised() -> None:
    """The model goes, an Event says what is left, and the late Job cannot hit a later model."""
    story = served(deletionPolicy="Delete")
    story.world.cleans = False
    story.world.remove(story.world.model())
    story.look()
    story.look()
    assert story.conditions["Ready"] == ("False", "Deleting")
    assert story.world.named(JOB, SETTINGS.namespace)

    story.world.pass_time(seconds=601)
    story.look()
    assert ("ClassifierModel", "default", "wine") not in story.world.objects
    assert story.world.named(JOB, SETTINGS.namespace) == {}
    reasons = [body["reason"] for key, body in story.world.objects.items() if key[0] == "Event"]
    assert "CleanupFailed" in reasons


def test_the_finalizer_goes_with_the_policy() -> None:
    """Back to Retain there is nothing to wait for."""
    story = served(deletionPolicy="Delete")
    story.submit()
    story.run(2)

    assert story.world.model()["metadata"]["finalizers"] == []


def test_a_model_created_again_waits_for_what_is_left_of_the_one_before() -> None:
    """Garbage collection takes its time, and what it has not taken yet is nobody's."""
    story = served()
    left = {
        key: copy.deepcopy(body)
        for key, body in story.world.objects.items()
        if key[0] in ("Job", "Service", "HTTPRoute") and key[1] == "default"
    }
    story.world.remove(story.world.model())
    story.world.objects |= left
    story.submit()
    story.look()
    assert story.conditions["Reconciling"] == ("True", "ObjectBeingDeleted")
    assert "Job/wine-" in story.message("Trained")

    for key in left:
        del story.world.objects[key]
    story.run()
    assert story.conditions == READY


def test_a_model_created_again_trains_while_the_service_before_it_is_still_there() -> None:
    """It is not someone else's."""
    story = served()
    service = copy.deepcopy(story.world.named(SERVICE)["wine"])
    story.world.remove(story.world.model())
    story.world.objects["Service", "default", "wine"] = service
    story.submit()
    story.look()

    assert story.conditions["Reconciling"] == ("True", "Training")


def test_an_object_held_by_a_finalizer_is_reported() -> None:
    """The live Service cannot go, so it cannot be made again: the model says what it waits for."""
    story = served()
    service = story.world.objects["Service", "default", "wine"]
    service["metadata"]["finalizers"] = ["someone.example.com/holds"]
    del service["metadata"]["labels"]
    story.world.remove(service)
    again = story.look()

    assert story.conditions["Reconciling"] == ("True", "ObjectBeingDeleted")
    assert "Service/wine is being deleted" in story.message("Ready")
    assert again is not None
    assert (again - story.world.now).total_seconds() >= 10

    service["metadata"]["finalizers"] = []
    story.world.remove(service)
    story.run()
    assert story.conditions == READY

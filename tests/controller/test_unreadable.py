"""Whatever cannot be read is a condition; nothing is decided on a guess, and all of it heals."""

import itertools
from contextlib import suppress
from typing import Any

import pytest
from support.story import READY, Story, served
from support.world import World, dependents

from taxon_controller.loop.reconcile import FAILURES_TO_REPORT
from taxon_kube.api import INFERENCE_SERVICE, JOB, ApiError, Refused, Unavailable

FORBIDDEN = "jobs.batch is forbidden: User taxon-controller cannot list resource"
RUNS = ["Job", "Pod"]
SERVING = ["InferenceService", "Deployment", "PodDisruptionBudget", "Service", "HTTPRoute"]


def look(story: Story, times: int = 6) -> None:
    """Let the controller look again and again, as its queue makes it."""
    for failures in itertools.count():
        story.world.pass_time(seconds=1)
        with suppress(ApiError):
            story.look(failures)
        story.world.settle()
        if failures == times:
            return


def edited(unreadable: str, **spec: Any) -> Story:
    """Return the story of a served model whose spec changes while a kind cannot be read."""
    story = served(seed=1)
    story.world.unreadable = {unreadable: Refused(FORBIDDEN)}
    story.submit(seed=2, **spec)
    look(story)
    return story


@pytest.mark.parametrize("kind", [*RUNS, *SERVING, "ServiceAccount"])
def test_a_read_that_is_refused_is_a_condition_and_heals(kind: str) -> None:
    """It names the kind and what the API server said."""
    story = Story(World())
    story.submit()
    if kind == "Pod":  # there are none before there is a Job
        story.look()
    story.world.unreadable = {kind: Refused(FORBIDDEN)}
    look(story)
    assert story.conditions["Ready"] == ("False", "ReadFailed")
    assert story.conditions["Stalled"] == ("True", "ReadFailed")
    assert kind in story.message("Ready")
    assert FORBIDDEN in story.message("Ready")

    story.world.unreadable = {}
    look(story, 12)
    assert story.conditions == READY
    assert len(story.world.named(JOB)) == 1


@pytest.mark.parametrize("kind", [*RUNS, *SERVING, "ServiceAccount"])
def test_what_serves_is_not_touched_while_something_cannot_be_read(kind: str) -> None:
    """Neither the live version's objects nor its record, whatever is asked for meanwhile."""
    before = served(seed=1)
    story = edited(kind)

    assert dependents(story.world) | {"Job": []} == dependents(before.world) | {"Job": []}
    assert story.status.live == before.status.live
    assert story.status.versions == before.status.versions
    assert story.world.bundles >= before.world.bundles


@pytest.mark.parametrize("kind", [*RUNS, *SERVING, "ServiceAccount"])
def test_an_edit_made_meanwhile_is_carried_out_afterwards(kind: str) -> None:
    """One run, and the new version is live."""
    story = edited(kind)
    story.world.unreadable = {}
    look(story, 14)

    assert story.conditions == READY
    assert [one[1] for one in story.outcomes] == ["Accepted", "Accepted"]


def test_a_run_whose_pod_cannot_be_read_has_not_failed() -> None:
    """No evidence is never a failure: the result is read once it can be."""
    story = Story(World())
    story.submit()
    story.look()
    story.world.settle()
    story.world.unreadable = {"Pod": Refused(FORBIDDEN)}
    look(story)
    assert story.outcomes == []
    assert len(story.world.named(JOB)) == 1

    story.world.unreadable = {}
    look(story, 12)
    assert story.outcomes == [("Spec", "Accepted", "LimitsMet")]


@pytest.mark.parametrize("kind", [*RUNS, *SERVING])
def test_a_lost_status_is_not_rebuilt_from_half_of_what_is_there(kind: str) -> None:
    """It stays lost until everything can be read, and nothing is trained meanwhile."""
    story = served()
    first = story.status
    del story.world.model()["status"]
    story.world.unreadable = {kind: Refused(FORBIDDEN)}
    look(story)
    story.world.unreadable = {}
    look(story, 12)

    assert story.conditions == READY
    assert story.status.versions == first.versions
    assert len(story.world.named(JOB)) == 1


def test_jobs_that_cannot_be_read_leave_a_ready_model_ready() -> None:
    """What is asked for answers; that nothing can be trained is on Trained."""
    story = served()
    story.world.unreadable = {"Job": Refused(FORBIDDEN)}
    story.submit(annotation="again")
    look(story)

    assert story.conditions["Ready"] == ("True", "VersionLive")
    assert story.conditions["Trained"] == ("False", "ReadFailed")


def test_a_gateway_that_cannot_be_read_is_in_the_message() -> None:
    """The installation's role is the chart's; a Gateway may be in anyone's namespace."""
    story = Story(World(unreadable={"Gateway": Refused("gateways is forbidden")}))
    story.settings = story.settings.model_copy(update={"gateway_url": None})
    story.submit()
    look(story, 12)

    assert story.conditions["Ready"] == ("False", "SwitchingTraffic")
    assert "gateways is forbidden" in story.message("Ready")


@pytest.mark.parametrize("error", [Unavailable("502"), Refused("roles are being replaced")])
@pytest.mark.parametrize("kind", ["Job", *SERVING])
def test_an_api_that_is_away_for_a_moment_changes_no_condition(kind: str, error: ApiError) -> None:
    """A restart of the API server is not reported; one that lasts is."""
    story = served(seed=1)
    before = story.status
    story.world.unreadable = {kind: error}
    for failures in range(FAILURES_TO_REPORT):
        with pytest.raises(type(error)):
            story.look(failures)
    assert story.status == before

    with pytest.raises(type(error)):
        story.look(FAILURES_TO_REPORT)
    assert "ReadFailed" in {reason for _, reason in story.conditions.values()}


def test_a_model_is_deleted_though_jobs_cannot_be_read() -> None:
    """It waits for its bundles as long as is promised, says why, and goes."""
    story = served(deletionPolicy="Delete")
    story.world.unreadable = {"Job": Refused(FORBIDDEN)}
    story.world.remove(story.world.model())
    look(story)
    assert FORBIDDEN in story.message("Ready")

    story.world.pass_time(seconds=601)
    look(story)
    assert ("ClassifierModel", "default", "wine") not in story.world.objects


def test_an_object_of_an_unexpected_shape_is_a_condition() -> None:
    """A look does not die of it."""
    story = served()
    [job] = story.world.named(JOB).values()
    job["metadata"]["creationTimestamp"] = "yesterday"
    look(story)

    assert story.conditions["Trained"] == ("False", "ReadFailed")
    assert f"Job/{job['metadata']['name']} has an unexpected shape" in story.message("Trained")


def refused_by_admission(**spec: Any) -> Story:
    """Return the story of a candidate whose InferenceService admission refuses to see again."""
    story = served(seed=1)
    story.world.serves = False
    story.submit(seed=2, **spec)
    look(story)
    story.world.admission = Refused("admission webhook policy denied the request: no latest tag")
    look(story)
    return story


def test_a_refusal_by_admission_is_in_the_message() -> None:
    """A policy engine, a quota, or a KServe that has grown stricter."""
    story = refused_by_admission()

    assert story.conditions["Reconciling"] == ("True", "RollingOut")
    assert "policy denied the request" in story.message("Ready")


def test_a_version_that_admission_refuses_is_abandoned_in_time() -> None:
    """Only the webhook's absence stops the clock."""
    story = refused_by_admission()
    story.world.pass_time(seconds=601)
    look(story)

    assert story.outcomes[0] == ("Spec", "Abandoned", "ProgressDeadlineExceeded")
    assert "policy denied the request" in story.message("Stalled")
    assert len(story.world.named(INFERENCE_SERVICE)) == 1


@pytest.mark.parametrize("error", [Unavailable("500"), Refused("403")])
def test_a_read_that_fails_at_any_point_of_a_look_changes_nothing(error: ApiError) -> None:
    """Each read of a settled model fails once: the next look finds all as it was."""
    story = served(seed=1)
    look(story)
    reads = len(story.world.reads)
    story.look()
    count = len(story.world.reads) - reads
    before, objects = story.status, dependents(story.world)
    story.world.read_error = error
    for point in range(count):
        story.world.fail_read = len(story.world.reads) + point
        look(story, 2)
        assert (story.status, dependents(story.world)) == (before, objects), point

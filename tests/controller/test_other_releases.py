"""A status that is lost, or that another release wrote, costs no version and fails no run."""

import json
from typing import Any

import pytest
from support.outcomes import accepted, failed, lost, refused
from support.story import READY, Story, served
from support.world import World

from taxon_contracts import names
from taxon_contracts.run import RunRequest
from taxon_kube.api import INFERENCE_SERVICE, JOB, MODEL, POD, Manifest, Refused

RECORD = names.ANNOTATION_RECORD
FIELDS_BEFORE = {
    "bundleURI",
    "completionTime",
    "manifestDigest",
    "message",
    "metrics",
    "outcome",
    "reason",
    "startTime",
    "token",
    "trigger",
    "version",
}
"""What a record had before releases ignored the fields they do not know."""


def with_history(*, settled: bool = True) -> Story:
    """Return a model with three versions from the annotation and the spec, the last one live."""
    story = served()
    for value in ("monday", "tuesday"):
        story.world.pass_time(minutes=5)
        story.submit(annotation=value)
        story.run()
    if settled:
        story.world.pass_time(hours=2)  # the previous version's servers go
        story.run()
    return story


def without_pods(story: Story) -> None:
    """Let the pods of all Jobs go, as with the node they ran on."""
    for pod in list(story.world.named(POD).values()):
        story.world.remove(pod)


def without_annotations(story: Story) -> None:
    """Make the Jobs those of a release that kept nothing on them."""
    for job in story.world.named(JOB).values():
        job["metadata"]["annotations"].pop(RECORD, None)


def written(story: Story) -> Any:
    """Return the status as it is stored, to be edited in place."""
    return story.world.model()["status"]


def test_a_field_of_a_newer_release_costs_nothing() -> None:
    """After a rollback with old pods gone, every version is what it was."""
    story = with_history()
    before = story.status
    without_pods(story)
    written(story)["canary"] = {"weight": 5}
    written(story)["versions"][0]["explanation"] = "of a newer release"
    story.run()

    assert story.status == before
    assert story.conditions == READY


def test_a_lost_status_is_rebuilt_from_servers_and_jobs() -> None:
    """Whatever pods are left: each Job carries the record of its run."""
    story = with_history()
    before = story.status
    without_pods(story)
    del story.world.model()["status"]
    story.run()

    assert story.status.versions == before.versions
    assert story.conditions == READY
    assert len(story.world.named(JOB)) == 3


def test_records_that_an_older_release_lost_are_rebuilt() -> None:
    """A rollback to a release that failed what it had no evidence of costs nothing for good."""
    story = with_history()
    before = story.status
    without_pods(story)
    for record in written(story)["versions"][1:]:
        record |= {"outcome": "Failed", "reason": "Superseded", "message": "the run was given up"}
        for key in ("bundleURI", "manifestDigest", "metrics"):
            del record[key]
    story.run()

    assert story.status.versions == before.versions
    assert story.conditions == READY


def test_a_rebuilt_version_can_be_pinned() -> None:
    """It kept its bundle and its digest."""
    story = with_history()
    oldest = (story.status.versions or ())[-1].version
    without_pods(story)
    del story.world.model()["status"]
    story.run()
    story.submit(annotation="tuesday", pinnedVersion=oldest)
    story.run()

    assert story.live == oldest
    assert story.conditions["Ready"] == ("True", "Pinned")


def test_a_record_that_cannot_be_read_is_rebuilt_from_its_job() -> None:
    """One record of another form costs neither itself nor the others."""
    story = with_history()
    before = story.status
    without_pods(story)
    written(story)["versions"][-1] = {"version": written(story)["versions"][-1]["version"]}
    story.run()

    assert story.status.versions == before.versions


def test_no_evidence_is_never_failed() -> None:
    """Where neither status, nor pod, nor Job tells, the run's outcome is Unknown."""
    story = with_history()
    live = story.live
    without_pods(story)
    without_annotations(story)
    story.world.trains = False
    del story.world.model()["status"]
    story.run()

    assert {outcome for _, outcome, _ in story.outcomes} == {"Accepted", "Unknown"}
    assert {reason for _, outcome, reason in story.outcomes if outcome == "Unknown"} == {
        "ResultLost"
    }
    assert story.live == live


def test_a_run_whose_result_is_lost_is_judged_again() -> None:
    """The trainer finds the bundle, verifies it, and gives the full result once more."""
    story = served()
    before = story.status.versions
    without_pods(story)
    without_annotations(story)
    for kind in ("InferenceService", "Service", "HTTPRoute"):
        story.world.objects.pop((kind, "default", "wine"), None)
    story.world.objects.pop(("InferenceService", "default", f"wine-{story.live}"), None)
    del story.world.model()["status"]
    for _ in range(3):
        story.run(3)
        story.world.pass_time(minutes=5)
    story.run()

    assert [one.model_copy(update={"start_time": None}) for one in story.status.versions or ()] == [
        one.model_copy(update={"start_time": None, "completion_time": after.completion_time})
        for one, after in zip(before or (), story.status.versions or (), strict=True)
    ]
    assert story.conditions == READY


def test_attempts_that_ended_well_never_count_as_failures() -> None:
    """Even if no result of theirs can be read, however many there are."""

    def unreadable(_: RunRequest, __: int) -> Manifest:
        return {"terminated": {"exitCode": 0, "message": "not of this release"}}

    story = Story(World(train=unreadable))
    story.submit()
    for _ in range(8):
        story.run(2)
        story.world.pass_time(hours=1)

    assert len(story.world.named(JOB)) > 5
    assert story.outcomes == []
    assert story.conditions["Ready"] in {("False", "RetryPending"), ("False", "Training")}

    story.world.train = accepted
    story.run()
    assert story.conditions == READY


def test_lost_pods_of_failed_jobs_still_end_a_run() -> None:
    """A Job that Kubernetes calls failed has failed, and is not tried for ever."""
    story = Story(World(train=lost))
    story.submit()
    for _ in range(8):
        story.run(2)
        without_pods(story)
        story.world.pass_time(hours=1)

    assert story.conditions["Stalled"] == ("True", "AttemptsExhausted")


def test_an_outcome_of_a_newer_release_keeps_its_version() -> None:
    """A word this release does not know costs neither the bundle nor the live version."""
    story = with_history()
    without_pods(story)
    record = written(story)["versions"][-1]
    record["outcome"] = "RolledBack"
    story.run()
    found = (story.status.versions or ())[-1]

    assert (found.outcome, found.manifest_digest) == ("Unknown", record["manifestDigest"])
    assert story.conditions == READY


def test_a_reason_of_a_newer_release_is_reported_as_unknown() -> None:
    """Conditions have stable reasons only; the message says what the other release wrote."""
    story = Story(World(train=refused))
    story.submit()
    story.run()
    written(story)["versions"][0] |= {"reason": "WorseThanAnchor", "message": "worse than v1"}
    story.run()

    assert story.conditions["Ready"] == ("False", "Unknown")
    assert story.conditions["GatePassed"] == ("False", "Unknown")
    assert "worse than v1" in story.message("GatePassed")


def test_the_release_before_can_read_what_servers_carry() -> None:
    """After a rollback it rebuilds a lost status from there, and it knows no parameters."""

    def with_parameters(request: RunRequest, attempt: int) -> Manifest:
        state = accepted(request, attempt)
        result = json.loads(state["terminated"]["message"])
        result["parameters"] = [{"name": "C", "value": "0.1"}]
        state["terminated"]["message"] = json.dumps(result)
        return state

    story = Story(World(train=with_parameters))
    story.submit()
    story.run()
    [record] = story.status.versions or ()
    [server] = story.world.named(INFERENCE_SERVICE).values()

    assert record.parameters
    assert json.loads(server["metadata"]["annotations"][RECORD]).keys() <= FIELDS_BEFORE


def test_servers_of_a_newer_release_are_left_as_they_are() -> None:
    """KServe copies annotations to the pods: one that is written again restarts them."""
    story = served()
    [server] = story.world.named(INFERENCE_SERVICE).values()
    annotations = server["metadata"]["annotations"]
    newer = json.dumps(json.loads(annotations[RECORD]) | {"explanation": "of a newer release"})
    annotations[RECORD] = newer
    story.run()
    [server] = story.world.named(INFERENCE_SERVICE).values()

    assert server["metadata"]["annotations"][RECORD] == newer
    assert story.conditions == READY


def test_a_failed_run_is_kept_on_its_job_as_well() -> None:
    """What a person has to fix is still known when pods and status are gone."""
    story = Story(World(train=failed("TooFewRows")))
    story.submit()
    story.run()
    without_pods(story)
    del story.world.model()["status"]
    story.run()

    assert story.conditions["Stalled"] == ("True", "TooFewRows")
    assert len(story.world.named(JOB)) == 1


def test_the_job_carries_what_became_of_its_version_later() -> None:
    """A version that was abandoned is not tried once more after the status was lost."""
    story = served()
    live = story.live
    story.world.serves = False
    story.world.pass_time(minutes=1)
    story.submit(annotation="again")
    for _ in range(4):
        story.run(3)
        story.world.pass_time(minutes=10)
    story.world.serves = True
    story.run()
    abandoned = next(one for one in story.status.versions or () if one.outcome == "Abandoned")
    job = next(one for name, one in story.world.named(JOB).items() if abandoned.version in name)

    assert json.loads(job["metadata"]["annotations"][RECORD])["outcome"] == "Abandoned"
    without_pods(story)
    del story.world.model()["status"]
    story.run()
    assert story.live == live


def test_a_record_that_may_not_be_kept_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Role of an earlier release does not allow it."""
    story = Story(World())
    replace = story.world.replace

    def forbidden(manifest: Manifest, *, part: str = "") -> Manifest:
        if manifest["kind"] == JOB.name:
            raise Refused("jobs is forbidden")
        return replace(manifest, part=part)

    monkeypatch.setattr(story.world, "replace", forbidden)
    story.submit()
    story.run()

    assert story.conditions == READY
    assert story.world.named(MODEL)["wine"]["status"]["versions"][0]["outcome"] == "Accepted"

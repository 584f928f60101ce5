"""A model of a data set trains on its newest version, and again when there is a newer one.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

from typing import Any

import pytest
from support.other_controllers import add_pod
from support.outcomes import accepted, failed
from support.story import READY, Story
from support.world import SETTINGS, World

from taxon_contracts.run import RunRequest
from taxon_contracts.status import TrainedDataset
from taxon_kube.api import INFERENCE_SERVICE, JOB, Kind

WINE = ("default", "wine-table")
TABLE = {"table": {"name": "wine-table"}, "target": "cultivar"}


def with_versions(newest: int | None) -> Story:
    """Return a story in a cluster whose monitor knows a data set up to a version."""
    return Story(World(datasets={WINE: newest} if newest else {}))


def live_on(newest: int, **spec: Any) -> Story:
    """Return the story of a model that is live and was trained on this version."""
    story = with_versions(newest)
    story.submit(dataset=TABLE, **spec)
    story.run()
    assert story.conditions == READY
    return story


def later(story: Story) -> None:
    """Let a minute go by, then everyone do all there is to do."""
    story.world.pass_time(minutes=1)
    story.run()


def sources(story: Story) -> list[str]:
    """Return what each training Job reads, in the order in which they were created."""
    jobs = sorted(story.world.named(JOB).values(), key=lambda job: int(job["metadata"]["uid"][4:]))
    containers = [job["spec"]["template"]["spec"]["containers"][0] for job in jobs]
    values = [
        env["value"] for one in containers for env in one["env"] if env["name"] == "TAXON_RUN"
    ]
    return [RunRequest.model_validate_json(value).source for value in values]


def runs(story: Story) -> list[tuple[str, str, int]]:
    """Return trigger, token and version of the data set of every recorded run, oldest first."""
    records = reversed(story.status.versions or ())
    return [
        (one.trigger, one.token or "", one.dataset.version if one.dataset else 0) for one in records
    ]


def test_the_first_run_trains_on_the_newest_version() -> None:
    """Its token has the version, and so has the record."""
    story = live_on(3)

    assert sources(story) == ["dataset://wine-table/3"]
    assert runs(story) == [("Spec", "dataset:3", 3)]
    assert story.status.versions
    assert story.status.versions[0].dataset == TrainedDataset(name="wine-table", version=3)


def test_a_newer_version_starts_a_run_in_the_background() -> None:
    """Ready stays true; versions in between are skipped."""
    story = live_on(3)
    first = story.live
    story.world.datasets[WINE] = 6
    story.world.trains = False
    story.world.pass_time(minutes=1)
    status = story.run()

    assert status.run is not None
    assert (status.run.trigger, status.run.token) == ("NewDataset", "dataset:6")
    assert status.run.dataset == TrainedDataset(name="wine-table", version=6)
    assert story.conditions == READY

    story.world.trains = True
    story.run()
    assert story.live != first
    assert runs(story) == [("Spec", "dataset:3", 3), ("NewDataset", "dataset:6", 6)]
    assert sources(story) == ["dataset://wine-table/3", "dataset://wine-table/6"]


def test_a_pinned_version_is_part_of_the_spec_and_follows_nothing() -> None:
    """The monitor may be away, or missing."""
    story = Story(World(monitor_away=True), SETTINGS.model_copy(update={"monitor_url": None}))
    story.submit(dataset=TABLE | {"table": {"name": "wine-table", "version": 2}})
    story.run()

    assert story.conditions == READY
    assert runs(story) == [("Spec", "", 2)]
    assert sources(story) == ["dataset://wine-table/2"]


def test_a_model_that_never_ran_waits_for_the_monitor() -> None:
    """Nothing is started, and it goes on by itself."""
    story = with_versions(3)
    story.world.monitor_away = True
    story.submit(dataset=TABLE)
    story.run()

    waits = ("False", "DatasetVersionUnknown")
    assert story.conditions["Ready"] == story.conditions["Trained"] == waits
    assert story.conditions["Reconciling"] == ("True", "DatasetVersionUnknown")
    assert "waits for the monitor" in story.message("Ready")
    assert "ConnectionRefusedError" in story.message("Ready")
    assert story.world.named(JOB) == {}

    story.world.monitor_away = False
    story.run()
    assert story.conditions == READY


def test_a_data_set_that_does_not_exist_is_loaded_by_the_command_in_the_message() -> None:
    """Then the model trains by itself."""
    story = with_versions(None)
    story.submit(dataset=TABLE)
    story.run()

    assert story.conditions["Stalled"] == ("True", "DatasetNotFound")
    assert "taxon dataset load wine-table FILE --namespace default" in story.message("Ready")
    assert story.world.named(JOB) == {}

    story.world.datasets[WINE] = 1
    story.run()
    assert story.conditions == READY


def test_without_a_monitor_the_message_has_both_remedies() -> None:
    """A version in the spec is one of them."""
    story = Story(World(), SETTINGS.model_copy(update={"monitor_url": None}))
    story.submit(dataset=TABLE)
    story.run()

    assert story.conditions["Stalled"] == ("True", "MonitorMissing")
    assert "set dataset.table.version, or install Taxon with a database" in story.message("Ready")


@pytest.mark.parametrize("answer", ["away", "gone", "older"])
def test_an_idle_model_stays_as_it_is_whatever_the_monitor_says(answer: str) -> None:
    """No run starts or fails because of it."""
    story = live_on(3)
    writes = len(story.world.writes)
    story.world.monitor_away = answer == "away"
    story.world.datasets[WINE] = 2
    if answer == "gone":
        del story.world.datasets[WINE]
    story.world.pass_time(minutes=10)
    story.run()

    assert story.conditions == READY
    assert story.world.writes[writes:] == []


def test_a_run_keeps_its_version_when_a_newer_one_comes_between_its_attempts() -> None:
    """The newer one is trained on after it; the second attempt does not need the monitor."""
    story = with_versions(3)
    story.world.train = failed("DatabaseUnavailable")
    story.submit(dataset=TABLE)
    story.look()
    story.world.settle()
    story.look()
    assert story.conditions["Ready"] == ("False", "RetryPending")
    assert story.status.run
    assert story.status.run.dataset == TrainedDataset(name="wine-table", version=3)

    story.world.datasets[WINE] = 4
    story.world.monitor_away = True
    story.world.train = accepted
    later(story)
    assert sources(story) == ["dataset://wine-table/3"]
    assert [name[-2:] for name in story.world.named(JOB)] == ["-2"]

    story.world.monitor_away = False
    later(story)
    assert runs(story) == [("Spec", "dataset:3", 3), ("NewDataset", "dataset:4", 4)]


def test_a_suspended_model_starts_on_the_newest_version_once_it_continues() -> None:
    """Not before, and on none of those in between."""
    story = live_on(3)
    story.submit(dataset=TABLE, suspend=True)
    for newest in (4, 5):
        story.world.datasets[WINE] = newest
        later(story)
    assert sources(story) == ["dataset://wine-table/3"]

    story.submit(dataset=TABLE)
    later(story)
    assert runs(story) == [("Spec", "dataset:3", 3), ("NewDataset", "dataset:5", 5)]
    assert story.conditions == READY


def test_a_run_of_a_newer_version_that_is_suspended_starts_again() -> None:
    """On the newest version by then."""
    story = live_on(3)
    story.world.datasets[WINE] = 4
    story.world.trains = False
    later(story)
    story.submit(dataset=TABLE, suspend=True)
    later(story)
    assert story.status.run is None

    story.world.trains = True
    story.world.datasets[WINE] = 5
    story.submit(dataset=TABLE)
    later(story)
    assert runs(story)[-1] == ("NewDataset", "dataset:5", 5)


def test_the_annotation_trains_once_and_a_newer_version_is_no_manual_run() -> None:
    """The annotation stays on the resource all the while."""
    story = live_on(3)
    for newest in (3, 4, 5):
        story.world.datasets[WINE] = newest
        story.submit(dataset=TABLE, annotation="again")
        later(story)

    assert [(trigger, token) for trigger, token, _ in runs(story)] == [
        ("Spec", "dataset:3"),
        ("Manual", "retrain:again dataset:3"),
        ("NewDataset", "retrain:again dataset:4"),
        ("NewDataset", "retrain:again dataset:5"),
    ]
    assert "was carried out by" in story.message("Trained")


def test_an_annotation_that_waits_for_the_monitor_is_seen() -> None:
    """The model stays Ready, and the message says what the run waits for."""
    story = live_on(3)
    story.world.monitor_away = True
    story.submit(dataset=TABLE, annotation="again")
    later(story)

    assert story.conditions == READY
    assert "the run waits for the monitor" in story.message("Trained")

    story.world.monitor_away = False
    later(story)
    assert runs(story)[-1] == ("Manual", "retrain:again dataset:3", 3)


def test_an_annotation_for_a_data_set_that_went_is_seen() -> None:
    """The live version stays."""
    story = live_on(3)
    del story.world.datasets[WINE]
    story.submit(dataset=TABLE, annotation="again")
    later(story)

    assert story.conditions == READY | {"Trained": ("False", "DatasetNotFound")}


def test_an_edit_waits_for_the_monitor_while_the_old_version_serves() -> None:
    """Nothing is trained on a guess."""
    story = live_on(3)
    first = story.live
    story.world.monitor_away = True
    story.submit(dataset=TABLE, seed=7)
    later(story)

    assert story.conditions["Reconciling"] == ("True", "DatasetVersionUnknown")
    assert story.conditions["Serving"] == ("True", "VersionServing")
    assert story.live == first

    story.world.monitor_away = False
    later(story)
    assert runs(story)[-1] == ("Spec", "dataset:3", 3)
    assert story.conditions == READY


def test_a_newer_version_that_fails_changes_trained_only() -> None:
    """It is not tried again until there is a newer one."""
    story = live_on(3)
    story.world.train = failed("TooFewRows")
    story.world.datasets[WINE] = 4
    later(story)
    assert story.conditions["Ready"] == ("True", "VersionLive")
    assert story.conditions["Trained"] == ("False", "TooFewRows")

    story.world.train = accepted
    later(story)
    assert sources(story) == ["dataset://wine-table/3", "dataset://wine-table/4"]

    story.world.datasets[WINE] = 5
    later(story)
    assert story.conditions == READY


@pytest.mark.parametrize("lost", [(), (JOB,), (INFERENCE_SERVICE,)])
def test_a_lost_status_is_rebuilt_with_the_data_set(lost: tuple[Kind, ...]) -> None:
    """From the Jobs or from the servers; the model does not train again."""
    story = live_on(3)
    before = runs(story)
    for kind in lost:
        for body in list(story.world.named(kind).values()):
            story.world.remove(body)
    story.world.model().pop("status")
    later(story)

    assert runs(story) == before
    assert len(sources(story)) == (0 if JOB in lost else 1)
    assert story.conditions == READY


def test_a_status_that_names_no_data_set_reads() -> None:
    """As of a release that did not write it: the token is enough."""
    story = live_on(3)
    for record in story.world.model()["status"]["versions"]:
        del record["dataset"]
    story.world.datasets[WINE] = 4
    later(story)

    assert [(trigger, token) for trigger, token, _ in runs(story)] == [
        ("Spec", "dataset:3"),
        ("NewDataset", "dataset:4"),
    ]


def test_a_namespace_without_the_secret_is_told_which_one_is_missing() -> None:
    """The pod waits; it starts once the Secret is there."""
    story = with_versions(3)
    story.world.trains = False
    story.submit(dataset=TABLE)
    story.look()
    [job] = story.world.named(JOB).values()
    message = 'secret "taxon-datasets-read" not found'
    waiting = {"reason": "CreateContainerConfigError", "message": message}
    state = {"name": "trainer", "state": {"waiting": waiting}}
    add_pod(story.world, job, {"phase": "Pending", "containerStatuses": [state]})
    story.look()

    assert story.conditions["Stalled"] == ("True", "CredentialsMissing")
    assert story.message("Ready") == (
        f"attempt 1 of {job['metadata']['labels']['taxon.dev/version']} cannot start: {message};"
        " create what is missing, or edit spec.training"
    )


def test_the_events_name_the_version_of_the_data_set() -> None:
    """A run in the background changes no condition."""
    story = live_on(3)
    story.world.datasets[WINE] = 4
    later(story)
    events = [body["message"] for key, body in story.world.objects.items() if key[0] == "Event"]

    assert [one for one in events if "on version 4 of wine-table (NewDataset)" in one] != []

"""A model of a data set trains on its newest version, and again when there is a newer one.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

from typing import Any

import pytest
from support.story import READY, Story
from support.world import SETTINGS, World

from taxon_contracts.run import RunRequest
from taxon_contracts.status import TrainedDataset
from taxon_kube.api import JOB

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

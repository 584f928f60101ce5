"""Bundles are removed where their records say they are, and what could not be removed is said."""

from support.story import Story, served
from support.world import SETTINGS

from taxon_contracts.status import VersionRecord
from taxon_controller.domain.bundles import version_folder
from taxon_controller.domain.model import read_model
from taxon_kube.api import EVENT, JOB

MOVED = SETTINGS.model_copy(update={"bundle_root": "s3://elsewhere/models"})


def moved(**spec: object) -> Story:
    """Return the story of a served model whose bundles go to another bucket from now on."""
    story = served(**spec)
    story.settings = MOVED
    return story


def messages(story: Story, namespace: str = "default") -> list[str]:
    """Return the messages of the Events that say what was not removed."""
    events = story.world.named(EVENT, namespace).values()
    return [one["message"] for one in events if one["reason"] == "CleanupFailed"]


def test_an_old_version_is_removed_where_it_was_written() -> None:
    """objectStore.bundles changed meanwhile: what is in the old place does not stay there."""
    story = moved(seed=1, versionHistoryLimit=2)
    for seed in (2, 3, 4):
        story.world.pass_time(hours=2)
        story.submit(seed=seed, versionHistoryLimit=2)
        story.run()
        story.world.pass_time(hours=2)
        story.run()

    assert not [one for one in story.world.bundles if one.startswith("s3://taxon/")]
    assert len(story.world.bundles) == 2


def test_a_deleted_model_takes_its_bundles_along_from_both_places() -> None:
    """With deletionPolicy Delete, one version in the old place and one in the new."""
    story = moved(seed=1, deletionPolicy="Delete")
    story.world.pass_time(minutes=1)
    story.submit(seed=2, deletionPolicy="Delete")
    story.run()
    assert len({one.split("/")[2] for one in story.world.bundles}) == 2
    story.world.remove(story.world.model())
    for _ in range(4):
        story.look()
        story.world.settle()

    assert story.world.bundles == set()


def test_a_record_cannot_name_the_folder_of_another_model() -> None:
    """A training pod reports where its bundle is; a clean-up's keys reach further."""
    model = read_model(served().world.model())
    [record] = model.status.versions or ()
    for forged in (f"s3://taxon/other/wine/{record.version}/", "s3://taxon/", ""):
        folder = version_folder(
            model,
            VersionRecord.model_validate(record.model_dump() | {"bundle_uri": forged or None}),
            SETTINGS,
        )
        assert folder == f"s3://taxon/default/wine/{record.version}/"


def test_a_bundle_that_could_not_be_removed_is_reported_on_the_model() -> None:
    """Its record stays, and the Event says where the log is."""
    story = served(seed=1, versionHistoryLimit=2)
    first = story.live
    story.world.undeletable = True
    for seed in (2, 3, 4):
        story.world.pass_time(hours=2)
        story.submit(seed=seed, versionHistoryLimit=2)
        story.run()

    assert first in [one.version for one in story.status.versions or ()]
    assert any(f"s3://taxon/default/wine/{first}/" in one for one in messages(story))
    assert len(messages(story)) == len(set(messages(story)))


def test_a_deletion_that_waits_for_a_failed_clean_up_says_so() -> None:
    """And names every folder that is left when the time is up."""
    story = served(deletionPolicy="Delete")
    story.world.undeletable = True
    story.world.remove(story.world.model())
    for _ in range(3):
        story.look()
        story.world.settle()
    assert "could not remove them: read its log" in story.message("Ready")
    [job] = story.world.named(JOB, SETTINGS.namespace)
    assert job in story.message("Ready")

    story.world.pass_time(seconds=SETTINGS.cleanup_seconds)
    story.look()
    assert messages(story) == [
        "bundles could not be removed in time: remove s3://taxon/default/wine/ by hand"
    ]

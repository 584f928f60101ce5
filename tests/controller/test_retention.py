"""Only as many versions as asked for are kept, and the live, previous and pinned ones always.

Every look is by a new reconciler, so nothing can be remembered between two of them.
"""

from support.outcomes import failed
from support.story import Story, served
from support.world import SETTINGS

from taxon_kube.api import JOB


def retrained(story: Story, times: int) -> None:
    """Make more versions of the same spec."""
    for number in range(times):
        story.world.pass_time(hours=2)
        story.submit(annotation=f"number {number}", versionHistoryLimit=2)
        story.run()


def edited(story: Story, *seeds: int) -> None:
    """Roll out one spec after the other, each for longer than a version is kept warm."""
    for seed in seeds:
        story.world.pass_time(hours=2)
        story.submit(seed=seed, versionHistoryLimit=2)
        story.run()
        story.world.pass_time(hours=2)
        story.run()


def cleanups(story: Story) -> list[str]:
    """Return the names of the Jobs that remove bundles."""
    return list(story.world.named(JOB, SETTINGS.namespace))


def cleaning_up(*seeds: int) -> tuple[Story, str]:
    """Return a model whose first version's bundle is about to be removed, and that version."""
    story = served(seed=1, versionHistoryLimit=2)
    first = story.live
    assert first
    story.world.cleans = False
    edited(story, *seeds)
    assert cleanups(story)
    return story, first


def cleaned_up(story: Story) -> None:
    """Let the clean-ups that were not called off do what they were made for."""
    story.world.cleans = True
    story.run()


def test_only_as_many_versions_as_asked_for_are_kept() -> None:
    """Objects, bundles and records go together."""
    story = served(versionHistoryLimit=2)
    retrained(story, 4)
    story.world.pass_time(hours=2)
    story.run()
    kept = {one.version for one in story.status.versions or ()}

    assert len(kept) == 2
    assert story.live in kept
    assert {one.rstrip("/").rpartition("/")[2] for one in story.world.bundles} == kept
    assert len(story.world.named(JOB)) == 2


def test_the_live_previous_and_pinned_versions_are_always_kept() -> None:
    """Whatever their age."""
    story = served(versionHistoryLimit=2)
    first = story.live
    for number in range(4):
        story.world.pass_time(minutes=1)
        story.submit(annotation=f"number {number}", versionHistoryLimit=2, pinnedVersion=first)
        story.run()

    assert story.live == first
    assert first in {one.version for one in story.status.versions or ()}
    assert f"s3://taxon/default/wine/{first}/" in story.world.bundles


def test_bundles_are_removed_in_the_controllers_own_namespace() -> None:
    """A namespace that is going refuses new Jobs."""
    story = served(versionHistoryLimit=2)
    retrained(story, 3)
    jobs = story.world.named(JOB, SETTINGS.namespace)

    assert jobs
    assert all("ownerReferences" not in body["metadata"] for body in jobs.values())


def test_a_record_stays_until_its_bundle_is_gone() -> None:
    """Nothing is forgotten that still costs."""
    story = served(versionHistoryLimit=2)
    story.world.cleans = False
    retrained(story, 3)
    story.world.pass_time(hours=2)
    story.run()
    assert len(story.status.versions or ()) == 4

    story.world.cleans = True
    story.run()
    assert len(story.status.versions or ()) == 2


def test_a_version_that_is_wanted_again_keeps_its_new_bundle() -> None:
    """A clean-up that was still pending would remove what is live."""
    story, first = cleaning_up(2, 3, 4)
    story.submit(seed=1, versionHistoryLimit=2)
    story.run()
    cleaned_up(story)

    assert story.live == first
    assert f"s3://taxon/default/wine/{first}/" in story.world.bundles


def test_a_longer_history_calls_off_the_clean_ups_that_have_not_ended() -> None:
    """What is kept after all keeps its bundle."""
    story, first = cleaning_up(2, 3, 4)
    story.submit(seed=4, versionHistoryLimit=10)
    story.run(2)
    cleaned_up(story)

    assert cleanups(story) == []
    assert f"s3://taxon/default/wine/{first}/" in story.world.bundles


def test_a_clean_up_of_an_earlier_model_of_the_name_cannot_hit_a_later_one() -> None:
    """Both make the same version in the same folder."""
    story, first = cleaning_up(2, 3)
    story.world.remove(story.world.model())
    story.submit(seed=1)
    story.run()
    cleaned_up(story)

    assert story.live == first
    assert f"s3://taxon/default/wine/{first}/" in story.world.bundles


def test_failed_runs_push_no_good_version_out() -> None:
    """They make no bundle, and only as many of them are remembered."""
    story = served(versionHistoryLimit=2)
    retrained(story, 1)
    good = set(story.world.bundles)
    story.world.train = failed("DatasetNotFound")
    retrained(story, 5)
    story.world.pass_time(hours=2)
    story.run()

    assert story.world.bundles == good
    assert [outcome for _, outcome, _ in story.outcomes] == [*["Failed"] * 2, *["Accepted"] * 2]

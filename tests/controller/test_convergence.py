"""Whatever happens and wherever the controller is killed, one end is reached and held."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.outcomes import accepted, failed, lost, out_of_memory, refused
from support.story import Story
from support.world import Crashed, World, dependents

from taxon_kube.api import HTTP_ROUTE, INFERENCE_SERVICE, JOB, SERVICE, ApiError

Step = Callable[[Story], None]


def edit(**spec: Any) -> Step:
    """Return the step of a person who applies another spec."""
    return lambda story: story.submit(**spec)


def pin_the_oldest(story: Story) -> None:
    """Pin the oldest version there is."""
    versions = story.status.versions
    assert versions is not None
    story.submit(seed=7, pinnedVersion=versions[-1].version)


def delete(story: Story) -> None:
    """Delete the model."""
    story.world.remove(story.world.model())


STORIES: dict[str, tuple[Step, ...]] = {
    "create": (edit(),),
    "edit": (edit(), edit(seed=7)),
    "retrain": (edit(), edit(annotation="again")),
    "rollback": (edit(), edit(seed=7), pin_the_oldest, edit(seed=7)),
    "retention": (
        edit(versionHistoryLimit=2),
        edit(seed=7, versionHistoryLimit=2),
        edit(seed=8, versionHistoryLimit=2),
    ),
    "suspend": (edit(), edit(seed=7, suspend=True), edit(seed=7)),
    "delete": (edit(deletionPolicy="Delete"), delete),
}
QUIET_LOOKS = 2
"""A look that is cut short by a crash changes nothing either, so one is not enough."""


def tell(steps: tuple[Step, ...], *, crash_at: int | None = None, after: bool = False) -> World:
    """Tell a story to its end, with the controller killed once at one of its writes."""
    story = Story(World(crash_at=crash_at, crash_after=after))
    for step in steps:
        story.world.pass_time(hours=2)
        step(story)
        quiet = 0
        while quiet < QUIET_LOOKS:
            before = story.world.changes
            look(story)
            quiet = quiet + 1 if story.world.changes == before else 0
    return story.world


def state(world: World) -> dict[str, Any]:
    """Return what must be the same whether or not the controller was killed."""
    model = world.objects.get(("ClassifierModel", "default", "wine"))
    status = model.get("status", {}) if model else {}
    return {
        "objects": dependents(world),
        "bundles": world.bundles,
        "conditions": [(c["type"], c["status"], c["reason"]) for c in status.get("conditions", [])],
        "versions": [(v["version"], v["outcome"]) for v in status.get("versions", [])],
        "live": status.get("live", {}).get("version"),
        "runs": [one for one in world.writes if one.startswith("create Job/default")],
    }


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", STORIES)
def test_a_crash_at_any_write_leads_to_the_same_end(name: str, *, after: bool) -> None:
    """Every write of every story is a point to be killed at, before and after it.

    The same objects, bundles and words as without a crash, and no run has a second Job.
    """
    calm = tell(STORIES[name])
    expected = state(calm)
    for point in range(len(calm.writes)):
        crashed = tell(STORIES[name], crash_at=point, after=after)
        assert state(crashed) == expected, f"killed at write {point}: {calm.writes[point]}"


OUTCOMES = (accepted, refused, failed("TooFewRows"), failed("StorageDenied"), lost, out_of_memory)


def flip(name: str) -> Step:
    """Return the step of a world in which something stops or works again."""

    def step(story: Story) -> None:
        setattr(story.world, name, not getattr(story.world, name))

    return step


def lose(kind: str) -> Step:
    """Return the step of a person who deletes the model's objects of a kind."""

    def step(story: Story) -> None:
        story.world.forgotten.add(kind)
        for key, body in list(story.world.objects.items()):
            if key[0] == kind and key[1] == "default":
                story.world.remove(body)

    return step


def lose_status(story: Story) -> None:
    """Restore the model from a backup without its status."""
    story.world.forgotten.add("Status")
    story.world.model().pop("status", None)


def set_outcome(number: int) -> Step:
    """Return the step after which runs end another way."""

    def step(story: Story) -> None:
        story.world.train = OUTCOMES[number]

    return step


def wait(seconds: int) -> Step:
    """Return the step in which time goes by."""
    return lambda story: story.world.pass_time(seconds=seconds)


def look(story: Story) -> None:
    """Let the controller look, then everyone else act."""
    try:
        story.look()
    except Crashed:
        story.world.crash_at = None
    except ApiError:
        story.world.tried_again += 1
    story.world.settle()
    story.world.pass_time(seconds=1)


def crash_soon(story: Story) -> None:
    """Kill the controller at one of its next writes."""
    story.world.crash_at = len(story.world.writes) + 1


STEPS = st.one_of(
    st.just(look),
    st.builds(lambda seed: edit(seed=seed, versionHistoryLimit=2), st.integers(0, 2)),
    st.builds(
        lambda seed, value: edit(seed=seed, annotation=value, versionHistoryLimit=2),
        st.integers(0, 2),
        st.sampled_from(["a", "b"]),
    ),
    st.builds(lambda seed: edit(seed=seed, suspend=True), st.integers(0, 2)),
    st.builds(flip, st.sampled_from(["serves", "routes", "trains", "cleans", "webhook_away"])),
    st.builds(lose, st.sampled_from(["Job", "Pod", "InferenceService", "Service", "HTTPRoute"])),
    st.builds(set_outcome, st.integers(0, len(OUTCOMES) - 1)),
    st.builds(wait, st.sampled_from([1, 31, 601, 3601])),
    st.just(lose_status),
    st.just(crash_soon),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps=st.lists(STEPS, max_size=25))
def test_when_the_spec_stops_changing_its_state_is_reached_and_held(steps: list[Step]) -> None:
    """Eventually stable reconciliation, under crashes, losses, failures and edits in any order."""
    story = Story(World())
    story.submit(seed=0, versionHistoryLimit=2)
    for step in steps:
        step(story)
        look(story)
    world = story.world
    world.serves = world.routes = world.trains = world.cleans = True
    world.webhook_away, world.crash_at, world.train = False, None, accepted
    story.submit(seed=3, versionHistoryLimit=2)
    for _ in range(30):
        look(story)
        world.pass_time(seconds=601)
    before = list(world.writes)
    for _ in range(5):
        look(story)
    live = story.live

    assert world.writes == before
    assert story.conditions["Ready"] == ("True", "VersionLive")
    assert story.outcomes[0][1] == "Accepted"
    assert list(world.named(INFERENCE_SERVICE)) == [f"wine-{live}"]
    assert [one["metadata"]["labels"]["taxon.dev/version"] for one in (
        world.named(SERVICE)["wine"], world.named(HTTP_ROUTE)["wine"])] == [live, live]  # fmt: skip
    records = story.status.versions or ()
    kept = {one.version for one in records}
    made = {one.version for one in records if one.manifest_digest}
    assert len(made) <= 2
    assert len(kept - made) <= 2
    if not {"Status", "Job"} <= world.forgotten:  # without both, nothing knows of an old bundle
        assert {one.rstrip("/").rpartition("/")[2] for one in world.bundles} <= kept
    assert len(world.named(JOB)) <= len(kept)

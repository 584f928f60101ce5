"""Whatever happens and wherever the controller is killed, one end is reached and held."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.outcomes import accepted, failed, lost, out_of_memory, refused
from support.story import Story
from support.world import Crashed, World, dependents

from taxon_controller.loop.reconcile import FAILURES_TO_REPORT
from taxon_kube.api import (
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    JOB,
    SERVICE,
    ApiError,
    Refused,
    Unavailable,
)

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


TABLE = {"table": {"name": "wine-table"}, "target": "cultivar"}


def load(version: int) -> Step:
    """Return the step of a person who loads a version of the data set."""

    def step(story: Story) -> None:
        story.world.datasets[("default", "wine-table")] = version

    return step


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
    "data set": (load(3), edit(dataset=TABLE), load(6), edit(dataset=TABLE, annotation="again")),
    "data set kept": (
        load(3),
        edit(dataset=TABLE, versionHistoryLimit=2),
        load(4),
        load(5),
        edit(dataset=TABLE | {"table": {"name": "wine-table", "version": 4}}),
    ),
}
HIDDEN = (
    "Job",
    "Pod",
    "InferenceService",
    "Deployment",
    "PodDisruptionBudget",
    "Service",
    "HTTPRoute",
    "ServiceAccount",
)
QUIET_LOOKS = 2
"""A look that is cut short by a crash changes nothing either, so one is not enough."""


Disturb = Callable[[World, int], None]
"""Changes the world before the look of this number."""


def calm(_: World, __: int) -> None:
    """Let the controller look undisturbed."""


def tell(world: World, steps: tuple[Step, ...], disturb: Disturb = calm) -> int:
    """Tell a story to its end; return in how many looks."""
    story, looks = Story(world), 0
    for step in steps:
        world.pass_time(hours=2)
        step(story)
        quiet = 0
        while quiet < QUIET_LOOKS or world.unreadable:
            disturb(world, looks)
            before, looks = world.changes, looks + 1
            look(story)
            quiet = quiet + 1 if world.changes == before else 0
    return looks


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
    undisturbed = World()
    tell(undisturbed, STORIES[name])
    expected = state(undisturbed)
    for point, write in enumerate(undisturbed.writes):
        crashed = World(crash_at=point, crash_after=after)
        tell(crashed, STORIES[name])
        assert state(crashed) == expected, f"killed at write {point}: {write}"


def unreadable(kind: str, first: int) -> Disturb:
    """Return the disturbance that hides a kind from the controller for a few looks."""

    def disturb(world: World, number: int) -> None:
        hidden = first <= number < first + 3
        world.unreadable = {kind: Refused("it is forbidden")} if hidden else {}

    return disturb


@pytest.mark.parametrize("kind", HIDDEN)
@pytest.mark.parametrize("name", STORIES)
def test_reads_that_are_refused_for_a_while_lead_to_the_same_end(name: str, kind: str) -> None:
    """From any look on, and whichever kind it is: no run is lost, doubled or called a failure."""
    undisturbed = World()
    looks = tell(undisturbed, STORIES[name])
    expected = state(undisturbed)
    for first in range(looks):
        world = World()
        tell(world, STORIES[name], unreadable(kind, first))
        assert state(world) == expected, f"{kind} hidden from look {first} on"


def test_a_read_that_fails_once_anywhere_leads_to_the_same_end() -> None:
    """Every single read of a model's life is one that the API server may not answer."""
    steps = STORIES["create"]
    undisturbed = World()
    tell(undisturbed, steps)
    for point, read in enumerate(undisturbed.reads):
        world = World(fail_read=point, read_error=Unavailable("504"))
        tell(world, steps)
        assert state(world) == state(undisturbed), f"read {point} failed: {read}"


def newer_release(world: World, _: int) -> None:
    """Write the status as a release does that has more to say, and lose what Jobs' pods said."""
    status = world.objects.get(("ClassifierModel", "default", "wine"), {}).get("status", {})
    parts = (status, status.get("live"), status.get("candidate"), status.get("run"))
    for part in (*parts, *status.get("versions", ()), *status.get("conditions", ())):
        if part:
            part["unheardOf"] = {"step": 3}
    if "run" not in status:
        for key in [key for key in world.objects if key[0] == "Pod"]:
            del world.objects[key]


@pytest.mark.parametrize("name", STORIES)
def test_a_status_of_a_newer_release_leads_to_the_same_end(name: str) -> None:
    """Fields that nobody here knows are ignored, and no version is lost with them."""
    undisturbed, world = World(), World()
    tell(undisturbed, STORIES[name])
    tell(world, STORIES[name], newer_release)

    assert state(world) == state(undisturbed)


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
        story.look(FAILURES_TO_REPORT)
    except Crashed:
        story.world.crash_at = None
    except ApiError:
        story.world.tried_again += 1
    story.world.settle()
    story.world.pass_time(seconds=1)


def crash_soon(story: Story) -> None:
    """Kill the controller at one of its next writes."""
    story.world.crash_at = len(story.world.writes) + 1


def hide(kind: str | None) -> Step:
    """Return the step after which a kind cannot be read, or all can again."""

    def step(story: Story) -> None:
        story.world.unreadable = {kind: Refused("it is forbidden")} if kind else {}

    return step


def turn_stricter(story: Story) -> None:
    """Install a policy that refuses what is there, or remove it."""
    policy = Refused("denied by policy")
    story.world.admission = policy if story.world.admission is None else None


SWITCHES = (
    "serves", "routes", "trains", "cleans", "webhook_away", "unasked", "monitor_away",
)  # fmt: skip
STEPS = st.one_of(
    st.just(look),
    st.builds(lambda seed: edit(seed=seed, versionHistoryLimit=2), st.integers(0, 2)),
    st.builds(
        lambda seed, value: edit(seed=seed, annotation=value, versionHistoryLimit=2),
        st.integers(0, 2),
        st.sampled_from(["a", "b"]),
    ),
    st.builds(lambda seed: edit(seed=seed, suspend=True), st.integers(0, 2)),
    st.builds(
        lambda seed: edit(seed=seed, dataset=TABLE, versionHistoryLimit=2), st.integers(0, 1)
    ),
    st.builds(load, st.integers(1, 4)),
    st.builds(flip, st.sampled_from(SWITCHES)),
    st.builds(lose, st.sampled_from(["Job", "Pod", "InferenceService", "Service", "HTTPRoute"])),
    st.builds(set_outcome, st.integers(0, len(OUTCOMES) - 1)),
    st.builds(wait, st.sampled_from([1, 31, 601, 3601])),
    st.builds(hide, st.sampled_from([*HIDDEN, None, None])),
    st.just(turn_stricter),
    st.just(lose_status),
    st.just(crash_soon),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps=st.lists(STEPS, max_size=25), last=st.sampled_from([{}, {"dataset": TABLE}]))
def test_when_the_spec_stops_changing_its_state_is_reached_and_held(
    steps: list[Step], last: dict[str, Any]
) -> None:
    """Eventually stable reconciliation, under crashes, losses, failures and edits in any order."""
    story = Story(World())
    story.submit(seed=0, versionHistoryLimit=2)
    for step in steps:
        step(story)
        look(story)
    world = story.world
    world.serves = world.routes = world.trains = world.cleans = True
    world.webhook_away, world.crash_at, world.train = False, None, accepted
    world.unreadable, world.admission, world.unasked = {}, None, False
    world.monitor_away = False
    load(5)(story)
    story.submit(seed=3, versionHistoryLimit=2, **last)
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

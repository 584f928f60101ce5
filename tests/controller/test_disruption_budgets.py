"""One PodDisruptionBudget per version that serves, and none for one that does not."""

from contextlib import suppress

from support.story import READY, served
from support.world import World

from taxon_contracts import names
from taxon_kube.api import DISRUPTION_BUDGET, Manifest, Refused


def budgets(world: World) -> list[str]:
    """Return the versions that have a budget."""
    return [
        body["metadata"]["labels"][names.LABEL_VERSION]
        for body in world.named(DISRUPTION_BUDGET).values()
    ]


def test_the_live_version_has_a_budget_and_a_crashing_candidate_has_none() -> None:
    """A candidate that crashes holds no node up; the live version's budget is its own."""
    story = served(seed=1)
    first = story.live
    assert budgets(story.world) == [first]

    story.world.serves = False
    story.submit(seed=2)
    story.run()
    assert story.status.candidate is not None
    assert budgets(story.world) == [first]


def test_a_budget_goes_with_the_traffic() -> None:
    """The version before is kept warm without traffic, and needs none."""
    story = served(seed=1)
    story.submit(seed=2)
    story.run()

    assert budgets(story.world) == [story.live]


def test_a_budget_goes_with_the_model() -> None:
    """It is owned by it."""
    story = served()
    story.world.remove(story.world.model())

    assert budgets(story.world) == []


def test_a_budget_that_is_refused_holds_up_nothing() -> None:
    """A right is missing: the model is served all the same."""

    class Refusing(World):
        def create(self, manifest: Manifest) -> Manifest:
            if manifest["kind"] == DISRUPTION_BUDGET.name:
                raise Refused("poddisruptionbudgets is forbidden")
            return super().create(manifest)

    story = served()
    story.world.__class__ = Refusing
    [there] = story.world.named(DISRUPTION_BUDGET).values()
    story.world.remove(there)
    with suppress(Refused):
        story.look()

    assert story.conditions == READY

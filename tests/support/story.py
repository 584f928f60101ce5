"""One model, step by step, in the cluster in memory."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from support.world import SETTINGS, World, model_body

from taxon_contracts import names
from taxon_contracts.document import salvage
from taxon_contracts.status import Status
from taxon_controller.loop.reconcile import Reconciler
from taxon_controller.settings import Settings
from taxon_controller.telemetry import Telemetry

SHOWN = Telemetry()


@dataclass
class Story:
    """One model's life: what a person does, and the controller that looks again and again."""

    world: World
    settings: Settings = SETTINGS
    name: str = "wine"
    namespace: str = "default"

    def submit(self, *, annotation: str = "", **spec: Any) -> None:
        """Apply the model with this spec and this value of the retrain annotation."""
        body = model_body(self.name, self.namespace, **spec)
        if annotation:
            body["metadata"]["annotations"] = {names.ANNOTATION_RETRAIN: annotation}
        self.world.submit(body)

    def look(self, failures: int = 0) -> datetime | None:
        """Let the controller look once, as a process that has just started.

        Args:
            failures: how many looks have failed in a row before.
        """
        world = self.world
        reconciler = Reconciler(world, world, world, self.settings, SHOWN, lambda: world.now)
        return reconciler.reconcile(self.namespace, self.name, failures)

    def run(self, looks: int = 12) -> Status:
        """Let the controller and everyone else do all there is to do."""
        for _ in range(looks):
            self.look()
            self.world.settle()
        return self.status

    @property
    def status(self) -> Status:
        """Return the status as it is stored."""
        body = self.world.model(self.name, self.namespace)
        return salvage(Status, body.get("status", {}))

    @property
    def conditions(self) -> dict[str, tuple[str, str]]:
        """Return status and reason of every condition, by type."""
        return {one.type: (one.status, one.reason) for one in self.status.conditions or ()}

    def message(self, kind: str) -> str:
        """Return a condition's message."""
        return next(one.message for one in self.status.conditions or () if one.type == kind)

    @property
    def live(self) -> str:
        """Return the live version."""
        assert self.status.live is not None
        return self.status.live.version

    @property
    def outcomes(self) -> list[tuple[str, str, str]]:
        """Return trigger, outcome and reason of every recorded run, newest first."""
        return [(one.trigger, one.outcome, one.reason) for one in self.status.versions or ()]


def served(**spec: Any) -> Story:
    """Return the story of a model whose first version is live."""
    story = Story(World())
    story.submit(**spec)
    assert story.run().live is not None
    return story


READY = {
    "Ready": ("True", "VersionLive"),
    "Trained": ("True", "Succeeded"),
    "GatePassed": ("True", "LimitsMet"),
    "Serving": ("True", "VersionServing"),
}

"""The input of every decision about a model."""

from dataclasses import dataclass
from datetime import datetime

from taxon_contracts import names
from taxon_contracts.figures import readable
from taxon_contracts.status import ServedVersion
from taxon_controller import clock
from taxon_controller.domain.actions import Finding
from taxon_controller.domain.history import Records, find
from taxon_controller.domain.model import Model
from taxon_controller.observe.observed import Observed
from taxon_controller.settings import Settings

NO_SCORE = "-"


@dataclass(frozen=True)
class Scene:
    """The one input of all decisions.

    ``records`` are the runs that are settled. ``blocker`` is the problem a person has to solve
    before anything new can start, if there is one.
    """

    model: Model
    observed: Observed
    records: Records
    now: datetime
    settings: Settings
    blocker: Finding | None = None

    @property
    def suspended(self) -> bool:
        """Return whether runs and switches are stopped."""
        return self.model.spec.suspend

    @property
    def through_gateway(self) -> bool:
        """Return whether clients outside reach the model through a Gateway."""
        return self.observed.gateway and self.settings.gateway is not None

    def bundle_uri(self, version: str) -> str:
        """Return the folder a version's bundle is written to."""
        model = self.model
        return names.bundle_uri(
            self.settings.bundle_root,
            namespace=model.namespace,
            model=model.name,
            version=version,
        )

    def served(self, version: str, weight: int, since: str) -> ServedVersion:
        """Return a version with its score for the status."""
        record = find(self.records, version)
        metrics = record.metrics if record and record.metrics else ()
        scores = (m.value for m in metrics if m.name == self.model.spec.metric)
        score = next((readable(float(value)) for value in scores), NO_SCORE)
        return ServedVersion(version=version, weight=weight, score=score, since_time=since)

    def since(self, place: ServedVersion | None, version: str) -> str:
        """Return since when a version has a place: now, if it was not there before."""
        if place is not None and place.version == version:
            return place.since_time
        return clock.text(self.now)

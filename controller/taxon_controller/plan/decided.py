"""The result of planning: decision, writes and status."""

from dataclasses import dataclass
from datetime import datetime

from taxon_contracts.status import Status
from taxon_controller.domain.actions import Event, Write
from taxon_controller.domain.history import Records
from taxon_controller.plan.rollout import RolloutPlan
from taxon_controller.plan.runs import RunPlan
from taxon_controller.plan.scene import Scene


@dataclass(frozen=True)
class Decision:
    """The decision about a model whose spec can be read; the conditions are derived from it."""

    scene: Scene
    runs: RunPlan
    rollout: RolloutPlan
    records: Records
    events: tuple[Event, ...] = ()
    due: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The whole result of planning.

    ``writes`` are carried out in order, then ``status`` is written if it differs from the
    one that was read. ``look_again`` is the time of the next reconciliation. ``decision``
    is the origin of the status, if the spec could be read.
    """

    writes: tuple[Write, ...]
    status: Status
    events: tuple[Event, ...]
    look_again: datetime | None
    decision: Decision | None = None

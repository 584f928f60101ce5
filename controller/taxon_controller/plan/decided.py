"""What one look at a model decides."""

from dataclasses import dataclass
from datetime import datetime

from taxon_contracts.status import Status
from taxon_controller.domain.actions import Event, Write


@dataclass(frozen=True)
class Plan:
    """Everything one look at a model decides.

    ``writes`` are carried out in their order, then ``status`` is written if it differs from the
    one that was read. ``look_again`` is the next time something falls due by itself.
    """

    writes: tuple[Write, ...]
    status: Status
    events: tuple[Event, ...]
    look_again: datetime | None

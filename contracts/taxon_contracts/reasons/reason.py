"""What a reason is, and the conditions reasons share."""

from dataclasses import dataclass
from typing import Literal

ConditionType = Literal["Ready", "Trained", "GatePassed", "Serving", "Reconciling", "Stalled"]

PROGRESS: tuple[ConditionType, ...] = ("Ready", "Reconciling")
BLOCKED: tuple[ConditionType, ...] = ("Ready", "Stalled")
RUN_IN_PROGRESS: tuple[ConditionType, ...] = ("Ready", "Reconciling", "Trained")
RUN_FAILED: tuple[ConditionType, ...] = ("Ready", "Stalled", "Trained")
GATE_REFUSED: tuple[ConditionType, ...] = ("Ready", "Stalled", "GatePassed")
ROLLOUT_BLOCKED: tuple[ConditionType, ...] = ("Ready", "Stalled", "Reconciling", "Serving")
AGAIN = "set the annotation taxon.dev/retrain to a new value"


@dataclass(frozen=True)
class Reason:
    """One reason: its conditions, its meaning and the remedy."""

    name: str
    types: tuple[ConditionType, ...]
    meaning: str
    remedy: str = "-"

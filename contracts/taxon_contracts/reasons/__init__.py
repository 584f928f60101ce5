"""Every reason Taxon writes into a condition or an Event, in one table.

What the controller writes is held to it: a reason fits the conditions its row names.
"""

from taxon_contracts.reasons.of_models import OF_MODELS
from taxon_contracts.reasons.of_runs import OF_RUNS
from taxon_contracts.reasons.reason import AGAIN, ConditionType, Reason

__all__ = ["AGAIN", "REASONS", "ConditionType", "Reason"]

REASONS: dict[str, Reason] = {reason.name: reason for reason in (*OF_MODELS, *OF_RUNS)}

"""Every reason Taxon writes into a condition or an Event, in one table.

The controller writes a reason only into the conditions of its row.
"""

from taxon_contracts.reasons.of_models import OF_MODELS
from taxon_contracts.reasons.of_runs import OF_RUNS
from taxon_contracts.reasons.reason import AGAIN, ConditionType, Reason

__all__ = ["AGAIN", "REASONS", "ConditionType", "Reason"]

REASONS: dict[str, Reason] = {reason.name: reason for reason in (*OF_MODELS, *OF_RUNS)}

"""What a sealed bundle has recorded of its own evaluation."""

import json
from typing import Any

from taxon_bundle.bundle import Bundle
from taxon_contracts.manifest import METRICS_NAME
from taxon_training_job.data.split import Rule


def recorded_figures(bundle: Bundle) -> dict[str, Any]:
    """Return the document of held-out figures."""
    figures: dict[str, Any] = json.loads(bundle.read(METRICS_NAME))
    return figures


def recorded_rule(bundle: Bundle) -> Rule:
    """Return which rows the bundle's own run held out."""
    return Rule.of(recorded_figures(bundle)["split"])

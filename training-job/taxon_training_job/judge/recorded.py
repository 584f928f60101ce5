"""What a sealed bundle has recorded of its own evaluation, whatever release wrote it."""

from typing import Any

from pydantic import Field

from taxon_bundle.bundle import Bundle, BundleError
from taxon_contracts.document import Document, salvage
from taxon_contracts.manifest import METRICS_NAME
from taxon_contracts.run import MetricValue, Rows
from taxon_training_job.data.split import Rule


class Recorded(Document):
    """The part of metrics.json that a later run reads."""

    metrics: tuple[MetricValue, ...] = ()
    rows: Rows | None = None
    parameters: dict[str, str] = Field(default_factory=dict)
    split: dict[str, Any] = Field(default_factory=dict)


def recorded_figures(bundle: Bundle) -> Recorded:
    """Return the held-out figures; what this release cannot read of them is left out."""
    return salvage(Recorded, bundle.read(METRICS_NAME))


def recorded_rule(bundle: Bundle) -> Rule:
    """Return which rows the bundle's own run held out.

    Raises:
        BundleError: it records a split that this release does not understand.
    """
    try:
        return Rule.of(recorded_figures(bundle).split)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            METRICS_NAME, "this release does not understand which rows it held out"
        ) from error

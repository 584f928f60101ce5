"""The health check for Argo CD knows the words the controller writes."""

import re
from pathlib import Path

from taxon_contracts.conditions import CONDITION_TYPES
from taxon_contracts.reasons import REASONS

SCRIPT = Path(__file__).parents[2] / "docs" / "argocd-health.lua"


def test_the_health_check_compares_with_known_words_only() -> None:
    """A renamed reason or condition would make it answer wrong in silence."""
    text = SCRIPT.read_text()
    types = set(re.findall(r'condition\.type == "(\w+)"', text))
    reasons = set(re.findall(r'reason == "(\w+)"', text))

    assert types == {"Ready", "Stalled"}
    assert types <= set(CONDITION_TYPES)
    assert reasons == {"Suspended", "ServersNotReady"}
    assert reasons <= set(REASONS)

"""Every condition type Taxon writes, and the page of conditions and reasons."""

from taxon_contracts.reasons import REASONS, ConditionType

CONDITION_TYPES: dict[ConditionType, str] = {
    "Ready": "The version of this generation (or the pinned one) is live and its URL answers.",
    "Trained": "The newest run of this spec made a version.",
    "GatePassed": "The newest version of this spec may be rolled out.",
    "Serving": "The live version has ready servers.",
    "Reconciling": "A change of the spec is being carried out. Absent otherwise.",
    "Stalled": "Taxon waits for a person to act. Absent otherwise.",
}


def conditions_page() -> str:
    """Return ``docs/conditions.md``."""
    lines = [
        "# Conditions and reasons",
        "",
        "Generated from `contracts/taxon_contracts/reasons` by `make generate`; do not edit.",
        "",
        (
            "`kubectl wait --for=condition=Ready clm/NAME` waits until the desired version is live."
            " A run in the background (schedule, annotation) changes neither Ready nor Reconciling."
        ),
        "",
        "| condition | says |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in CONDITION_TYPES.items()),
        "",
        "Reasons are stable: programs may rely on them. Messages are for people and may change.",
        "",
        "| reason | on | means | what to do |",
        "|---|---|---|---|",
        *(
            f"| {one.name} | {', '.join(one.types) or 'Event'} | {one.meaning} | {one.remedy} |"
            for one in sorted(REASONS.values(), key=lambda reason: reason.name)
        ),
        "",
    ]
    return "\n".join(lines)

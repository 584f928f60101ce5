"""The id of a version: the same inputs give the same id, today and after a restore."""

import hashlib

from taxon_contracts.canonical import canonical_json
from taxon_contracts.resource import Identity

TRIGGER_CHARACTERS = 64


def version_id(identity: Identity, *, trigger: str = "") -> str:
    """Return the version's id for these inputs: ``v`` and 10 hex digits.

    Fields that equal their defaults do not count, so a field added later with a default retrains
    no model.

    Args:
        identity: the fields of the spec that identify a version.
        trigger: what started a run of an unchanged spec (a schedule slot, a table's version,
            the value of the retrain annotation); empty for the spec itself.
    """
    content = {
        "identity": identity.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "trigger": trigger,
    }
    return f"v{hashlib.sha256(canonical_json(content)).hexdigest()[:10]}"


def retrain_trigger(annotation: str | None) -> str:
    """Return what a value of the retrain annotation adds to a version's id; empty without one.

    A long value is replaced by its SHA-256, so that it fits into the status.
    """
    if not annotation:
        return ""
    short = annotation
    if len(annotation) > TRIGGER_CHARACTERS:
        short = hashlib.sha256(annotation.encode()).hexdigest()
    return f"retrain:{short}"

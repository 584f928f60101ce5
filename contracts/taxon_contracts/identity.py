"""The id of a version: the same inputs give the same id, today and after a restore."""

import hashlib

from taxon_contracts.canonical import canonical_json
from taxon_contracts.resource import Identity


def version_id(identity: Identity, *, trigger: str = "") -> str:
    """Return ``v`` and 10 hex digits for the version these inputs make.

    Fields that equal their defaults do not count, so a field added later with a default retrains
    nobody.

    Args:
        identity: the fields of the spec that make another version.
        trigger: what asked for a version of an unchanged spec (a schedule slot, a table's version,
            the value of the retrain annotation); empty for the spec itself.
    """
    content = {
        "identity": identity.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "trigger": trigger,
    }
    return f"v{hashlib.sha256(canonical_json(content)).hexdigest()[:10]}"

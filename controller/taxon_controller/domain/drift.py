"""The drift check: whether an object still is as it should be."""

import re
from typing import Any

from taxon_contracts.resource import amount

WHOLE = frozenset({"selector", "parentRefs", "rules"})
"""Fields without defaults, in which an additional key would move the traffic."""
QUANTITY = re.compile(r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")


def matches(there: Any, wanted: Any) -> bool:
    """Return whether an object contains everything wanted.

    Additions of others do not matter unless they move the traffic. Lists must have the same length.
    Quantities are compared by value: KServe writes ``1000m`` as ``1``.
    """
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            key in there and (there[key] == value if key in WHOLE else matches(there[key], value))
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(matches(one, other) for one, other in zip(there, wanted, strict=True))
        )
    return bool(there == wanted) or _same_amount(there, wanted)


def _same_amount(there: Any, wanted: Any) -> bool:
    if not (isinstance(there, str) and isinstance(wanted, str)):
        return False
    if not (QUANTITY.match(there) and QUANTITY.match(wanted)):
        return False
    return amount(there) == amount(wanted)

"""One byte form of a JSON value, so that equal values have equal digests."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Encode ``value`` as JSON with sorted keys, no spaces and no NaN.

    Raises:
        ValueError: ``value`` contains a NaN or an infinite number.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def sha256_digest(content: bytes) -> str:
    """Return ``sha256:`` and the 64 hex digits of the SHA-256 of ``content``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"

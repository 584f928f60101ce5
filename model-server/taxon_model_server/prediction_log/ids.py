"""Prediction ids: UUIDs of version 7, which sort by time (RFC 9562, section 5.7)."""

import os
import time
from uuid import UUID

VERSION_BITS = 0x7 << 76
VARIANT_BITS = 0x2 << 62
RANDOM_BYTES = 10


def prediction_ids(count: int) -> list[UUID]:
    """Return new ids of this millisecond: 48 bits of time, 74 random ones."""
    stamp = (time.time_ns() // 1_000_000) << 80
    entropy = os.urandom(RANDOM_BYTES * count)
    return [
        _identifier(stamp, entropy[start : start + RANDOM_BYTES])
        for start in range(0, len(entropy), RANDOM_BYTES)
    ]


def _identifier(stamp: int, entropy: bytes) -> UUID:
    bits = int.from_bytes(entropy, "big")
    high, low = (bits >> 62) & 0xFFF, bits & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=stamp | VERSION_BITS | high << 64 | VARIANT_BITS | low)

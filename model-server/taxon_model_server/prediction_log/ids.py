"""Prediction ids: UUIDs of version 7, which sort by time (RFC 9562, section 5.7), as bytes."""

import os
import time

import numpy as np

ID_BYTES = 16
STAMP_BYTES = 6
VERSION = 0x70
VARIANT = 0x80


def prediction_ids(count: int) -> bytes:
    """Return new ids of this millisecond, one after the other: 48 bits of time, 74 random ones."""
    stamp = (time.time_ns() // 1_000_000).to_bytes(STAMP_BYTES, "big")
    if count == 1:
        chance = os.urandom(ID_BYTES - STAMP_BYTES)
        marked = bytes((VERSION | chance[0] & 0x0F, chance[1], VARIANT | chance[2] & 0x3F))
        return stamp + marked + chance[3:]
    ids = np.frombuffer(bytearray(os.urandom(ID_BYTES * count)), np.uint8).reshape(count, ID_BYTES)
    ids[:, :STAMP_BYTES] = np.frombuffer(stamp, np.uint8)
    ids[:, STAMP_BYTES] = ids[:, STAMP_BYTES] & 0x0F | VERSION
    ids[:, STAMP_BYTES + 2] = ids[:, STAMP_BYTES + 2] & 0x3F | VARIANT
    return ids.tobytes()


def id_texts(ids: bytes) -> list[str]:
    """Return ids as clients see them."""
    digits = ids.hex()
    return [_text(digits[start : start + 32]) for start in range(0, len(digits), 32)]


def _text(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

"""Small constant open-addressing hash tables that compiled code looks up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from curation.text.utf8 import njit


def hash_table(entries: Mapping[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Open-addressing table of keys uint64[2**k], 0 = free, and their values int64[2**k], at most half full."""
    size = 1 << (4 * len(entries)).bit_length()
    keys, values = np.zeros(size, np.uint64), np.zeros(size, np.int64)
    for key, value in sorted(entries.items()):
        slot = look_up(keys, np.uint64(key))
        keys[slot], values[slot] = key, value
    return keys, values


@njit
def look_up(keys: np.ndarray, key: np.uint64) -> np.uint64:
    """Slot of ``key``, or the free slot where it would be."""
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot

"""Words and phrases as sequences of unit hashes, found again in a text by one hash-table look-up a unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from curation.text.scan import Scan, mix
from curation.text.utf8 import inline, njit

_SALT = np.uint64(0x9E3779B97F4A7C15)


def sequences(scan: Scan) -> Iterator[np.ndarray]:
    """The unit hashes uint64[units] of each scanned text."""
    for first, end in zip(scan.unit_bounds[:-1], scan.unit_bounds[1:], strict=True):
        yield scan.unit_hash[first:end]


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


@inline
def language_seed(language: Any) -> Any:
    """Key of the empty sequence in a language: sequences of two languages never share a key by construction."""
    return mix(np.uint64(language + 1) * _SALT)


@inline
def extend_key(key: Any, unit: Any) -> Any:
    """Key of a sequence with one more unit."""
    return mix((key * _SALT) ^ unit)


@njit
def sequence_key(units: np.ndarray, language: int) -> np.uint64:
    """Key of a sequence of unit hashes in a language (its number in `CODES`)."""
    key = language_seed(language)
    for unit in units:
        key = extend_key(key, unit)
    return key

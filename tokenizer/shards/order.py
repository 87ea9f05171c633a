"""Which split a document goes to and where it stands there: pure functions of its content, copy and the seed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
SPLITS = ("train", "validation", "test")


def split_of(content_hash: NDArray[np.void], validation: float, test: float, seed: int) -> NDArray[np.uint8]:
    """The split of each document, as an index into SPLITS: uint8[n]. Equal texts are in one split.

    Args:
        content_hash: V16[n].
        validation, test: fractions of all texts; a test split takes its texts from train, never from validation.
    """
    number = (_mix(content_hash, _key(seed, "split")) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (number < validation + test).astype(np.uint8) + ((number >= validation) & (number < validation + test))


def shuffled_keys(content_hash: NDArray[np.void], copy: NDArray[Any], seed: int) -> Words:
    """Sort keys under which documents stand in an order drawn by chance: uint64[n].

    Copies of a text get keys of their own, so that they lie apart. Sorting by independent uniform keys makes every
    permutation equally likely; keys that collide are ordered by address.
    """
    return _finish(_mix(content_hash, _key(seed, "order")) + copy.astype(np.uint64) * np.uint64(_WEYL))


def placed_keys(unit: int, units: int, documents: int) -> Words:
    """Sort keys under which documents keep their order, those of one work unit of ``units``: uint64[documents].

    Rising, and spread evenly over the keys that belong to the unit.
    """
    width = ((1 << 64) - 1) // units
    step = width // max(1, documents)
    return np.uint64(unit * width) + np.arange(documents, dtype=np.uint64) * np.uint64(step)


# The finaliser and the Weyl constant of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
# number generators").
_WEYL = 0x9E3779B97F4A7C15


def _finish(value: Words) -> Words:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _mix(content_hash: NDArray[np.void], key: np.uint64) -> Words:
    """64 bits of 128 and a key: uint64[n]."""
    words = np.ascontiguousarray(content_hash).view("<u8").reshape(-1, 2)
    return _finish(_finish(words[:, 0] ^ key) ^ words[:, 1])


def _key(seed: int, purpose: str) -> np.uint64:
    digest = hashlib.blake2b(f"shards, {purpose}, seed {seed}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))

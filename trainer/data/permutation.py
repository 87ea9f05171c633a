"""A pseudo-random order of n items that needs no memory: item k of the order is computed from k alone.

A four-round Feistel network (Luby and Rackoff, 1988, "How to construct pseudorandom permutations") permutes the
integers below the next power of four; cycle walking (Black and Rogaway, 2002, "Ciphers with arbitrary finite
domains") applies it again until the result is below n. Fewer than four applications are needed on average, because
the power of four is less than 4n.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numba as nb
import numpy as np
from numpy.typing import NDArray

ROUNDS = 4


@lru_cache(maxsize=256)
def round_keys(seed: int, epoch: int, purpose: str) -> tuple[int, ...]:
    """Four 64-bit keys, different for every seed, epoch and purpose (BLAKE2b of all, so neighbours are unrelated)."""
    digest = hashlib.blake2b(f"{purpose} order, seed {seed}, epoch {epoch}".encode(), digest_size=8 * ROUNDS).digest()
    return tuple(int.from_bytes(digest[8 * i : 8 * i + 8], "little") for i in range(ROUNDS))


def permute(indices: NDArray[np.int64], size: int, keys: tuple[int, ...]) -> NDArray[np.int64]:
    """Where the permutation of range(size) under `keys` sends each index, int64[n].

    Raises:
        IndexError: if an index is outside range(size), or size is above 2^62.
    """
    if len(indices) and not 0 <= indices.min() <= indices.max() < size <= 1 << 62:
        raise IndexError(f"cannot permute {indices.min()} to {indices.max()} in a range of {size} (at most 2^62)")
    out = np.empty(len(indices), np.int64)
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    _permute(indices.astype(np.uint64), np.uint64(size), np.uint64(half_bits), np.array(keys, np.uint64), out)
    return out


@nb.njit(cache=True, nogil=True)
def _permute(indices, size, half_bits, keys, out):  # type: ignore[no-untyped-def]
    """Rounds of SplitMix64's finaliser (Steele, Lea and Flood, 2014, Fast splittable pseudorandom numbers)."""
    mask = (np.uint64(1) << half_bits) - np.uint64(1)
    for i in range(len(indices)):
        index = indices[i]
        while True:
            left, right = index >> half_bits, index & mask
            for key in keys:
                value = right ^ key
                value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                value ^= value >> np.uint64(31)
                left, right = right, left ^ (value & mask)
            index = left << half_bits | right
            if index < size:
                break
        out[i] = index

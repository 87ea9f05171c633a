"""Repetition inside a document: Gopher's signals (Rae et al. 2021, arXiv:2112.11446, table A1), on unit hashes.

N-grams are of units (`curation.text.scan`), so they need no separator and mean the same in every script: fractions are
of the characters inside units, never above 1. Of duplicate n-grams the second and later occurrences count, and no
character counts twice, as datatrove does, whose thresholds FineWeb and FineWeb-2 published. A most frequent n-gram
must occur twice to count.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.text.scan import Scan, mix
from curation.text.utf8 import inline, njit

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)
_LARGEST = DUPLICATE_SIZES[-1]
_SALT = np.uint64(0x9E3779B97F4A7C15)


class RepetitionCounter:
    """Computes the signals batch by batch, reusing its hash table."""

    def __init__(self) -> None:
        self._keys = np.empty(0, np.uint64)
        self._stamp = np.empty(0, np.int64)
        self._count = np.empty(0, np.int32)
        self._generation = 0

    def _reserve(self, items: int) -> None:
        capacity = 1 << max(10, (2 * items - 1).bit_length())
        if len(self._keys) < capacity:
            self._keys = np.empty(capacity, np.uint64)
            self._stamp = np.zeros(capacity, np.int64)
            self._count = np.empty(capacity, np.int32)
            self._generation = 0

    def ngrams(self, scan: Scan) -> dict[str, np.ndarray]:
        """Fractions float64[n] of unit characters in the most frequent 2..4-gram and in duplicate 5..10-grams."""
        n = len(scan.counts)
        out = np.zeros((n, _LARGEST + 1), np.float64)
        self._reserve(int(np.diff(scan.unit_bounds).max(initial=1)))
        self._generation = _ngrams(scan.unit_hash, scan.unit_length, scan.unit_bounds, scan.column("unit_characters"),
                                   self._keys, self._stamp, self._count, self._generation, out)  # fmt: skip
        return {f"top_{k}_gram": out[:, k] for k in TOP_SIZES} | {
            f"duplicate_{k}_gram": out[:, k] for k in DUPLICATE_SIZES
        }

    def duplicates(self, hashes: np.ndarray, lengths: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Items (lines or paragraphs) seen before in their document: their number and characters, int64[n] each."""
        self._reserve(int(np.diff(bounds).max(initial=1)))
        out = np.zeros((len(bounds) - 1, 2), np.int64)
        self._generation = _duplicates(hashes, lengths, bounds, self._keys, self._stamp, self._generation, out)
        return out[:, 0], out[:, 1]


@inline
def _find(keys: Any, stamp: Any, generation: Any, mask: Any, key: Any) -> Any:
    """Slot of ``key`` in the open-addressing table; free when its stamp is not of this generation."""
    slot = key & mask
    while stamp[slot] == generation and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@inline
def _mask(items: Any) -> Any:
    size = np.uint64(1024)
    while size < np.uint64(2 * items):
        size <<= np.uint64(1)
    return size - np.uint64(1)


@njit
def _ngrams(unit_hash, unit_length, bounds, characters, keys, stamp, count, generation, out):  # type: ignore[no-untyped-def]
    longest = np.int64(0)
    for d in range(len(bounds) - 1):
        longest = max(longest, bounds[d + 1] - bounds[d])
    gram = np.empty(longest, np.uint64)
    start_character = np.empty(longest + 1, np.int64)
    for d in range(len(bounds) - 1):
        first = bounds[d]
        n = bounds[d + 1] - first
        if n < 2:
            continue
        mask = _mask(n)
        start_character[0] = 0
        for i in range(n):
            gram[i] = unit_hash[first + i]
            start_character[i + 1] = start_character[i] + unit_length[first + i]
        for k in range(2, min(n, 10) + 1):
            generation += 1
            for i in range(n - k + 1):
                gram[i] = mix((gram[i] * _SALT) ^ unit_hash[first + i + k - 1])
            if k <= 4:
                best, best_characters = 1, np.int64(0)
                for i in range(n - k + 1):
                    slot = _find(keys, stamp, generation, mask, gram[i])
                    if stamp[slot] != generation:
                        stamp[slot], keys[slot], count[slot] = generation, gram[i], 1
                        continue
                    count[slot] += 1
                    length = start_character[i + k] - start_character[i]
                    if count[slot] > best or (count[slot] == best and length * best > best_characters):
                        best, best_characters = count[slot], length * count[slot]
                out[d, k] = min(best_characters, start_character[n]) / start_character[n]
            else:
                repeated, i = np.int64(0), 0
                while i < n - k + 1:
                    slot = _find(keys, stamp, generation, mask, gram[i])
                    if stamp[slot] == generation:
                        repeated += start_character[i + k] - start_character[i]
                        i += k
                    else:
                        stamp[slot], keys[slot] = generation, gram[i]
                        i += 1
                out[d, k] = repeated / start_character[n]
    return generation


@njit
def _duplicates(hashes, lengths, bounds, keys, stamp, generation, out):  # type: ignore[no-untyped-def]
    for d in range(len(bounds) - 1):
        generation += 1
        mask = _mask(bounds[d + 1] - bounds[d])
        for i in range(bounds[d], bounds[d + 1]):
            slot = _find(keys, stamp, generation, mask, hashes[i])
            if stamp[slot] == generation:
                out[d, 0] += 1
                out[d, 1] += lengths[i]
            else:
                stamp[slot], keys[slot] = generation, hashes[i]
    return generation

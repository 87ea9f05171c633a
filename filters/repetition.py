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


class HashTable:
    """Scratch of the kernels that count equal things inside one document: open addressing with a generation stamp.

    A slot is a key and, beside it in the same cache line, its stamp and count (stamp << 32 | count). It is free unless
    its stamp is of the generation under way, so that a new document needs no clearing.
    """

    def __init__(self) -> None:
        self.generation = 0
        self.slots = np.zeros((0, 2), np.uint64)

    def reserve(self, items: int) -> None:
        """Make room for that many different items of one document at a load of at most a half."""
        capacity = 1 << max(10, (2 * items - 1).bit_length())
        if len(self.slots) < capacity or self.generation > _LAST_GENERATION:
            self.slots = np.zeros((max(capacity, len(self.slots)), 2), np.uint64)
            self.generation = 0


_LAST_GENERATION = 1 << 31
"""Stamps have 32 bits; the table is cleared long before they run out."""
_COUNT = np.uint64(0xFFFFFFFF)
_STAMP_SHIFT = np.uint64(32)


class RepetitionCounter:
    """Computes the signals batch by batch, reusing its hash table."""

    def __init__(self) -> None:
        self._table = HashTable()

    def ngrams(self, scan: Scan) -> dict[str, np.ndarray]:
        """Fractions float64[n] of unit characters in the most frequent 2..4-gram and in duplicate 5..10-grams."""
        n = len(scan.counts)
        out = np.zeros((n, _LARGEST + 1), np.float64)
        table = self._table
        table.reserve(int(np.diff(scan.unit_bounds).max(initial=1)))
        table.generation = _ngrams(scan.unit_hash, scan.unit_length, scan.unit_bounds, scan.column("unit_characters"),
                                   table.slots, table.generation, out)  # fmt: skip
        return {f"top_{k}_gram": out[:, k] for k in TOP_SIZES} | {
            f"duplicate_{k}_gram": out[:, k] for k in DUPLICATE_SIZES
        }

    def duplicates(self, hashes: np.ndarray, lengths: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Items (lines or paragraphs) seen before in their document: their number and characters, int64[n] each."""
        table = self._table
        table.reserve(int(np.diff(bounds).max(initial=1)))
        out = np.zeros((len(bounds) - 1, 2), np.int64)
        table.generation = _duplicates(hashes, lengths, bounds, table.slots, table.generation, out)
        return out[:, 0], out[:, 1]


@inline
def find(slots: Any, generation: Any, mask: Any, key: Any) -> Any:
    """Number of the slot of ``key``, or of the free slot where it belongs."""
    slot = key & mask
    while slots[slot, 1] >> _STAMP_SHIFT == generation and slots[slot, 0] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@inline
def add(slots: Any, generation: Any, mask: Any, key: Any) -> Any:
    """Count one more of ``key``; returns how many there are now."""
    slot = find(slots, generation, mask, key)
    state = slots[slot, 1] + np.uint64(1)
    if (state >> _STAMP_SHIFT) != generation:
        slots[slot, 0] = key
        state = (generation << _STAMP_SHIFT) | np.uint64(1)
    slots[slot, 1] = state
    return np.int64(state & _COUNT)


@inline
def table_mask(items: Any) -> Any:
    """Mask of the part of the table that a document of so many items uses: small documents stay in the cache."""
    size = np.uint64(1024)
    while size < np.uint64(2 * items):
        size <<= np.uint64(1)
    return size - np.uint64(1)


@njit
def _ngrams(unit_hash, unit_length, bounds, characters, slots, generation, out):  # type: ignore[no-untyped-def]
    longest = np.int64(0)
    generation = np.uint64(generation)
    for d in range(len(bounds) - 1):
        longest = max(longest, bounds[d + 1] - bounds[d])
    gram = np.empty(longest, np.uint64)
    start_character = np.empty(longest + 1, np.int64)
    for d in range(len(bounds) - 1):
        first = bounds[d]
        n = bounds[d + 1] - first
        if n < 2:
            continue
        mask = table_mask(n)
        start_character[0] = 0
        for i in range(n):
            gram[i] = unit_hash[first + i]
            start_character[i + 1] = start_character[i] + unit_length[first + i]
        for k in range(2, min(n, 10) + 1):
            generation += np.uint64(1)
            for i in range(n - k + 1):
                gram[i] = mix((gram[i] * _SALT) ^ unit_hash[first + i + k - 1])
            if k <= 4:
                best, best_characters = np.int64(1), np.int64(0)
                for i in range(n - k + 1):
                    count = add(slots, generation, mask, gram[i])
                    if count > 1 and count >= best:
                        length = (start_character[i + k] - start_character[i]) * count
                        if count > best or length > best_characters:
                            best, best_characters = count, length
                out[d, k] = min(best_characters, start_character[n]) / start_character[n]
            else:
                repeated, i = np.int64(0), 0
                while i < n - k + 1:
                    slot = find(slots, generation, mask, gram[i])
                    if slots[slot, 1] >> _STAMP_SHIFT == generation:
                        repeated += start_character[i + k] - start_character[i]
                        i += k
                    else:
                        slots[slot, 0], slots[slot, 1] = gram[i], generation << _STAMP_SHIFT
                        i += 1
                out[d, k] = repeated / start_character[n]
    return generation


@njit
def _duplicates(hashes, lengths, bounds, slots, generation, out):  # type: ignore[no-untyped-def]
    generation = np.uint64(generation)
    for d in range(len(bounds) - 1):
        generation += np.uint64(1)
        mask = table_mask(bounds[d + 1] - bounds[d])
        for i in range(bounds[d], bounds[d + 1]):
            if add(slots, generation, mask, hashes[i]) > 1:
                out[d, 0] += 1
                out[d, 1] += lengths[i]
    return generation

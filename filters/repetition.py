"""Repetition inside a document: Gopher's signals (Rae et al. 2021, arXiv:2112.11446, table A1), on unit hashes; and how
varied its units are, which the same counts tell.

N-grams are of units (`curation.text.scan`), so they need no separator and mean the same in every script: fractions are
of the characters inside units, never above 1. A most frequent n-gram must occur twice to count. Duplicate n-grams are
measured in two ways, since the thresholds in use were set for different ones: the paper's, the characters of all
occurrences of n-grams that occur more than once, no character counted twice; and datatrove's (whose thresholds FineWeb
and FineWeb-2 published), the characters of their second and later occurrences, found by walking through the text and
jumping over each.
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
_SEEN, _OFTEN = np.uint64(1 << 31), np.uint64((1 << 31) - 1)
"""A bit of the count that marks an n-gram as met already on a second walk, and the bits below it."""


LOGARITHMS = np.log(np.maximum(np.arange(1 << 12), 1))
"""Of the counts that are met all the time, for entropies; that of 0 is never used."""


class RepetitionCounter:
    """Computes the signals batch by batch, reusing its hash table."""

    def __init__(self) -> None:
        self._table = HashTable()

    def ngrams(self, scan: Scan) -> dict[str, np.ndarray]:
        """Of n documents, float64[n] each: fractions of unit characters in the most frequent 2..4-gram and in duplicate
        5..10-grams; different units / units, and the entropy of the units in nats."""
        n = len(scan.counts)
        out = np.zeros((_LARGEST + 1, n), np.float64)
        later = np.zeros((_LARGEST + 1, n), np.float64)
        table = self._table
        table.reserve(int(np.diff(scan.unit_bounds).max(initial=1)))
        table.generation = _ngrams(scan.unit_hash, scan.unit_length, scan.unit_bounds, LOGARITHMS, table.slots,
                                   table.generation, out, later)  # fmt: skip
        return (
            {"unique_unit_ratio": out[0], "unit_entropy": out[1]}
            | {f"top_{k}_gram": out[k] for k in TOP_SIZES}
            | {f"duplicate_{k}_gram": out[k] for k in DUPLICATE_SIZES}
            | {f"duplicate_{k}_gram_later": later[k] for k in DUPLICATE_SIZES}
        )

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
def add_slot(slots: Any, generation: Any, mask: Any, key: Any) -> Any:
    """Count one more of ``key``; returns how many there are now, and the number of its slot."""
    slot = find(slots, generation, mask, key)
    state = slots[slot, 1] + np.uint64(1)
    if (state >> _STAMP_SHIFT) != generation:
        slots[slot, 0] = key
        state = (generation << _STAMP_SHIFT) | np.uint64(1)
    slots[slot, 1] = state
    return np.int64(state & _COUNT), slot


@inline
def add(slots: Any, generation: Any, mask: Any, key: Any) -> Any:
    """Count one more of ``key``; returns how many there are now."""
    return add_slot(slots, generation, mask, key)[0]


@inline
def logarithm(logarithms: Any, count: Any) -> Any:
    """Natural logarithm of a count above 0; ``logarithms``: `LOGARITHMS`."""
    return logarithms[count] if count < len(logarithms) else np.log(count)


@inline
def table_mask(items: Any) -> Any:
    """Mask of the part of the table that a document of so many items uses: small documents stay in the cache."""
    size = np.uint64(1024)
    while np.uint64(3) * size < np.uint64(4 * items):  # at most three quarters full, were all items different
        size <<= np.uint64(1)
    return size - np.uint64(1)


@njit
def _ngrams(unit_hash, unit_length, bounds, logarithms, slots, generation, out, later):  # type: ignore[no-untyped-def]
    """Fill out and later float64[11, n], whose row k is about k-grams; rows 0 and 1 of out about the units themselves.

    A k-gram occurs twice only where both (k-1)-grams inside it do, so each size looks at few places but for the first.
    """
    longest = np.int64(0)
    generation = np.uint64(generation)
    for d in range(len(bounds) - 1):
        longest = max(longest, bounds[d + 1] - bounds[d])
    # 32 bits each: a document has fewer than 2**32 characters, and with many units these arrays are what takes memory.
    place = np.empty(longest + 1, np.uint32)  # where k-grams begin that may occur twice, ascending
    gram = np.empty(longest + 1, np.uint64)  # hash of the k-gram there
    slot = np.empty(longest + 1, np.uint32)
    before = np.empty(longest + 1, np.uint32)  # characters before each unit
    before[0] = 0
    for d in range(len(bounds) - 1):
        first = bounds[d]
        n = bounds[d + 1] - first
        if n == 0:
            continue
        mask = table_mask(n)
        generation += np.uint64(1)
        different = 0
        for i in range(n):
            before[i + 1] = before[i] + unit_length[first + i]
            count, slot[i] = add_slot(slots, generation, mask, unit_hash[first + i])
            different += count == 1
        places, logarithm_sum = 0, 0.0
        for i in range(n):
            count = np.int64(slots[slot[i], 1] & _COUNT)
            if count > 1:
                logarithm_sum += logarithm(logarithms, count)
                place[places], gram[places] = i, unit_hash[first + i]
                places += 1
        out[0, d], out[1, d] = different / n, max(np.log(n) - logarithm_sum / n, 0.0)

        for k in range(2, min(n, _LARGEST) + 1):
            generation += np.uint64(1)
            best, best_characters, candidates = np.int64(1), np.int64(0), 0
            for j in range(places - 1):
                i = np.int64(place[j])
                if place[j + 1] != i + 1:
                    continue
                key = mix((gram[j] * _SALT) ^ unit_hash[first + i + k - 1])
                place[candidates], gram[candidates] = i, key
                count, slot[candidates] = add_slot(slots, generation, mask, key)
                candidates += 1
                if k <= 4 and count > 1 and count >= best:
                    length = (before[i + k] - before[i]) * count
                    if count > best or length > best_characters:
                        best, best_characters = count, length
            # Keep the places of those that do occur twice.
            places = 0
            covered, jumped, characters, later_characters = 0, 0, np.int64(0), np.int64(0)
            for j in range(candidates):
                state = slots[slot[j], 1]
                if state & _OFTEN <= np.uint64(1):
                    continue
                i = np.int64(place[j])
                place[places], gram[places] = i, gram[j]
                places += 1
                if k > 4:
                    characters += before[i + k] - before[max(i, covered)]
                    covered = i + k
                    if i >= jumped:
                        if state & _SEEN:
                            later_characters += before[i + k] - before[i]
                            jumped = i + k
                        else:
                            slots[slot[j], 1] = state | _SEEN
            if k <= 4:
                out[k, d] = min(best_characters, before[n]) / before[n]
            else:
                out[k, d], later[k, d] = characters / before[n], later_characters / before[n]
            if places == 0:
                break
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

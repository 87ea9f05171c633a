"""Compiled byte-level BPE: merging the bytes of a pretoken by the ranks of its pairs.

The pair of the lowest rank is merged, of equal ones the leftmost, until no pair of neighbours is a merge (Sennrich et
al. 2016, arXiv:1508.07909), as ``tokenizers`` does. Up to SHORT bytes the lowest is found by looking at all pairs, which
is fastest for words; above that by a tree of minima, so that n bytes take O(n log n) whatever they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenizer.memory import compiled
from tokenizer.pretokens import characters_of_bytes

SHORT = 128
"""Bytes."""
MOST_TOKENS = (1 << 21) - 1
MOST_MERGES = (1 << 22) - 1
_NO_RANK = np.int64(MOST_MERGES)
_FREE = np.uint64(0xFFFF_FFFF_FFFF_FFFF)  # of no pair, as its ids would be MOST_TOKENS
_LEFT, _RANK_BITS = np.uint64(43), np.uint64(22)
_RANK = np.uint64(MOST_MERGES)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, TAOCP 3, section 6.4)
_POSITION_BITS = 32
_POSITION = (1 << _POSITION_BITS) - 1
_NO_PAIR = np.int64(MOST_MERGES << _POSITION_BITS)


class Merges(NamedTuple):
    """The merges of a vocabulary, for compiled code."""

    byte_ids: NDArray[np.int32]  # [256]
    byte_ranks: NDArray[np.int32]  # [65536]: of each pair of bytes
    pairs: NDArray[np.uint64]  # [2**k]: hash table of left id, right id and rank in one number
    shift: np.uint64  # 64 - k
    results: NDArray[np.int32]  # [merges]: the id made by each rank


class Scratch(NamedTuple):
    """Room to merge a pretoken of ``ids.size`` bytes."""

    ids: NDArray[np.int32]
    next: NDArray[np.int32]
    previous: NDArray[np.int32]
    keys: NDArray[np.int64]  # rank and position of the pair that starts at each byte; in a tree above SHORT bytes


def build_merges(vocabulary: Mapping[str, int], merges: Sequence[Sequence[str]]) -> Merges:
    """The ``merges`` in order of rank, in the spelling of ``vocab.json``; of a pair listed twice the last rank counts.

    Raises KeyError for a byte or part without a token, and ValueError when there are more than MOST_TOKENS ids or
    MOST_MERGES merges.
    """
    if len(merges) > MOST_MERGES or max(vocabulary.values()) >= MOST_TOKENS:
        raise ValueError(f"The tables hold ids below {MOST_TOKENS:,} and {MOST_MERGES:,} merges.")
    byte_ids = np.array([vocabulary[character] for character in characters_of_bytes()], np.int32)
    lefts = np.array([vocabulary[left] for left, _ in merges], np.int64)
    rights = np.array([vocabulary[right] for _, right in merges], np.int64)
    results = np.array([vocabulary[left + right] for left, right in merges], np.int32)
    bits = max(8, int(2 * len(merges)).bit_length())  # at most half full
    table = np.full(1 << bits, _FREE, np.uint64)
    shift = np.uint64(64 - bits)
    _put_pairs(table, shift, lefts, rights)
    byte_ranks = np.empty(1 << 16, np.int32)
    _rank_bytes(byte_ids, table, shift, byte_ranks)
    return Merges(byte_ids, byte_ranks, table, shift, results)


def scratch(length: int) -> Scratch:
    """Room for pretokens of up to ``length`` bytes."""
    leaves = 1 << max(length - 1, 1).bit_length()
    ids, after, before = (np.empty(length, np.int32) for _ in range(3))
    return Scratch(ids, after, before, np.empty(2 * leaves, np.int64))


@compiled
def _put_pairs(pairs, shift, lefts, rights):  # type: ignore[no-untyped-def]
    mask = pairs.size - 1
    for rank in range(lefts.size):
        key = (np.uint64(lefts[rank]) << _LEFT) | (np.uint64(rights[rank]) << _RANK_BITS)
        slot = np.int64((key * _SPREAD) >> shift)
        while pairs[slot] != _FREE and pairs[slot] & ~_RANK != key:
            slot = (slot + 1) & mask
        pairs[slot] = key | np.uint64(rank)


@compiled
def _rank(pairs, shift, left, right):  # type: ignore[no-untyped-def]
    """The rank of a pair of ids, _NO_RANK when it is no merge."""
    key = (np.uint64(left) << _LEFT) | (np.uint64(right) << _RANK_BITS)
    slot = np.int64((key * _SPREAD) >> shift)
    while True:
        entry = pairs[slot]
        if entry == _FREE:
            return _NO_RANK
        if entry & ~_RANK == key:
            return np.int64(entry & _RANK)
        slot = (slot + 1) & (pairs.size - 1)


@compiled
def _rank_bytes(byte_ids, pairs, shift, ranks):  # type: ignore[no-untyped-def]
    for left in range(256):
        for right in range(256):
            ranks[left << 8 | right] = _rank(pairs, shift, byte_ids[left], byte_ids[right])


@compiled
def merge_bytes(data, start, end, merges, scratch, out, filled):  # type: ignore[no-untyped-def]
    """Write the ids of the pretoken ``data[start:end]`` to ``out`` from ``filled`` on; returns the index after them.

    ``scratch`` must have room for its bytes.
    """
    length = end - start
    byte_ids, byte_ranks, pairs, shift, results = merges
    ids, after, before, keys = scratch
    for i in range(length):
        ids[i], after[i], before[i] = byte_ids[data[start + i]], i + 1, i - 1
    leaves = 0
    if length > SHORT:
        leaves = 1
        while leaves < length:
            leaves *= 2
    for i in range(length - 1):
        rank = np.int64(byte_ranks[np.int64(data[start + i]) << 8 | np.int64(data[start + i + 1])])
        keys[leaves + i] = rank << _POSITION_BITS | i
    for i in range(length - 1, leaves if leaves else length):
        keys[leaves + i] = _NO_PAIR
    for i in range(leaves - 1, 0, -1):
        keys[i] = min(keys[2 * i], keys[2 * i + 1])
    while True:
        lowest = keys[1]
        if leaves == 0:
            lowest = _NO_PAIR
            for i in range(length):
                lowest = min(lowest, keys[i])
        if lowest >= _NO_PAIR:
            break
        i = lowest & _POSITION
        absorbed = after[i]
        right = after[absorbed]
        left = before[i]
        ids[i] = results[lowest >> _POSITION_BITS]
        after[i] = right
        _set(keys, leaves, absorbed, _NO_PAIR)
        key = _NO_PAIR
        if right < length:
            before[right] = i
            key = _rank(pairs, shift, ids[i], ids[right]) << _POSITION_BITS | i
        _set(keys, leaves, i, key)
        if left >= 0:
            _set(keys, leaves, left, _rank(pairs, shift, ids[left], ids[i]) << _POSITION_BITS | left)
    i = np.int64(0)
    while i < length:
        out[filled] = ids[i]
        filled += 1
        i = np.int64(after[i])
    return filled


@compiled
def _set(keys, leaves, i, key):  # type: ignore[no-untyped-def]
    """Change the key of position ``i``, and the minima above it if there is a tree."""
    keys[leaves + i] = key
    node = (leaves + i) >> 1
    while leaves and node:
        keys[node] = min(keys[2 * node], keys[2 * node + 1])
        node >>= 1

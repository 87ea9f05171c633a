"""Compiled byte-level BPE: merging the bytes of a pretoken by the ranks of its pairs.

The pair of the lowest rank is merged, of equal ones the leftmost, until no pair of neighbours is a merge (Sennrich et
al. 2016, arXiv:1508.07909), as ``tokenizers`` does. Looking a pair up in the table of merges takes longest, as the
table does not fit into the nearest cache. So words are merged in LANES at a time, one step of each in turn: what one
asks for arrives while the others work. There the lowest rank is found by looking at all pairs; in pretokens above SHORT
bytes by a tree of minima, so that n bytes take O(n log n) whatever they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenizer.memory import aligned, at, compiled, inlined, prefetch
from tokenizer.pretokens import characters_of_bytes

LANES = 8
SHORT = 128
"""Bytes."""
MOST_TOKENS = (1 << 21) - 1
MOST_MERGES = (1 << 22) - 1
_NO_RANK = np.int64(MOST_MERGES)
_FREE = np.uint64(0xFFFF_FFFF_FFFF_FFFF)  # no pair, as its ids would be MOST_TOKENS
_LEFT, _RANK_BITS = np.uint64(43), np.uint64(22)
_RANK = np.uint64(MOST_MERGES)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, TAOCP 3, section 6.4)
_BUCKET = 8  # pairs in a cache line
_POSITION_BITS = 32
_POSITION = (1 << _POSITION_BITS) - 1
_NO_PAIR = np.int64(MOST_MERGES << _POSITION_BITS)
_LANE_BITS = 7  # of a position below SHORT
_LANE_POSITION = SHORT - 1
_NO_LANE_PAIR = np.int32(MOST_MERGES << _LANE_BITS)
_NUMBER, _LENGTH, _MERGED = range(3)  # columns of the state of lanes
_ENTRY_BITS = np.uint64(32)
_ENTRY_LENGTH = np.uint64((1 << 32) - 1)


class Merges(NamedTuple):
    """The merges of a vocabulary, for compiled code."""

    byte_ids: NDArray[np.int32]  # [256]
    byte_ranks: NDArray[np.int32]  # [65536]: of each pair of bytes
    pairs: NDArray[np.uint64]  # [2**k]: hash table of left id, right id and rank in one number
    shift: np.uint64  # 64 - k
    results: NDArray[np.int32]  # [merges]: the id made by each rank


class Lanes(NamedTuple):
    """Pretokens of up to SHORT bytes that are being merged."""

    ids: NDArray[np.int32]  # [LANES, SHORT]
    keys: NDArray[np.int32]  # [LANES, SHORT]: rank and position of the pair that starts at each id
    state: NDArray[np.int64]  # [LANES, 3]: number of the pretoken, how many ids it has, position last merged or -1


class Room(NamedTuple):
    """Room to merge pretokens, one above SHORT bytes of ``ids.size`` bytes."""

    lanes: Lanes

    ids: NDArray[np.int32]
    after: NDArray[np.int32]  # the byte at which the next token starts
    before: NDArray[np.int32]
    keys: NDArray[np.int64]  # minima; in the leaves rank and position of the pair that starts at each byte


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
    bits = max(8, int(2 * len(merges)).bit_length() - 3)  # at most half full
    table = aligned(_BUCKET << bits, np.uint64)
    table[:] = _FREE
    shift = np.uint64(64 - bits)
    _put_pairs(table, shift, lefts, rights)
    byte_ranks = np.empty(1 << 16, np.int32)
    _rank_bytes(byte_ids, table, shift, byte_ranks)
    return Merges(byte_ids, byte_ranks, table, shift, results)


def room_for(length: int) -> Room:
    """Room for pretokens of up to ``length`` bytes, more than SHORT."""
    ids, after, before = (np.empty(length, np.int32) for _ in range(3))
    lanes = Lanes(
        np.empty((LANES, SHORT), np.int32), np.empty((LANES, SHORT), np.int32), np.empty((LANES, 3), np.int64)
    )
    return Room(lanes, ids, after, before, np.empty(2 << (length - 1).bit_length(), np.int64))


@inlined
def _pair(left, right):  # type: ignore[no-untyped-def]
    return (np.uint64(left) << _LEFT) | (np.uint64(right) << _RANK_BITS)


@inlined
def _bucket(pair, shift):  # type: ignore[no-untyped-def]
    """The index of the first entry of the pair's bucket."""
    return np.int64((pair * _SPREAD) >> shift) * _BUCKET


@compiled
def _put_pairs(pairs, shift, lefts, rights):  # type: ignore[no-untyped-def]
    for rank in range(lefts.size):
        pair = _pair(lefts[rank], rights[rank])
        i = _bucket(pair, shift)
        while pairs[at(i)] != _FREE and pairs[at(i)] & ~_RANK != pair:
            i = (i + 1) & (pairs.size - 1)
        pairs[at(i)] = pair | np.uint64(rank)


@inlined
def _rank(pairs, shift, pair):  # type: ignore[no-untyped-def]
    """The rank of a pair, _NO_RANK when it is no merge."""
    i = _bucket(pair, shift)
    while True:
        # The entry of the pair differs from it in the rank alone. Comparing all entries beats a guess at which it is.
        least = _RANK
        for k in range(_BUCKET):
            least = min(least, pairs[at(i + k)] ^ pair)
        if least < _RANK or pairs[at(i + _BUCKET - 1)] == _FREE:
            return np.int64(least)
        i = (i + _BUCKET) & (pairs.size - 1)


@compiled
def _rank_bytes(byte_ids, pairs, shift, ranks):  # type: ignore[no-untyped-def]
    for left in range(256):
        for right in range(256):
            ranks[left << 8 | right] = _rank(pairs, shift, _pair(byte_ids[left], byte_ids[right]))


@compiled
def merge_all(data, ends, first, merges, room, ids, filled, entries):  # type: ignore[no-untyped-def]
    """Merge the pretokens ``data[ends[number]:ends[number + 1]]`` from number ``first`` on.

    Writes their ids to ``ids`` from ``filled`` on, and where to ``entries``, uint64 (see `entry_of`). ``room`` must
    hold the longest, ``ids`` as many as they have bytes. Returns how far ``ids`` is filled.
    """
    number = first
    lanes = room.lanes
    lanes.state[:, _NUMBER] = -1
    working = True
    while working:
        working = False
        for lane in range(LANES):
            if lanes.state[lane, _NUMBER] >= 0:
                if _step(merges, lanes, lane):
                    working = True
                    continue
                length = lanes.state[lane, _LENGTH]
                for i in range(length):
                    ids[at(filled + i)] = lanes.ids[lane, i]
                filled = _enter(entries, lanes.state[lane, _NUMBER], ids, filled, filled + length)
                lanes.state[lane, _NUMBER] = -1
            while number < ends.size - 1 and ends[number + 1] - ends[number] > SHORT:
                stop = _merge_long(data, ends[number], ends[number + 1], merges, room, ids, filled)
                filled = _enter(entries, number, ids, filled, stop)
                number += 1
            if number < ends.size - 1:
                _open(data, ends[number], ends[number + 1], merges, lanes, lane)
                lanes.state[lane, _NUMBER] = number
                number += 1
                working = True
    return filled


@inlined
def _enter(entries, number, ids, filled, stop):  # type: ignore[no-untyped-def]
    """Note that the pretoken has the ids from ``filled`` to ``stop``; returns where the next may be written."""
    if stop == filled + 1:
        entries[number] = entry_of(ids[filled], 1)
        return filled
    entries[number] = entry_of(filled, stop - filled)
    return stop


@inlined
def entry_of(value, length):  # type: ignore[no-untyped-def]
    """The entry of a pretoken of ``length`` ids: the id if it is one, else where they begin."""
    return np.uint64(value) << _ENTRY_BITS | np.uint64(length)


@inlined
def entry_value(entry):  # type: ignore[no-untyped-def]
    """The id, or where the ids begin, and how many they are."""
    return np.int64(entry >> _ENTRY_BITS), np.int64(entry & _ENTRY_LENGTH)


@inlined
def _open(data, start, end, merges, lanes, lane):  # type: ignore[no-untyped-def]
    """Give the lane the bytes of a pretoken."""
    length = end - start
    for i in range(length):
        lanes.ids[lane, i] = merges.byte_ids[data[at(start + i)]]
    for i in range(length - 1):
        rank = merges.byte_ranks[np.int64(data[at(start + i)]) << 8 | np.int64(data[at(start + i + 1)])]
        lanes.keys[lane, i] = rank << _LANE_BITS | i
    lanes.state[lane, _LENGTH], lanes.state[lane, _MERGED] = length, -1


@inlined
def _step(merges, lanes, lane):  # type: ignore[no-untyped-def]
    """Merge one pair of the lane and ask for the ranks of the two pairs this makes; False when there is none left."""
    ids, keys = lanes.ids[lane], lanes.keys[lane]
    length, i = lanes.state[lane, _LENGTH], lanes.state[lane, _MERGED]
    if i >= 0:
        if i + 1 < length:
            rank = _rank(merges.pairs, merges.shift, _pair(ids[at(i)], ids[at(i + 1)]))
            keys[at(i)] = rank << _LANE_BITS | i
        if i > 0:
            rank = _rank(merges.pairs, merges.shift, _pair(ids[at(i - 1)], ids[at(i)]))
            keys[at(i - 1)] = rank << _LANE_BITS | (i - 1)
    lowest = _NO_LANE_PAIR
    for k in range(length - 1):
        lowest = min(lowest, keys[k])
    if lowest >= _NO_LANE_PAIR:
        return False
    i = np.int64(lowest & _LANE_POSITION)
    length -= 1
    ids[at(i)] = merges.results[at(lowest >> _LANE_BITS)]
    for k in range(i + 1, length):
        ids[at(k)], keys[at(k)] = ids[at(k + 1)], keys[at(k + 1)] - 1  # at a position less
    lanes.state[lane, _LENGTH], lanes.state[lane, _MERGED] = length, i
    if i + 1 < length:
        prefetch(merges.pairs, _bucket(_pair(ids[at(i)], ids[at(i + 1)]), merges.shift))
    if i > 0:
        prefetch(merges.pairs, _bucket(_pair(ids[at(i - 1)], ids[at(i)]), merges.shift))
    return True


@compiled
def _merge_long(data, start, end, merges, room, out, filled):  # type: ignore[no-untyped-def]
    """Write the ids of ``data[start:end]`` to ``out`` from ``filled`` on; returns the index after them."""
    length = end - start
    _, ids, after, before, keys = room
    leaves = np.int64(1)
    while leaves < length:
        leaves *= 2
    keys[leaves : 2 * leaves] = _NO_PAIR
    for i in range(length):
        ids[at(i)], after[at(i)], before[at(i)] = merges.byte_ids[data[at(start + i)]], i + 1, i - 1
    for i in range(length - 1):
        rank = np.int64(merges.byte_ranks[np.int64(data[at(start + i)]) << 8 | np.int64(data[at(start + i + 1)])])
        keys[at(leaves + i)] = rank << _POSITION_BITS | i
    for node in range(leaves - 1, 0, -1):
        keys[at(node)] = min(keys[at(2 * node)], keys[at(2 * node + 1)])
    while keys[1] < _NO_PAIR:
        i = keys[1] & _POSITION
        absorbed = np.int64(after[at(i)])
        right, left = np.int64(after[at(absorbed)]), np.int64(before[at(i)])
        ids[at(i)] = merges.results[keys[1] >> _POSITION_BITS]
        after[at(i)] = right
        key = _NO_PAIR
        if right < length:
            before[at(right)] = i
            key = _rank(merges.pairs, merges.shift, _pair(ids[at(i)], ids[at(right)])) << _POSITION_BITS | i
        _set_leaf(keys, leaves + i, key)
        _set_leaf(keys, leaves + absorbed, _NO_PAIR)
        if left >= 0:
            key = _rank(merges.pairs, merges.shift, _pair(ids[at(left)], ids[at(i)])) << _POSITION_BITS | left
            _set_leaf(keys, leaves + left, key)
    i = np.int64(0)
    while i < length:
        out[at(filled)] = ids[at(i)]
        filled += 1
        i = np.int64(after[at(i)])
    return filled


@inlined
def _set_leaf(keys, node, key):  # type: ignore[no-untyped-def]
    """Change a leaf and the minima above it."""
    keys[at(node)] = key
    node >>= 1
    while node:
        keys[at(node)] = min(keys[at(2 * node)], keys[at(2 * node + 1)])
        node >>= 1

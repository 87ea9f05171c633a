"""Packing plans: which pieces of which documents fill each window of T tokens.

`best_fit` puts every document that fits into one window, whole: pieces in order of falling length, each into the
window with the least room that still takes it (best-fit decreasing; Ding et al. 2024, Fewer Truncations Improve
Language Modeling, arXiv:2404.10830). `concatenated` lays documents end to end and cuts every T tokens. Both use every
token of every document exactly once, so the distribution of text is that of the documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

njit = nb.njit(cache=True, nogil=True)
Integers = NDArray[np.int64]


class Plan(NamedTuple):
    """Windows of pieces. Piece p is tokens [start[p], start[p] + length[p]) of document[p], counted in the document."""

    bounds: Integers  # int64[windows+1]: the pieces of window w are [bounds[w], bounds[w+1])
    document: Integers  # int64[pieces]
    start: Integers  # int64[pieces]
    length: NDArray[np.int32]  # int32[pieces]

    @property
    def windows(self) -> int:
        return len(self.bounds) - 1


def best_fit(documents: Integers, lengths: Integers, capacity: int) -> Plan:
    """Pack documents into windows of ``capacity`` tokens; only longer ones are cut, into full windows and a rest.

    Args:
        documents: int64[n], their numbers; windows keep them in this order.
        lengths: int64[n] tokens; documents without tokens are left out.
        capacity: T.
    """
    full, rest = np.divmod(lengths, capacity)
    count = full + (rest > 0)
    owner = np.repeat(np.arange(len(lengths)), count)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    start = place * capacity
    length = np.minimum(lengths[owner] - start, capacity)
    order = np.argsort(-length, kind="stable")
    window = np.empty(len(length), np.int64)
    windows = _best_fit(length[order], capacity, window)
    of_piece = np.empty(len(length), np.int64)
    of_piece[order] = window
    by_window = np.argsort(of_piece, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(of_piece, minlength=windows))]).astype(np.int64)
    return Plan(bounds, documents[owner][by_window], start[by_window], length[by_window].astype(np.int32))


def concatenated(documents: Integers, lengths: Integers, capacity: int) -> Plan:
    """Cut the documents, laid end to end in their order, every ``capacity`` tokens; the last window may be shorter."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.arange(0, total, capacity)
    borders = np.union1d(cuts, (ends - lengths)[lengths > 0])
    owner = np.searchsorted(ends, borders, side="right")
    length = np.diff(np.append(borders, total))
    bounds = np.append(np.searchsorted(borders, cuts), len(borders)).astype(np.int64)
    return Plan(bounds, documents[owner], borders - (ends - lengths)[owner], length.astype(np.int32))


def joined(plans: Sequence[Plan]) -> Plan:
    """The windows of all plans, one plan after the other."""
    pieces = np.cumsum([0] + [len(plan.document) for plan in plans])
    bounds = np.concatenate([plan.bounds[:-1] + first for plan, first in zip(plans, pieces, strict=False)])
    columns = (np.concatenate([plan[i] for plan in plans]) for i in (1, 2, 3))
    return Plan(np.append(bounds, pieces[-1]), *columns)


PACKINGS = {"best_fit": best_fit, "concatenate": concatenated}


@njit
def _best_fit(length, capacity, window):  # type: ignore[no-untyped-def]
    """The window of each piece, lengths falling; windows with equal room are a stack. Returns their number.

    ``words`` has a bit for each amount of room that some window has, ``summary`` one for each of its words that is not
    0: the least room that suffices is found in two steps for windows up to 4,096 tokens, a few more beyond.
    """
    head = np.full(capacity + 1, -1, np.int64)
    below = np.full(len(length), -1, np.int64)
    words = np.zeros(capacity // 64 + 1, np.uint64)
    summary = np.zeros(len(words) // 64 + 1, np.uint64)
    one = np.uint64(1)
    windows = 0
    for piece in range(len(length)):
        need = length[piece]
        room = _next_set(words, summary, need)
        if room < 0:
            taken, left = windows, capacity - need
            windows += 1
        else:
            taken, left = head[room], room - need
            head[room] = below[taken]
            if head[room] < 0:
                words[room >> 6] &= ~(one << np.uint64(room & 63))
                if words[room >> 6] == 0:
                    summary[room >> 12] &= ~(one << np.uint64((room >> 6) & 63))
        window[piece] = taken
        if left:
            below[taken] = head[left]
            head[left] = taken
            words[left >> 6] |= one << np.uint64(left & 63)
            summary[left >> 12] |= one << np.uint64((left >> 6) & 63)
    return windows


@njit
def _next_set(words, summary, first):  # type: ignore[no-untyped-def]
    """The lowest bit set in ``words`` at or after ``first``, or -1."""
    word = first >> 6
    if word >= len(words):
        return -1
    masked = words[word] & (~np.uint64(0) << np.uint64(first & 63))
    if masked:
        return (word << 6) + _lowest(masked)
    word += 1
    top = word >> 6
    if top >= len(summary):
        return -1
    found = summary[top] & (~np.uint64(0) << np.uint64(word & 63))
    while found == 0:
        top += 1
        if top >= len(summary):
            return -1
        found = summary[top]
    word = (top << 6) + _lowest(found)
    return (word << 6) + _lowest(words[word])


@njit
def _lowest(value):  # type: ignore[no-untyped-def]
    """The number of the lowest bit set in a uint64 that is not 0."""
    bit = 0
    for step in (32, 16, 8, 4, 2, 1):
        mask = (np.uint64(1) << np.uint64(step)) - np.uint64(1)
        if value & mask == 0:
            value >>= np.uint64(step)
            bit += step
    return bit

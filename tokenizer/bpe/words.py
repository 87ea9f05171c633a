"""The distinct pretokens as sequences of tokens, in one flat buffer that merging shortens in place.

A *word* is a header of HEADER symbols (its length, then the low and the high half of its count) and its tokens. Words
lie one after the other in ``symbols`` int32; a word is known by the index of its header. When merging shortens a word,
the rest of its room stays unused.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tokenizer.bpe.counts import arrays
from tokenizer.bpe.pair_table import FREE, pair_key, pair_of, pair_table, slot_of

HEADER = 3
MOST_SYMBOLS = 2**31 - 1
"""Words are known by signed 32-bit numbers."""
_NEVER = np.int64(2**62)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFF_FFFF)


def build_words(table: pa.Table, byte_tokens: NDArray[np.int32], merges: NDArray[np.int32]) -> NDArray[np.int32]:
    """The pretokens of a count table as words, after ``merges``.

    ``byte_tokens`` int32[256]: the token of each byte; ``merges`` int32[m, 3]: left, right and result, in the order
    they are applied, every pair once. Words of a single token and words with the count 0 are left out.
    Raises ValueError for pretokens that together are too long.
    """
    data, offsets, counts = arrays(table)
    room = int(offsets[-1] - offsets[0]) + HEADER * counts.size
    if room > MOST_SYMBOLS:
        raise ValueError(
            f"The {counts.size:,} distinct pretokens need {room:,} symbols, more than {MOST_SYMBOLS:,}: "
            "drop or cut up rare ones first (back_off)."
        )
    symbols = np.empty(room, np.int32)
    longest = int(np.diff(offsets).max(initial=0))
    used = _fill(data, offsets, counts, byte_tokens, merge_ranks(merges), symbols, np.empty(longest, np.int64))
    return symbols[:used]


def merge_ranks(merges: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pair table of merges int32[m, 3] (left, right, result); a value is rank and result as `pair_key` packs them."""
    table = pair_table(1 << max(4, (3 * len(merges)).bit_length()))
    _fill_ranks(table, merges)
    return table


@njit(cache=True, nogil=True)
def _fill_ranks(table, merges):  # type: ignore[no-untyped-def]
    for rank in range(merges.shape[0]):
        slot = slot_of(table, pair_key(merges[rank, 0], merges[rank, 1]))
        table[slot, 0] = pair_key(merges[rank, 0], merges[rank, 1])
        table[slot, 1] = pair_key(rank, merges[rank, 2])


@njit(cache=True)
def _rank(ranks, left, right):  # type: ignore[no-untyped-def]
    slot = slot_of(ranks, pair_key(left, right))
    return _NEVER if ranks[slot, 0] == FREE else ranks[slot, 1]


@njit(cache=True, nogil=True)
def apply_merges(symbols, start, length, ranks, scratch):  # type: ignore[no-untyped-def]
    """Apply the merges in order of rank to ``symbols[start : start + length]`` in place; returns the new length.

    Each round looks for the merge of the lowest rank and applies it from left to right. ``scratch`` int64[length].
    """
    for i in range(length - 1):
        scratch[i] = _rank(ranks, symbols[start + i], symbols[start + i + 1])
    while length > 1:
        best = _NEVER
        for i in range(length - 1):
            best = min(best, scratch[i])
        if best == _NEVER:
            break
        result = np.int32(pair_of(best)[1])
        read, write = np.int64(0), np.int64(0)
        while read < length:
            if read + 1 < length and scratch[read] == best:
                symbols[start + write] = result
                read += 2
                merged = True
            else:
                symbols[start + write] = symbols[start + read]
                read += 1
                merged = False
            # scratch[write] still is the rank of a pair that was read, unless one of its two tokens is a new one.
            scratch[write] = -1 if merged else scratch[read - 1]
            if write > 0 and merged:
                scratch[write - 1] = -1
            write += 1
        length = write
        for i in range(length - 1):
            if scratch[i] == -1:
                scratch[i] = _rank(ranks, symbols[start + i], symbols[start + i + 1])
    return length


@njit(cache=True, nogil=True)
def _fill(data, offsets, counts, byte_tokens, ranks, symbols, scratch):  # type: ignore[no-untyped-def]
    end = np.int64(0)
    any_merges = False
    for slot in range(ranks.shape[0]):
        any_merges |= ranks[slot, 0] != FREE
    for row in range(counts.size):
        if counts[row] == 0:
            continue
        first = end + HEADER
        length = offsets[row + 1] - offsets[row]
        for i in range(length):
            symbols[first + i] = byte_tokens[data[offsets[row] + i]]
        if any_merges:
            length = apply_merges(symbols, first, length, ranks, scratch)
        if length < 2:
            continue
        symbols[end] = length
        symbols[end + 1] = np.int32(np.uint32(counts[row] & _LOW))
        symbols[end + 2] = np.int32(counts[row] >> _HALF)
        end = first + length
    return end


@njit(cache=True)
def word_count(symbols, word):  # type: ignore[no-untyped-def]
    """How often the word occurs, int64."""
    return np.int64(np.uint32(symbols[word + 1])) | (np.int64(symbols[word + 2]) << np.int64(32))

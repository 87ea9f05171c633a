"""The compiled loop of BPE: take the most frequent pair, merge it in its words, count what became of its neighbours.

The loop never makes an array. Where one is too small it stops with a status, the caller replaces the array by a larger
one (`engine`), and the loop goes on where it was; ``state`` holds where. Each merge has three stages: CHOOSE the pair
and merge it in its words, RECOUNT the pairs that came and went, ENQUEUE the new ones.

Changes are first added up per neighbouring token in dense arrays, so that the hash table of pairs is touched once per
distinct pair and not once per occurrence. Most time goes into waiting for words scattered over memory, hence the
prefetching.

Algorithm: Sennrich et al. 2016 (arXiv:1508.07909) with lists of the words of each pair and a queue whose entries are
refreshed when they reach its top.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tokenizer.bpe.pair_table import FREE, LOAD, change, lose, pair_key, pair_of, slot_of
from tokenizer.bpe.queue import COUNT, KEY, PLACE, drop_first, put, sift_down, sift_up
from tokenizer.bpe.tokens import append_joined, find_joined, may_merge
from tokenizer.bpe.words import HEADER, word_count
from tokenizer.memory import at, compiled, prefetch

# What ``run`` returns.
FINISHED, PAUSED, TOO_RARE, GROW_TOKENS, GROW_LOG, GROW_SCRATCH, GROW_PAIRS, GROW_QUEUE, GROW_POSTINGS = range(9)
# The entries of ``state``, int64.
STAGE, TOKENS, MERGES, QUEUED, POSTED, PAIRS, LOST_BEFORE, LOST_AFTER, GAINED, PLACED, NEEDED, REUSED = range(12)
STATE_SIZE = 12
CHOOSE, RECOUNT, ENQUEUE = range(3)  # of state[STAGE]
_AHEAD = 12  # words to prefetch; measured, flat from 8 to 16


LEFT, RIGHT, RESULT, FREQUENCY = range(4)  # the columns of the log of merges, int64[room, 4]
BEFORE, AFTER = 0, 1  # the sides of a merged pair
PAIR, OCCURRENCES, WORDS, LAST_WORD = range(4)  # the columns of Changes.gained


class Changes(NamedTuple):
    """What one merge of (left, right) into new changes: lost are pairs (x, left) and (right, y), gained are pairs
    (x, new) and (new, y), for the neighbours x BEFORE and y AFTER."""

    lost: NDArray[np.int64]  # [2, tokens]: occurrences lost, per side and neighbour
    neighbours: NDArray[np.int32]  # [2, tokens]: per side, the neighbours with occurrences lost
    gained_index: NDArray[np.int32]  # [2, tokens]: per side and neighbour, the row of ``gained``, or -1
    gained: NDArray[np.int64]  # [pairs, 4]: pair (see `pair_key`), occurrences, words it is in, the last such word
    placed_pair: NDArray[np.int32]  # row by row, which gained pair is in ...
    placed_word: NDArray[np.int32]  # ... which word


@compiled
def _merge_words(  # type: ignore[no-untyped-def]
    symbols, postings, first, end, left, right, new, lost, neighbours, gained_index, gained, placed_pair, placed_word,
    sizes,
):  # fmt: skip
    """Merge (left, right) into ``new`` in the words ``postings[first:end]``.

    ``sizes`` int64[4] becomes the number of neighbours before and after, of gained pairs and of their places.
    """
    sizes[:] = 0
    pairs, placed = np.int64(0), np.int64(0)
    for p in range(first, end):
        if p + _AHEAD < end:
            prefetch(symbols, np.int64(postings[at(p + _AHEAD)]))
        word = np.int64(postings[at(p)])
        start = word + HEADER
        stop = start + np.int64(symbols[at(word)])
        read = start
        while read + 1 < stop and not (symbols[at(read)] == left and symbols[at(read + 1)] == right):
            read += 1
        if read + 1 >= stop:
            continue
        count = word_count(symbols, word)
        write = read
        while read < stop:
            symbol = symbols[at(read)]
            if symbol != left or read + 1 >= stop or symbols[at(read + 1)] != right:
                symbols[at(write)] = symbol
                write += 1
                read += 1
                continue
            for side in range(2):
                if side == BEFORE:
                    if write == start:
                        continue
                    neighbour = symbols[at(write - 1)]
                    key = pair_key(neighbour, new)
                else:
                    if read + 2 >= stop:
                        continue
                    neighbour = symbols[at(read + 2)]
                    key = pair_key(new, neighbour)
                if lost[side, at(neighbour)] == 0:
                    neighbours[side, at(sizes[side])] = neighbour
                    sizes[side] += 1
                lost[side, at(neighbour)] += count
                pair = np.int64(gained_index[side, at(neighbour)])
                if pair < 0:
                    pair = pairs
                    pairs += 1
                    gained_index[side, at(neighbour)] = pair
                    if neighbour == new:
                        gained_index[1 - side, at(new)] = pair  # (new, new) is one pair from both sides
                    gained[at(pair), PAIR], gained[at(pair), OCCURRENCES] = key, 0
                    gained[at(pair), WORDS], gained[at(pair), LAST_WORD] = 0, -1
                gained[at(pair), OCCURRENCES] += count
                if gained[at(pair), LAST_WORD] != word:
                    gained[at(pair), LAST_WORD] = word
                    gained[at(pair), WORDS] += 1
                    placed_pair[at(placed)], placed_word[at(placed)] = pair, word
                    placed += 1
            symbols[at(write)] = new
            write += 1
            read += 2
        symbols[at(word)] = write - start
    sizes[2], sizes[3] = pairs, placed


@njit(cache=True)
def _refresh_first(pairs, queue, queued, tokens, reuse):  # type: ignore[no-untyped-def]
    """Bring the pair to merge next to the top of the queue; returns the entries left, 0 when there is none.

    Without ``reuse``, pairs that would make a token there is already are dropped.
    """
    while queued > 0:
        current = pairs[slot_of(pairs, queue[0, KEY]), 1]
        if current > 0 and queue[0, COUNT] != current:
            queue[0, COUNT] = current
            sift_down(queue, 0, queued)
            continue
        left, right = pair_of(queue[0, KEY])
        if current > 0 and (reuse or find_joined(tokens, left, right) < 0):
            break
        queued = drop_first(queue, queued)
    return queued


@njit(cache=True)
def _symbols_of(symbols, postings, first, end):  # type: ignore[no-untyped-def]
    """The symbols in the words ``postings[first:end]``: no fewer than the places of new pairs can become."""
    total = np.int64(0)
    for p in range(first, end):
        total += symbols[postings[p]]
    return total


@njit(cache=True)
def _choose(symbols, tokens, pairs, queue, postings, changes, log, state, reuse, min_frequency, floor, script_table):  # type: ignore[no-untyped-def]
    """The first stage: merge the most frequent pair in its words and log it. PAUSED stands for "done, go on"."""
    if state[MERGES] == log.shape[0]:
        return GROW_LOG
    queued = state[QUEUED] = _refresh_first(pairs, queue, state[QUEUED], tokens, reuse)
    if queued == 0 or queue[0, COUNT] < max(floor, min_frequency):
        return TOO_RARE if floor > min_frequency else FINISHED
    left, right = pair_of(queue[0, KEY])
    first = queue[0, PLACE]
    end = first + postings[first - 1]
    state[NEEDED] = _symbols_of(symbols, postings, first, end)
    if state[NEEDED] > changes.placed_pair.size:
        return GROW_SCRATCH
    new = find_joined(tokens, left, right)
    if new < 0:
        new = state[TOKENS]
        size = tokens.ends[left + 1] - tokens.ends[left] + tokens.ends[right + 1] - tokens.ends[right]
        if tokens.ends[new] + size > tokens.data.size:
            state[NEEDED] = size
            return GROW_TOKENS
        append_joined(tokens, new, left, right, script_table)
        state[TOKENS] += 1
    elif floor > 1:
        return TOO_RARE  # a token that is there already gains pairs anew, of which rare ones may have been forgotten
    else:
        state[REUSED] += 1
    entry = log[state[MERGES]]
    entry[LEFT], entry[RIGHT], entry[RESULT], entry[FREQUENCY] = left, right, new, queue[0, COUNT]
    state[MERGES] += 1
    state[QUEUED] = drop_first(queue, queued)
    _merge_words(
        symbols, postings, first, end, np.int32(left), np.int32(right), np.int32(new),
        changes.lost, changes.neighbours, changes.gained_index, changes.gained, changes.placed_pair,
        changes.placed_word, state[LOST_BEFORE : PLACED + 1],
    )  # fmt: skip
    state[STAGE] = RECOUNT
    return PAUSED


@njit(cache=True)
def _recount(properties, pairs, changes, log, state, limit, floor):  # type: ignore[no-untyped-def]
    """The second stage: bring the table of pairs up to date; the counts of gained pairs become those of the table.

    Pairs that are new and rarer than ``floor`` are forgotten: a pair only loses occurrences once it is there.
    """
    if state[PAIRS] + state[GAINED] > LOAD * pairs.shape[0]:
        return GROW_PAIRS
    left, right = log[state[MERGES] - 1, LEFT], log[state[MERGES] - 1, RIGHT]
    gained, gained_index, lost, neighbours = changes.gained, changes.gained_index, changes.lost, changes.neighbours
    added = np.int64(0)
    for i in range(state[GAINED]):
        x, y = pair_of(gained[i, PAIR])
        gained_index[BEFORE, x] = -1
        gained_index[AFTER, y] = -1
        if gained[i, OCCURRENCES] >= floor and may_merge(properties[x], properties[y], limit):
            added += change(pairs, gained[i, PAIR], gained[i, OCCURRENCES])
        else:
            gained[i, OCCURRENCES] = 0
    for i in range(state[LOST_BEFORE]):
        x = neighbours[BEFORE, i]
        if may_merge(properties[x], properties[left], limit):
            lose(pairs, pair_key(x, left), lost[BEFORE, x])
        lost[BEFORE, x] = 0
    for i in range(state[LOST_AFTER]):
        y = neighbours[AFTER, i]
        if may_merge(properties[right], properties[y], limit):
            lose(pairs, pair_key(right, y), lost[AFTER, y])
        lost[AFTER, y] = 0
    needed = np.int64(0)
    for i in range(state[GAINED]):
        if gained[i, OCCURRENCES] > 0:
            gained[i, OCCURRENCES] = pairs[slot_of(pairs, gained[i, PAIR]), 1]
        if gained[i, OCCURRENCES] >= floor:
            needed += gained[i, WORDS] + 1
    state[PAIRS] += added
    state[NEEDED] = needed
    state[STAGE] = ENQUEUE
    return PAUSED


@njit(cache=True)
def _enqueue(queue, postings, changes, state, floor):  # type: ignore[no-untyped-def]
    """The third stage: queue the gained pairs, and list the words of each in ``postings`` after their number."""
    if state[QUEUED] + state[GAINED] > queue.shape[0]:
        return GROW_QUEUE
    if state[POSTED] + state[NEEDED] > postings.size:
        return GROW_POSTINGS
    gained, placed_pair, placed_word = changes.gained, changes.placed_pair, changes.placed_word
    top, queued = state[POSTED], state[QUEUED]
    for i in range(state[GAINED]):
        if gained[i, OCCURRENCES] < floor:
            gained[i, WORDS] = -1
            continue
        words = gained[i, WORDS]
        postings[top] = words
        put(queue, queued, gained[i, OCCURRENCES], gained[i, PAIR], top + 1)
        sift_up(queue, queued)
        queued += 1
        gained[i, WORDS] = top + 1  # from here on, where the next of its words goes
        top += 1 + words
    for i in range(state[PLACED]):
        pair = placed_pair[i]
        if gained[pair, WORDS] >= 0:
            postings[gained[pair, WORDS]] = placed_word[i]
            gained[pair, WORDS] += 1
    state[POSTED], state[QUEUED] = top, queued
    state[STAGE] = CHOOSE
    return PAUSED


@njit(cache=True, nogil=True)
def run(  # type: ignore[no-untyped-def]
    symbols, tokens, pairs, queue, postings, changes, log, state, reuse, min_frequency, floor, limit, script_table,
    most_tokens, most_merges,
):  # fmt: skip
    """Merge until there are ``most_tokens`` tokens (FINISHED) or ``most_merges`` merges (PAUSED), or see above.

    ``reuse``: a pair that makes a token there is already is merged into that token (as ``tokenizers`` does) rather than
    never. ``limit``: of the length of tokens. ``min_frequency`` 1 or more: pairs below it are not merged. ``floor`` 1
    or more: pairs that appear with fewer occurrences are forgotten, and where these may matter the loop stops as
    TOO_RARE.
    """
    while True:
        if state[STAGE] == CHOOSE:
            if state[TOKENS] >= most_tokens:
                return FINISHED
            if state[MERGES] >= most_merges:
                return PAUSED
            status = _choose(
                symbols, tokens, pairs, queue, postings, changes, log, state, reuse, min_frequency, floor, script_table
            )
        elif state[STAGE] == RECOUNT:
            status = _recount(tokens.properties, pairs, changes, log, state, limit, floor)
        else:
            status = _enqueue(queue, postings, changes, state, floor)
        if status != PAUSED:
            return status


@njit(cache=True, nogil=True)
def count_pairs(symbols, properties, pairs, last_word, words, limit):  # type: ignore[no-untyped-def]
    """Count the pairs of all words in the empty table ``pairs``; returns how many there are, or -1 for lack of room.

    Per slot of the table, ``last_word`` int32 starts as -1 and ``words`` int64 as 0, and becomes the number of words.
    """
    used = np.int64(0)
    word = np.int64(0)
    while word < symbols.size:
        count = word_count(symbols, word)
        stop = word + HEADER + symbols[word]
        for i in range(word + HEADER, stop - 1):
            if not may_merge(properties[symbols[i]], properties[symbols[i + 1]], limit):
                continue
            key = pair_key(symbols[i], symbols[i + 1])
            slot = slot_of(pairs, key)
            if pairs[slot, 0] == FREE:
                if used + 1 > LOAD * pairs.shape[0]:
                    return np.int64(-1)
                pairs[slot, 0] = key
                used += 1
            pairs[slot, 1] += count
            if last_word[slot] != word:
                last_word[slot] = word
                words[slot] += 1
        word = stop
    return used


@njit(cache=True, nogil=True)
def list_words(symbols, pairs, last_word, words, queue, postings, floor):  # type: ignore[no-untyped-def]
    """Queue all pairs that occur ``floor`` times and list their words; returns entries of ``queue`` and ``postings``.

    ``last_word`` and ``words`` as `count_pairs` left them; they are used up.
    """
    queued, top = np.int64(0), np.int64(0)
    for slot in range(pairs.shape[0]):
        if pairs[slot, 1] >= floor:
            put(queue, queued, pairs[slot, 1], pairs[slot, 0], top + 1)
            queued += 1
            postings[top] = words[slot]
            top += 1 + words[slot]
            words[slot] = top - words[slot]
        last_word[slot] = -1
    word = np.int64(0)
    while word < symbols.size:
        stop = word + HEADER + symbols[word]
        for i in range(word + HEADER, stop - 1):
            slot = slot_of(pairs, pair_key(symbols[i], symbols[i + 1]))
            if pairs[slot, 1] >= floor and last_word[slot] != word:
                last_word[slot] = word
                postings[words[slot]] = word
                words[slot] += 1
        word = stop
    return queued, top


@njit(cache=True, nogil=True)
def live_postings(queue, queued, postings):  # type: ignore[no-untyped-def]
    """Entries of ``postings`` that belong to queued pairs."""
    live = np.int64(0)
    for i in range(queued):
        live += postings[queue[i, PLACE] - 1] + 1
    return live


@njit(cache=True, nogil=True)
def compact(queue, queued, postings, larger):  # type: ignore[no-untyped-def]
    """Copy the postings of the queued pairs to ``larger``; returns how much of it is used."""
    top = np.int64(0)
    for i in range(queued):
        first = queue[i, PLACE]
        number = np.int64(postings[first - 1])
        larger[top : top + number + 1] = postings[first - 1 : first + number]
        queue[i, PLACE] = top + 1
        top += number + 1
    return top

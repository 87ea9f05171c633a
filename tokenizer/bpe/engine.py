"""Runs the compiled merge loop: sets up its arrays, grows them when they are full, stops for reports on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tokenizer.bpe import merge_kernel as kernel
from tokenizer.bpe.counts import arrays
from tokenizer.bpe.merge_kernel import Changes
from tokenizer.bpe.pair_table import LOAD, count_live, move, pair_table
from tokenizer.bpe.queue import heapify
from tokenizer.bpe.tokens import build_tokens
from tokenizer.bpe.words import build_words

NO_LIMIT = 2**31 - 1


class Rules(NamedTuple):
    """What the loop may merge; see `tokens` for the meaning."""

    min_frequency: int  # 1 or more
    longest_token: int  # characters if whole_characters, else bytes
    whole_characters: bool
    reuse_tokens: bool
    script_table: NDArray[np.uint64]  # uint64[0x110000], or empty to merge across scripts


def frequency_floor(table: pa.Table, size: int, rules: Rules) -> int:
    """A frequency below which no pair is merged on the way to ``size`` tokens, 1 or more; nearly always.

    When the most frequent pair left occurs f times, every pretoken that occurs more often has become one token, and
    different pretokens are different tokens. So f is no lower than the count of the pretoken at rank ``size`` + 1,
    among those that can become one token. An eighth is added to the rank for pretokens that cannot because tokens of
    their parts were made in other ways. Pairs rarer than the floor need not be kept: seven of eight.
    """
    if rules.script_table.size:
        return 1
    offsets, counts = arrays(table)[1:]
    counts = counts[np.diff(offsets) <= rules.longest_token]
    rank = size + size // 8
    return max(1, int(np.partition(counts, -rank - 1)[-rank - 1])) if counts.size > rank else 1


class Engine:
    """Merges pairs of tokens in the words of a count table until it is stopped."""

    def __init__(
        self,
        table: pa.Table,
        tokens: Sequence[bytes],
        byte_tokens: NDArray[np.int32],
        merges: NDArray[np.int32],
        most_tokens: int,
        rules: Rules,
        floor: int = 1,
    ) -> None:
        """Start with ``tokens``, of which ``byte_tokens`` int32[256] are the bytes, and ``merges`` int32[m, 3] applied.

        ``most_tokens`` is the number of tokens to stop at. Pairs that appear with fewer than ``floor`` occurrences are
        forgotten. Raises ValueError for too many pretokens.
        """
        self._rules = rules
        self._floor = floor
        self._most_tokens = most_tokens
        self.too_rare = False
        """Whether merging stopped because pairs rarer than ``floor`` may matter from there on."""
        room = max(most_tokens, len(tokens)) + 1
        self._tokens = build_tokens(
            tokens, room, whole_characters=rules.whole_characters, script_table=rules.script_table
        )
        self._symbols = build_words(table, byte_tokens, merges)
        self._log = np.empty((room, 4), np.int64)
        self._changes = _changes(room)
        self._state = np.zeros(kernel.STATE_SIZE, np.int64)
        self._state[kernel.TOKENS] = len(tokens)
        self._count_pairs()

    def run(self, pause_every: int) -> Iterator[int]:
        """Merge to the end; yields the number of merges made every ``pause_every`` merges and at the end."""
        while True:
            pause = (self.merges_made // pause_every + 1) * pause_every
            status = kernel.PAUSED
            while True:
                status = kernel.run(
                    self._symbols, self._tokens, self._pairs, self._queue, self._postings, self._changes, self._log,
                    self._state, self._rules.reuse_tokens, self._rules.min_frequency, self._floor,
                    self._rules.longest_token, self._rules.script_table, self._most_tokens, pause,
                )  # fmt: skip
                if status in (kernel.FINISHED, kernel.TOO_RARE, kernel.PAUSED):
                    break
                self._grow(status)
            yield self.merges_made
            if status != kernel.PAUSED:
                self.too_rare = status == kernel.TOO_RARE
                return

    @property
    def merges_made(self) -> int:
        return int(self._state[kernel.MERGES])

    @property
    def tokens_reused(self) -> int:
        """How many merges made a token that there was already."""
        return int(self._state[kernel.REUSED])

    def log(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The merges made, int32[m, 3] of left, right and result, and the count of each pair, int64[m]."""
        log = self._log[: self.merges_made]
        return log[:, : kernel.FREQUENCY].astype(np.int32), log[:, kernel.FREQUENCY].copy()

    def tokens(self) -> list[bytes]:
        """The bytes of all tokens."""
        count = int(self._state[kernel.TOKENS])
        ends = self._tokens.ends[: count + 1].tolist()
        data = self._tokens.data[: ends[-1]].tobytes()
        return [data[a:b] for a, b in zip(ends, ends[1:], strict=False)]

    def _count_pairs(self) -> None:
        """Count the pairs of all words, list their words and queue them."""
        size = 1 << 17
        used = -1
        while used < 0:
            size *= 2
            self._pairs = pair_table(size)
            last_word, words = np.full(size, -1, np.int32), np.zeros(size, np.int64)
            used = kernel.count_pairs(
                self._symbols, self._tokens.properties, self._pairs, last_word, words, self._rules.longest_token
            )
        frequent = self._pairs[:, 1] >= self._floor
        pairs, listed = int(frequent.sum()), int(words[frequent].sum())
        self._queue = np.empty((max(1 << 16, pairs + pairs // 2), 3), np.int64)
        # Room that is never touched costs no memory, a copy into a larger array does.
        self._postings = np.empty(max(1 << 16, (pairs + listed) * 2), np.int32)
        queued, top = kernel.list_words(
            self._symbols, self._pairs, last_word, words, self._queue, self._postings, self._floor
        )
        heapify(self._queue, queued)
        self._state[[kernel.QUEUED, kernel.POSTED, kernel.PAIRS]] = queued, top, used

    def _grow(self, status: int) -> None:
        """Replace the array that ``status`` names by a larger one."""
        needed = int(self._state[kernel.NEEDED])
        if status == kernel.GROW_TOKENS:
            data = self._tokens.data
            self._tokens = self._tokens._replace(data=_longer(data, 2 * data.size + needed))
        elif status == kernel.GROW_LOG:
            self._log = _longer(self._log, 2 * len(self._log))
        elif status == kernel.GROW_SCRATCH:
            room = needed + needed // 2
            self._changes = self._changes._replace(
                placed_pair=np.empty(room, np.int32), placed_word=np.empty(room, np.int32)
            )
        elif status == kernel.GROW_PAIRS:
            self._grow_pairs(int(self._state[kernel.GAINED]))
        elif status == kernel.GROW_QUEUE:
            self._queue = _longer(self._queue, len(self._queue) * 3 // 2 + int(self._state[kernel.GAINED]))
        else:
            self._grow_postings(needed)

    def _grow_pairs(self, needed: int) -> None:
        live = int(count_live(self._pairs))
        size = len(self._pairs)
        while live + needed > LOAD * 0.75 * size:
            size *= 2
        larger = pair_table(size)
        move(self._pairs, larger)
        self._pairs = larger
        self._state[kernel.PAIRS] = live

    def _grow_postings(self, needed: int) -> None:
        """Drop the postings of merged pairs if they are many, else make room."""
        used, queued = int(self._state[kernel.POSTED]), int(self._state[kernel.QUEUED])
        live = int(kernel.live_postings(self._queue, queued, self._postings))
        if live > used * 3 // 4:
            self._postings = _longer(self._postings, (used + needed) * 4 // 3)
            return
        compacted = np.empty((live + needed) * 4 // 3, np.int32)
        self._state[kernel.POSTED] = kernel.compact(self._queue, queued, self._postings, compacted)
        self._postings = compacted


def _changes(room: int) -> Changes:
    return Changes(
        lost=np.zeros((2, room), np.int64),
        neighbours=np.empty((2, room), np.int32),
        gained_index=np.full((2, room), -1, np.int32),
        gained=np.empty((2 * room, 4), np.int64),
        placed_pair=np.empty(1 << 16, np.int32),
        placed_word=np.empty(1 << 16, np.int32),
    )


def _longer(array: NDArray[Any], size: int) -> NDArray[Any]:
    """A copy of ``array`` with room for ``size`` entries."""
    longer = np.empty((size, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer

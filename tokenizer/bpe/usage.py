"""What a vocabulary makes of a count table: how many tokens each pretoken takes, and how often each token is used.

Distinct pretokens are encoded once each, so text of any size is measured in the seconds that its count table takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tokenizer.bpe.counts import arrays
from tokenizer.bpe.vocabulary import Vocabulary, byte_positions
from tokenizer.bpe.words import apply_merges, merge_ranks


class Usage(NamedTuple):
    """Of n rows of a count table and the t tokens of a vocabulary."""

    lengths: NDArray[np.int64]  # [n]: tokens of the row's pretoken
    tokens: NDArray[np.int64]  # [t]: how often each token is used in the text that was counted


def usage(table: pa.Table, vocabulary: Vocabulary) -> Usage:
    """Encode every pretoken of a count table."""
    data, offsets, counts = arrays(table)
    lengths, used = np.zeros(counts.size, np.int64), np.zeros(len(vocabulary.tokens), np.int64)
    longest = int(np.diff(offsets).max(initial=0))
    byte_tokens, ranks = byte_positions(vocabulary.tokens), merge_ranks(vocabulary.merges)
    _encode(data, offsets, counts, byte_tokens, ranks, np.empty(longest, np.int32), np.empty(longest, np.int64),
            lengths, used)  # fmt: skip
    return Usage(lengths, used)


def tokens_by(table: pa.Table, vocabulary: Vocabulary, column: str = "language") -> dict[str, int]:
    """Tokens of the text that was counted, by the values of ``column``, in their order."""
    tokens = usage(table, vocabulary).lengths * table["count"].to_numpy().astype(np.int64)
    grouped = pa.table({column: table[column], "tokens": tokens}).group_by(column, use_threads=False)
    found = grouped.aggregate([("tokens", "sum")]).sort_by(column)
    return dict(zip(found[column].to_pylist(), found["tokens_sum"].to_pylist(), strict=True))


def rare_tokens(vocabulary: Vocabulary, used: NDArray[np.int64], least: Sequence[int] = (1, 5)) -> dict[int, int]:
    """How many of the tokens that merges made are used fewer times than each of ``least``.

    Such a token is a step on the way to longer ones (a scaffold). It cannot be taken out: a token that no merge needs
    is used as often as its pair was merged, so every token that falls out of use is a part of one that is used.
    """
    made = used[np.unique(vocabulary.merges[:, 2])]
    return {times: int((made < times).sum()) for times in least}


@njit(cache=True, nogil=True)
def _encode(data, offsets, counts, byte_tokens, ranks, symbols, scratch, lengths, used):  # type: ignore[no-untyped-def]
    for row in range(counts.size):
        length = offsets[row + 1] - offsets[row]
        for i in range(length):
            symbols[i] = byte_tokens[data[offsets[row] + i]]
        length = apply_merges(symbols, 0, length, ranks, scratch)
        lengths[row] = length
        for i in range(length):
            used[symbols[i]] += np.int64(counts[row])

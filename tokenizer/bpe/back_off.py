"""Rare pretokens: cut up where words are not written apart, then dropped.

More than half of all distinct pretokens occur once. Where words are written apart, dropping rare ones costs next to
nothing. In Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan a pretoken is a phrase or a sentence, nearly every
one is rare, and dropping them drops most of the text. So there rare pretokens are first cut into windows of twelve, six
and three characters, which are frequent enough to be kept and hold all that BPE learns from: short, frequent sequences.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from curation.text import unicode_tables
from curation.text.utf8 import buffers, decode
from tokenizer.bpe.counts import combined, merge
from tokenizer.pretoken_table import PretokenTable

WINDOWS = (12, 6, 3)
"""Characters. Chosen by measurement: with a threshold of 5, Chinese, Japanese and Thai keep 96 to 100 % of their bytes
per token where dropping loses 16 to 40 %."""
_TIBETAN = (0x0F00, 0x1000)
_UNSPACED, _JOINS_LEFT, _JOINS_RIGHT = 1, 2, 4


def back_off(table: pa.Table, at_least: int) -> pa.Table:
    """The count table without pretokens that occur fewer than ``at_least`` times, over all languages and domains.

    Those with a character of a script without spaces are first cut into windows of at most WINDOWS characters, one
    size after the other as long as they are rare, and never inside an orthographic cluster (before a mark, say), which
    may make a window longer. Raises ValueError when ``at_least`` is less than 1.
    """
    if at_least < 1:
        raise ValueError(f"at_least is {at_least}, but every pretoken of a count table occurs once or more.")
    for window in WINDOWS:
        table = merge(cut_rare(table, at_least, window))
    return frequent(table, at_least).combine_chunks()


def cut_rare(table: pa.Table, at_least: int, window: int) -> tuple[pa.Table, pa.Table]:
    """The rows of a count table that are frequent enough, and the rare ones after one round of cutting (not summed)."""
    rare = _totals(table) < at_least
    return table.filter(pa.array(~rare)), _cut(table.filter(pa.array(rare)), window)


def frequent(table: pa.Table, at_least: int) -> pa.Table:
    """The rows whose pretoken occurs ``at_least`` times over all languages and domains."""
    return table.filter(pa.array(_totals(table) >= at_least))


def _totals(table: pa.Table) -> NDArray[np.uint64]:
    """How often each row's pretoken occurs in all groups together, uint64[n]."""
    offsets, data = buffers(combined(table["pretoken"]))
    numbers = PretokenTable().add_whole(data, offsets)
    totals = np.zeros(int(numbers.max(initial=-1)) + 1, np.uint64)
    np.add.at(totals, numbers, table["count"].to_numpy())
    return totals[numbers]


def _cut(table: pa.Table, window: int) -> pa.Table:
    """The rows with every pretoken of a script without spaces cut into windows of ``window`` characters."""
    offsets, data = buffers(combined(table["pretoken"]))
    ends, rows = _window_ends(data, offsets, _cutting_rules(), window)
    starts = np.concatenate([offsets[:1], ends])
    pieces = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), ends.size, [None, pa.py_buffer(starts), pa.py_buffer(data)]
    )
    repeated = table.take(pa.array(rows))
    return repeated.set_column(repeated.column_names.index("pretoken"), "pretoken", pieces)


@lru_cache(maxsize=1)
def _cutting_rules() -> NDArray[np.uint8]:
    """Per code point: whether its script is written without spaces, and to which side it may not be cut off."""
    classes = unicode_tables.load().properties & unicode_tables.CLASS_MASK
    rules = np.zeros(classes.size, np.uint8)
    unspaced = (unicode_tables.HAN, unicode_tables.HIRAGANA, unicode_tables.KATAKANA, unicode_tables.CLUSTER)
    rules[np.isin(classes, unspaced)] |= _UNSPACED
    rules[slice(*_TIBETAN)] |= _UNSPACED
    marks = (unicode_tables.MARK, unicode_tables.CLUSTER_SUFFIX, unicode_tables.STACKER, unicode_tables.JOINER)
    rules[np.isin(classes, marks)] |= _JOINS_LEFT
    before = (unicode_tables.CLUSTER_PREFIX, unicode_tables.STACKER, unicode_tables.JOINER)
    rules[np.isin(classes, before)] |= _JOINS_RIGHT
    return rules


@njit(cache=True, nogil=True)
def _window_ends(data, offsets, rules, window):  # type: ignore[no-untyped-def]
    """Where each window ends, int64[m], and of which row it is, int64[m]; rows in other scripts are one window."""
    ends = np.empty(offsets[-1] - offsets[0], np.int64)
    rows = np.empty(ends.size, np.int64)
    m = 0
    for row in range(offsets.size - 1):
        i, end = offsets[row], offsets[row + 1]
        unspaced = False
        while i < end and not unspaced:
            code_point, i = decode(data, i)
            unspaced = rules[code_point] & _UNSPACED != 0
        i = offsets[row]
        characters = 0
        previous = np.uint8(0)
        while unspaced and i < end:
            code_point, after = decode(data, i)
            rule = rules[code_point]
            if characters >= window and not rule & _JOINS_LEFT and not previous & _JOINS_RIGHT:
                ends[m], rows[m] = i, row
                m += 1
                characters = 0
            previous = rule
            characters += 1
            i = after
        ends[m], rows[m] = end, row
        m += 1
    return ends[:m].copy(), rows[:m].copy()

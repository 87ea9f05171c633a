"""Substrings that stand in the text before, against a search of every window of bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup import substrings

SMALL = st.text("ab", max_size=40) | st.text("aé水😀 ", max_size=30)


def _found(texts: list[str], length: int) -> list[list[tuple[int, int]]]:
    """Spans of each document by the two rounds."""
    text, address = pa.array(texts, pa.large_string()), np.arange(len(texts), dtype=np.uint64) * 3 + 7
    seeds = pa.Table.from_batches([substrings.seeds(text, address, length)])
    places = pa.Table.from_batches([substrings.recurring(seeds)])
    windows = pa.Table.from_batches([substrings.windows_around(text, address, places, length)])
    again = pa.Table.from_batches([substrings.not_first(windows)])
    out: list[list[tuple[int, int]]] = [[] for _ in texts]
    for row, start, stop in zip(*substrings.covered(text, address, again, length), strict=True):
        out[row].append((int(start), int(stop)))
    return out


def _expected(texts: list[str], length: int) -> list[list[tuple[int, int]]]:
    seen: set[bytes] = set()
    out = []
    for text in texts:
        data = text.encode()
        flags = [False] * len(data)
        for at in range(len(data) - length + 1):
            window = data[at : at + length]
            if window in seen:
                flags[at : at + length] = [True] * length
            seen.add(window)
        # Windows that touch are one span; characters that are only partly inside are outside.
        spans, at = [], 0
        while at < len(data):
            stop = at
            while stop < len(data) and flags[stop]:
                stop += 1
            if stop > at:
                start, end = at, stop
                while start < len(data) and data[start] & 0xC0 == 0x80:
                    start += 1
                while end < len(data) and data[end] & 0xC0 == 0x80:
                    end -= 1
                spans += [(start, end)] if start < end else []
            at = max(stop, at + 1)
        out.append(spans)
    return out


@settings(deadline=None, max_examples=300)
@given(st.lists(SMALL, max_size=6), st.integers(4, 12))
def test_exactly_the_windows_that_stand_before_are_covered(texts: list[str], length: int) -> None:
    assert _found(texts, length) == _expected(texts, length)


def test_a_long_passage_is_cut_from_the_later_document_alone() -> None:
    generator = np.random.default_rng(1)
    first, second, shared = ("".join(map(chr, generator.integers(97, 123, n))) for n in (3000, 3000, 500))
    texts = [first + shared, second[:1000] + shared + second[1000:], first[:199]]
    found = _found(texts, 200)
    assert found[0] == [] and found[2] == []
    ((start, stop),) = found[1]
    assert 995 <= start <= 1000 and 1500 <= stop <= 1505
    assert len(substrings.seeds(pa.array(texts), np.arange(3, dtype=np.uint64), 200)) < sum(map(len, texts)) / 40

"""One pass over the UTF-8 buffer of a batch: characters, units, lines, paragraphs, sentences, and their hashes.

A *unit* is what stands for a word in every count, n-gram and shingle:

- a run of letters, marks and digits, with apostrophes inside (`don't`), in scripts that write spaces;
- one Han character; one run of hiragana; one run of katakana;
- one orthographic cluster in Thai, Lao, Burmese and Khmer: a consonant with its vowels and marks, a vowel written
  before it, consonants stacked below it, and in Burmese a following consonant that is killed by asat.

Marks always stay with their unit; a mark that follows none, such as a variation selector after an emoji, makes none.
Units are hashed over lower-case code points. `Scanner` reuses its buffers: the
arrays of a `Scan` are valid until the next batch is scanned.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import yaml

from curation.text import scan_kernel, unicode_tables, utf8
from curation.text.hash_table import hash_table
from curation.text.scan_columns import COUNTS, LINE_FACTS, SENTENCE_FACTS, SHORT_LINE
from curation.text.scan_kernel import mix

__all__ = ["BULLETS", "COUNTS", "LINE_FACTS", "SENTENCE_FACTS", "SHORT_LINE", "Scan", "Scanner", "mix"]

BULLETS = frozenset(map(ord, "•‣◦▪●⁃∙·-*–"))
_CLOSERS = frozenset(map(ord, "\"'”’»」』）)]】〉》"))
ABBREVIATIONS = Path(__file__).with_name("abbreviations.yaml")
_INDEX = {name: i for i, name in enumerate(COUNTS)}


class Scan(NamedTuple):
    """What one pass found in n documents."""

    counts: np.ndarray  # int64[n, len(COUNTS)]
    unit_hash: np.ndarray  # uint64[units of the batch]
    unit_length: np.ndarray  # int32[units]: code points
    unit_bounds: np.ndarray  # int64[n+1]: the units of document d are [bounds[d], bounds[d+1])
    line_hash: np.ndarray  # uint64[lines]: outer white space aside, and the kinds of inner white space alike
    line_length: np.ndarray  # int32[lines]: characters, outer white space aside
    line_bounds: np.ndarray  # int64[n+1]
    paragraph_hash: np.ndarray  # uint64[paragraphs]
    paragraph_length: np.ndarray  # int32[paragraphs]
    paragraph_bounds: np.ndarray  # int64[n+1]
    line_facts: np.ndarray  # int32[lines, len(LINE_FACTS)]
    sentence_facts: np.ndarray  # int32[sentences, len(SENTENCE_FACTS)]
    sentence_bounds: np.ndarray  # int64[n+1]

    def column(self, name: str) -> np.ndarray:
        """One column of `counts`: int64[n]."""
        column: np.ndarray = self.counts[:, _INDEX[name]]
        return column

    def line(self, name: str) -> np.ndarray:
        """One column of `line_facts`: int32[lines]."""
        column: np.ndarray = self.line_facts[:, LINE_FACTS.index(name)]
        return column

    def sentence(self, name: str) -> np.ndarray:
        """One column of `sentence_facts`: int32[sentences]."""
        column: np.ndarray = self.sentence_facts[:, SENTENCE_FACTS.index(name)]
        return column


class Scanner:
    """Scans batches, reusing its buffers from one to the next."""

    def __init__(self, abbreviations: np.ndarray | None = None) -> None:
        """``abbreviations``: hash table of the last units of abbreviations, by default of all 29 languages."""
        tables = unicode_tables.load()
        self._abbreviations = abbreviation_table() if abbreviations is None else abbreviations
        self._properties, self._lower = tables.properties, tables.lower
        self._bullets = _flag_table(BULLETS)
        self._closers = _flag_table(_CLOSERS)
        self._room = 0
        self._reserve(1 << 16)

    def _reserve(self, bytes_: int) -> None:
        # A unit, a line, a sentence and a paragraph each need at least one byte and one separator, or three bytes.
        room = bytes_ // 2 + 2
        if room <= self._room:
            return
        self._room = room
        self._hashes = self._lengths = []  # given back before more is asked for, else both count
        self._line_facts = self._sentence_facts = np.empty((0, 0), np.int32)
        self._hashes = [np.empty(room, np.uint64) for _ in range(3)]
        self._lengths = [np.empty(room, np.int32) for _ in range(3)]
        self._line_facts = np.empty((room, len(LINE_FACTS)), np.int32)
        self._sentence_facts = np.empty((room, len(SENTENCE_FACTS)), np.int32)

    def scan(self, text: pa.Array) -> Scan:
        """Scan a string array of valid UTF-8 without nulls."""
        offsets, data = utf8.buffers(text)
        n = len(text)
        self._reserve(int(offsets[-1] - offsets[0]) + n)
        counts = np.zeros((n, len(COUNTS)), np.int64)
        bounds = np.zeros((4, n + 1), np.int64)
        (units, lines, paragraphs), lengths = self._hashes, self._lengths
        scan_kernel.scan(offsets, data, self._properties, self._lower, self._bullets, self._closers,
                         self._abbreviations, counts, bounds, units, lengths[0], lines, lengths[1],
                         paragraphs, lengths[2], self._line_facts, self._sentence_facts)  # fmt: skip
        end = bounds[:, n]
        return Scan(counts, units[: end[0]], lengths[0][: end[0]], bounds[0], lines[: end[1]], lengths[1][: end[1]],
                    bounds[1], paragraphs[: end[2]], lengths[2][: end[2]], bounds[2],
                    self._line_facts[: end[1]], self._sentence_facts[: end[3]], bounds[3])  # fmt: skip


@lru_cache(maxsize=1)
def abbreviation_table() -> np.ndarray:
    """Hash table uint64[2**k] of the last units of the abbreviations in `abbreviations.yaml`, one letter ones aside."""
    texts = [text for language in yaml.safe_load(ABBREVIATIONS.read_text("utf-8")).values() for text in language]
    scan = Scanner(np.zeros(2, np.uint64)).scan(pa.array(texts, pa.large_string()))
    last = scan.unit_bounds[1:] - 1
    return hash_table(dict.fromkeys(scan.unit_hash[last][scan.unit_length[last] > 1].tolist(), 1))[0]


def _flag_table(codes: frozenset[int]) -> np.ndarray:
    table = np.zeros(0x10000, np.uint8)
    table[list(codes)] = 1
    return table

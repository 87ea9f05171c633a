"""Stop words of the 29 languages, counted on unit hashes.

A stop word of a script without spaces may be several units; it is found as that sequence of units wherever it stands.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.languages import CODES, LANGUAGES
from curation.text.hash_table import hash_table, look_up
from curation.text.scan import Scan, Scanner
from curation.text.utf8 import njit
from filters.unit_sequences import extend_key, language_seed, sequence_key, sequences

MAXIMUM_WORDS = 64
"""Of one language: a document's distinct stop words are one bit each of a 64-bit word."""


class StopWordTable(NamedTuple):
    """Open-addressing table of (language, unit sequence) -> position of the stop word in its language's list."""

    keys: np.ndarray  # uint64[2**k], 0 = free
    words: np.ndarray  # int64[2**k]
    longest: np.ndarray  # int64[29]: units of the language's longest stop word


@lru_cache(maxsize=1)
def table() -> StopWordTable:
    scanner = Scanner()
    entries: dict[int, int] = {}
    longest = np.zeros(len(CODES), np.int64)
    for number, language in enumerate(LANGUAGES.values()):
        assert len(language.stop_words) <= MAXIMUM_WORDS
        scan = scanner.scan(pa.array(language.stop_words, pa.large_string()))
        for word, units in enumerate(sequences(scan)):
            longest[number] = max(longest[number], len(units))
            entries.setdefault(int(sequence_key(units, number)), word)
    return StopWordTable(*hash_table(entries), longest)


def count(scan: Scan, language: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stop words of each document's language: occurrences and distinct ones, int64[n] each.

    ``language``: int64[n], index into `CODES`, or -1 for a language without stop words here (both counts are 0).
    """
    out = np.zeros((len(language), 2), np.int64)
    stop_words = table()
    _count(scan.unit_hash, scan.unit_bounds, language, stop_words.keys, stop_words.words, stop_words.longest, out)
    return out[:, 0], out[:, 1]


@njit
def _count(unit_hash, bounds, language, keys, words, longest, out):  # type: ignore[no-untyped-def]
    for d in range(len(bounds) - 1):
        if language[d] < 0:
            continue
        seed = language_seed(language[d])
        seen = np.uint64(0)
        for i in range(bounds[d], bounds[d + 1]):
            key = seed
            for j in range(i, min(i + longest[language[d]], bounds[d + 1])):
                key = extend_key(key, unit_hash[j])
                slot = look_up(keys, key)
                if keys[slot] == key:
                    out[d, 0] += 1
                    seen |= np.uint64(1) << np.uint64(words[slot])
        while seen:
            seen &= seen - np.uint64(1)
            out[d, 1] += 1

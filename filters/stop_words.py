"""Stop words of the 29 languages, counted on unit hashes.

A stop word of a script without spaces may be several units; it is found as that sequence of units wherever it stands.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from curation.languages import LANGUAGES
from curation.text.hash_table import look_up
from curation.text.scan import Scan
from curation.text.utf8 import njit
from filters.unit_sequences import SequenceTable, extend_key, language_seed, sequence_table

MAXIMUM_WORDS = 63
"""Of one language: each is one bit of an int64."""


@lru_cache(maxsize=1)
def table() -> SequenceTable:
    """The stop words of all languages; the bit of each is its place in the list of its language."""
    assert all(len(language.stop_words) <= MAXIMUM_WORDS for language in LANGUAGES.values())
    return sequence_table(
        (code, [text], 1 << word)
        for code, language in LANGUAGES.items()
        for word, text in enumerate(language.stop_words)
    )


def count(scan: Scan, language: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stop words of each document's language: occurrences and distinct ones, int64[n] each.

    ``language``: int64[n], index into `CODES`, or -1 for a language without stop words here (both counts are 0).
    """
    out = np.zeros((2, len(language)), np.int64)
    stop_words = table()
    _count(scan.unit_hash, scan.unit_bounds, language, stop_words.keys, stop_words.bits, stop_words.longest,
           stop_words.first_units, out)  # fmt: skip
    return out[0], out[1]


@njit
def _count(unit_hash, bounds, language, keys, bits, longest, first_units, out):  # type: ignore[no-untyped-def]
    filter_mask = np.uint64(len(first_units) - 1)
    for d in range(len(bounds) - 1):
        if language[d] < 0:
            continue
        seed = language_seed(language[d])
        seen, occurrences = np.int64(0), 0
        for i in range(bounds[d], bounds[d + 1]):
            if not first_units[unit_hash[i] & filter_mask]:
                continue
            key = seed
            for j in range(i, min(i + longest, bounds[d + 1])):
                key = extend_key(key, unit_hash[j])
                slot = look_up(keys, key)
                if keys[slot] != key:
                    break
                occurrences += bits[slot] != 0
                seen |= bits[slot]
        out[0, d] = occurrences
        while seen:
            seen &= seen - 1
            out[1, d] += 1

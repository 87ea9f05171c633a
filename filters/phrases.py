"""Boilerplate phrases of the 29 languages, found on unit hashes, line by line.

The phrases are in `filters/data/boilerplate_phrases.yaml` by category and language; those under ``any`` count in every
language. A line gets one bit for each category that has a phrase in it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import yaml

from curation.languages import CODES
from curation.text.hash_table import hash_table, look_up
from curation.text.scan import Scan, Scanner
from curation.text.utf8 import njit
from filters.unit_sequences import extend_key, language_seed, sequence_key, sequences

FILE = Path(__file__).parent / "data" / "boilerplate_phrases.yaml"
ANY = len(CODES)
"""Number that stands for every language."""
_FILTER_BITS = 16


class PhraseTable(NamedTuple):
    """Open-addressing table of (language, unit sequence) -> bits of the categories it belongs to."""

    categories: tuple[str, ...]
    keys: np.ndarray  # uint64[2**k], 0 = free
    bits: np.ndarray  # int64[2**k]
    longest: int  # units of the longest phrase
    first_units: np.ndarray  # bool[2**16]: whether a phrase begins with a unit whose hash ends in these bits


@lru_cache(maxsize=1)
def _phrases() -> dict[str, dict[str, list[str]]]:
    """Category to language to phrases, as they ship with the package."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader, where there is one, is eight times faster
    phrases: dict[str, dict[str, list[str]]] = yaml.load(FILE.read_text(encoding="utf-8"), loader)
    return phrases


def categories() -> tuple[str, ...]:
    """Names of the categories; needs no kernel, so that the names of the signals do not wait for one."""
    return tuple(_phrases())


@lru_cache(maxsize=1)
def table() -> PhraseTable:
    """The table of the phrases that ship with the package."""
    phrases = _phrases()
    entries: dict[int, int] = {}
    first_units = np.zeros(1 << _FILTER_BITS, bool)
    longest = 0
    scanner = Scanner()
    for category, by_language in enumerate(phrases.values()):
        for language, texts in by_language.items():
            number = ANY if language == "any" else CODES.index(language)
            scan = scanner.scan(pa.array(texts, pa.large_string()))
            for units in sequences(scan):
                key = int(sequence_key(units, number))
                entries[key] = entries.get(key, 0) | 1 << category
                first_units[units[0] & np.uint64((1 << _FILTER_BITS) - 1)] = True
                longest = max(longest, len(units))
    return PhraseTable(tuple(phrases), *hash_table(entries), longest, first_units)


def find(scan: Scan, language: np.ndarray) -> np.ndarray:
    """Bits of the categories found in each line: uint8[lines].

    ``language``: int64[n], index into `CODES`, or -1, for which only the phrases of every language count.
    """
    phrases = table()
    out = np.zeros(len(scan.line_hash), np.uint8)
    _find(scan.unit_hash, scan.line("units"), scan.line_bounds, scan.unit_bounds, language, phrases.keys, phrases.bits,
          phrases.longest, phrases.first_units, out)  # fmt: skip
    return out


@njit
def _find(unit_hash, line_units, line_bounds, unit_bounds, language, keys, bits, longest, first_units, out):  # type: ignore[no-untyped-def]
    filter_mask = np.uint64(len(first_units) - 1)
    for d in range(len(language)):
        unit = unit_bounds[d]
        for line in range(line_bounds[d], line_bounds[d + 1]):
            end = unit + line_units[line]
            for i in range(unit, end):
                if not first_units[unit_hash[i] & filter_mask]:
                    continue
                for number in (language[d], ANY):
                    if number < 0:
                        continue
                    key = language_seed(number)
                    for j in range(i, min(i + longest, end)):
                        key = extend_key(key, unit_hash[j])
                        slot = look_up(keys, key)
                        if keys[slot] == key:
                            out[line] |= np.uint8(bits[slot])
            unit = end

"""Words and phrases as sequences of unit hashes, found again in a text by one hash-table look-up a unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from curation.languages import CODES
from curation.text.hash_table import hash_table, look_up
from curation.text.scan import Scan, Scanner, mix
from curation.text.utf8 import inline, njit

ANY = len(CODES)
"""Number that stands for every language."""
_SALT = np.uint64(0x9E3779B97F4A7C15)
_FILTER_BITS = 16


class SequenceTable(NamedTuple):
    """Open-addressing table of (language, unit sequence) -> bits; 0 for the beginnings of longer sequences."""

    keys: np.ndarray  # uint64[2**k], 0 = free
    bits: np.ndarray  # int64[2**k]
    longest: int  # units of the longest sequence
    first_units: np.ndarray  # bool[2**16]: whether a sequence begins with a unit whose hash ends in these bits


def sequence_table(entries: Iterable[tuple[str, Iterable[str], int]]) -> SequenceTable:
    """The table of texts by language (a code of `CODES` or ``any``) and the bits they stand for.

    Texts without units are left out; texts of several entries get the bits of all.
    """
    table: dict[int, int] = {}
    first_units = np.zeros(1 << _FILTER_BITS, bool)
    longest, scanner = 0, Scanner()
    for language, texts, bits in entries:
        number = ANY if language == "any" else CODES.index(language)
        for units in sequences(scanner.scan(pa.array(texts, pa.large_string()))):
            if len(units):
                for end in range(1, len(units)):  # so that the search ends where no sequence goes on
                    table.setdefault(int(sequence_key(units[:end], number)), 0)
                key = int(sequence_key(units, number))
                table[key] = table.get(key, 0) | bits
                first_units[units[0] & np.uint64((1 << _FILTER_BITS) - 1)] = True
                longest = max(longest, len(units))
    return SequenceTable(*hash_table(table), longest, first_units)


def sequences(scan: Scan) -> Iterator[np.ndarray]:
    """The unit hashes uint64[units] of each scanned text."""
    for first, end in zip(scan.unit_bounds[:-1], scan.unit_bounds[1:], strict=True):
        yield scan.unit_hash[first:end]


def find(
    table: SequenceTable, scan: Scan, language: np.ndarray, units: np.ndarray, bounds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences found inside the pieces (lines or sentences) of n documents, whose units follow each other.

    Args:
        table: the sequences.
        scan: the documents.
        language: int64[n], index into `CODES`, or -1, for which only the sequences of every language count.
        units: int32[pieces], units of each piece.
        bounds: int64[n+1]: the pieces of document d are [bounds[d], bounds[d+1]).

    Returns:
        The bits of the sequences in each piece, uint8[pieces], and in each document the number of units that begin a
        sequence, int64[n].
    """
    bits, count = np.zeros(len(units), np.uint8), np.zeros(len(language), np.int64)
    _find(scan.unit_hash, units, bounds, scan.unit_bounds, language, table.keys, table.bits, table.longest,
          table.first_units, bits, count)  # fmt: skip
    return bits, count


@njit
def _find(unit_hash, piece_units, piece_bounds, unit_bounds, language, keys, values, longest, first_units, bits, count):  # type: ignore[no-untyped-def]  # noqa: E501
    filter_mask = np.uint64(len(first_units) - 1)
    for d in range(len(language)):
        unit = unit_bounds[d]
        for piece in range(piece_bounds[d], piece_bounds[d + 1]):
            end = unit + piece_units[piece]
            for i in range(unit, end):
                if not first_units[unit_hash[i] & filter_mask]:
                    continue
                here = False
                for number in (language[d], ANY):
                    if number < 0:
                        continue
                    key = language_seed(number)
                    for j in range(i, min(i + longest, end)):
                        key = extend_key(key, unit_hash[j])
                        slot = look_up(keys, key)
                        if keys[slot] != key:
                            break
                        if values[slot]:
                            bits[piece] |= np.uint8(values[slot])
                            here = True
                count[d] += here
            unit = end


@inline
def language_seed(language: Any) -> Any:
    """Key of the empty sequence in a language: sequences of two languages never share a key by construction."""
    return mix(np.uint64(language + 1) * _SALT)


@inline
def extend_key(key: Any, unit: Any) -> Any:
    """Key of a sequence with one more unit."""
    return mix((key * _SALT) ^ unit)


@njit
def sequence_key(units: np.ndarray, language: int) -> np.uint64:
    """Key of a sequence of unit hashes in a language (its number in `CODES`)."""
    key = language_seed(language)
    for unit in units:
        key = extend_key(key, unit)
    return key

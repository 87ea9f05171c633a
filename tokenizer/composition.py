"""Finding the texts that are not in normal form C, so that all others are encoded where they lie.

The quick check of Unicode Standard Annex 15, section 9, and beyond it a look at the pairs that really compose: Bengali
or Tamil vowel signs may compose, but hardly ever do. What this Python's Unicode does not know is left to
``tokenizers``, whose normal form is the one that counts.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tokenizers import normalizers

from curation.text.utf8 import buffers, decode
from tokenizer.memory import at, compiled, load_word

CODE_POINTS = 0x110000
_ASSIGNED = (*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0xF0000))
"""Where code points are assigned, but for private ones."""
_HANGUL_VOWELS_AND_FINALS = range(0x1160, 0x1200)
_COMBINING_CLASS = 0xFF
_UNKNOWN, _SECOND, _COMPOSITE = 0x100, 0x200, 0x400
"""A character that may change whatever stands beside it; one that may compose with what stands before it; and one that
was composed, and may be composed anew with a mark that belongs before its own."""
_HIGH_BITS = np.uint64(0x8080_8080_8080_8080)


class NormalForm(NamedTuple):
    """What the check needs to know of Unicode."""

    properties: NDArray[np.uint16]  # [0x110000]: canonical combining class and flags
    pairs: NDArray[np.int64]  # all pairs that compose, first << 32 | second, ascending


def composed(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """The texts in normal form C as the normaliser of ``tokenizers`` writes it; the same array where all are."""
    offsets, data = buffers(texts)
    suspect = np.zeros(len(texts), np.bool_)
    _suspect(data, offsets, normal_form(), suspect)
    if not suspect.any():
        return texts
    normalizer = normalizers.NFC()
    changed = [normalizer.normalize_str(texts[row].as_py()) for row in np.flatnonzero(suspect).tolist()]
    return pc.replace_with_mask(texts, pa.array(suspect), pa.array(changed, texts.type))


@cache
def normal_form() -> NormalForm:
    properties = np.full(CODE_POINTS, _UNKNOWN, np.uint16)
    properties[0xF0000:] = 0  # private
    pairs = []
    for code_point in _ASSIGNED:
        character = chr(code_point)
        if unicodedata.category(character) == "Cn":
            continue
        properties[code_point] = unicodedata.combining(character)
        parts = unicodedata.decomposition(character)
        if parts and parts[0] != "<":
            if unicodedata.normalize("NFC", character) != character:
                properties[code_point] = _UNKNOWN
            else:
                properties[code_point] |= _COMPOSITE
                pairs.append([int(part, 16) for part in parts.split()])
    properties[[second for _, second in pairs]] |= _SECOND
    properties[_HANGUL_VOWELS_AND_FINALS] = _UNKNOWN
    return NormalForm(properties, np.sort(np.array([first << 32 | second for first, second in pairs], np.int64)))


@compiled
def _suspect(data, offsets, form, suspect):  # type: ignore[no-untyped-def]
    """Mark the texts that may not be in normal form C: all that are not, and hardly any others."""
    properties = form.properties
    for text in range(offsets.size - 1):
        i, end = offsets[text], offsets[text + 1]
        last_class, starter = 0, np.int64(0)
        while i < end:
            if i + 8 <= end and load_word(data, i) & _HIGH_BITS == 0:
                last_class, starter = 0, np.int64(data[at(i + 7)])
                i += 8
                continue
            code_point, i = decode(data, i)
            found = np.int64(properties[code_point])
            combining_class = found & _COMBINING_CLASS
            if found:
                out_of_order = 0 < combining_class < last_class
                if found & _UNKNOWN or out_of_order or (found & _SECOND and _compose(form, starter, code_point)):
                    suspect[text] = True
                    break
            if combining_class == 0:
                starter = code_point
            last_class = combining_class


@compiled
def _compose(form, first, second):  # type: ignore[no-untyped-def]
    """Whether the starter ``first`` may compose with ``second`` after it."""
    wanted = first << 32 | second
    i = np.searchsorted(form.pairs, wanted)
    return form.properties[first] & _COMPOSITE or (i < form.pairs.size and form.pairs[i] == wanted)

"""One byte per code point: what the scan needs to know of a character. Also its simple lower case.

Made from Python's `unicodedata` and the script ranges below; `python -m curation.text.unicode_tables` writes the file
that ships with the package, so that every machine scans with the same Unicode version whatever its Python.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from curation.languages import SENTENCE_ENDS

CODE_POINTS = 0x110000
FILE = Path(__file__).with_suffix(".npz")

# Classes, in the low four bits.
OTHER, LETTER, MARK, DIGIT, HAN, HIRAGANA, KATAKANA, CLUSTER = range(8)
CLUSTER_PREFIX, CLUSTER_SUFFIX, STACKER, JOINER, APOSTROPHE, PUNCTUATION, SYMBOL, SPACE = range(8, 16)
OPENS = (LETTER, DIGIT, HAN, HIRAGANA, KATAKANA, CLUSTER, CLUSTER_PREFIX, CLUSTER_SUFFIX)
"""Classes of the characters that open a unit wherever none is under way."""
CLASS_MASK = 0x0F
# Flags, in the high four bits.
UPPER = 0x10  # has another lower case
CHECK_NFC = 0x20  # a text with it may not be in NFC
REPAIR = 0x40  # a control, a line end other than LF, or a noncharacter: normalisation removes or replaces it
SENTENCE_END = 0x80

LINE_ENDS = "\r\x0b\x0c\x85\u2028\u2029"
"""Line ends that normalisation turns into LF (with CR LF as one)."""

_HAN = ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3038, 0x303B), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
        (0xF900, 0xFAFF), (0x20000, 0x3FFFD))  # fmt: skip
_HIRAGANA = ((0x3041, 0x3096), (0x309D, 0x309F), (0x1B001, 0x1B11F))
_KATAKANA = ((0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))
_CLUSTER = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0xA9E0, 0xA9FE), (0xAA60, 0xAA7F))
"""Thai, Lao, Burmese and Khmer: written without spaces, one unit is an orthographic cluster."""
_CLUSTER_PREFIX = (0x0E40, 0x0E41, 0x0E42, 0x0E43, 0x0E44, 0x0EC0, 0x0EC1, 0x0EC2, 0x0EC3, 0x0EC4)
"""Vowels written before the consonant they follow in speech."""
_CLUSTER_SUFFIX = (0x0E2F, 0x0E30, 0x0E32, 0x0E33, 0x0E45, 0x0E46, 0x0EAF, 0x0EB0, 0x0EB2, 0x0EB3, 0x0EC6, 0x17D7)
"""Letters by category that only ever continue a cluster: vowel signs, repetition and abbreviation marks."""
_STACKER = (0x1039, 0x17D2)  # Burmese virama and Khmer coeng: the next consonant joins the cluster
_JOINER = (0x200C, 0x200D, 0x2060)
_APOSTROPHE = (0x27, 0x2019)
_EXACT = {
    **dict.fromkeys(_CLUSTER_PREFIX, CLUSTER_PREFIX), **dict.fromkeys(_CLUSTER_SUFFIX, CLUSTER_SUFFIX),
    **dict.fromkeys(_STACKER, STACKER), **dict.fromkeys(_JOINER, JOINER), **dict.fromkeys(_APOSTROPHE, APOSTROPHE),
}  # fmt: skip
"""Characters whose class is their own, whatever their category."""


class UnicodeTables(NamedTuple):
    properties: np.ndarray  # uint8[CODE_POINTS]: class and flags
    lower: np.ndarray  # uint32[CODE_POINTS]: simple lower case
    unicode_version: str


def build() -> UnicodeTables:
    """Compute the tables from this Python's `unicodedata`."""
    properties = np.zeros(CODE_POINTS, np.uint8)
    lower = np.arange(CODE_POINTS, dtype=np.uint32)
    for code in range(CODE_POINTS):
        if 0xD800 <= code < 0xE000:
            continue
        character = chr(code)
        properties[code] = _class(character) | _flags(character)
        lowered = character.lower()
        if len(lowered) == 1:
            lower[code] = ord(lowered)
    return UnicodeTables(properties, lower, unicodedata.unidata_version)


def _inside(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def _class(character: str) -> int:
    code, category = ord(character), unicodedata.category(character)
    if code in _EXACT:
        return _EXACT[code]
    if category[0] == "M":
        return MARK
    if category[0] == "L" or (category == "Nl" and _inside(code, _HAN)):
        for ranges, name in ((_HAN, HAN), (_HIRAGANA, HIRAGANA), (_KATAKANA, KATAKANA), (_CLUSTER, CLUSTER)):
            if _inside(code, ranges):
                return name
        return LETTER
    if character in " \t\n" or category in ("Zs", "Zl", "Zp"):
        return SPACE
    return {"N": DIGIT, "P": PUNCTUATION, "S": SYMBOL}.get(category[0], OTHER)


def _flags(character: str) -> int:
    code, category = ord(character), unicodedata.category(character)
    flags = UPPER if character.lower() != character else 0
    combines = unicodedata.combining(character) or 0x1160 <= code <= 0x11FF  # Hangul vowels and finals compose
    if combines or character in _second_halves() or unicodedata.normalize("NFC", character) != character:
        flags |= CHECK_NFC
    noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if character in LINE_ENDS or (category == "Cc" and character not in "\t\n") or code == 0xFEFF or noncharacter:
        flags |= REPAIR
    if character in SENTENCE_ENDS:
        flags |= SENTENCE_END
    return flags


@lru_cache(maxsize=1)
def _second_halves() -> frozenset[str]:
    """Second halves of all pairs that compose (Unicode's NFC_QC=Maybe, but for Hangul)."""
    pairs = ((character, unicodedata.decomposition(character).split()) for character in map(chr, range(CODE_POINTS)))
    halves = ((character, parts) for character, parts in pairs if len(parts) == 2 and parts[0][0] != "<")
    return frozenset(
        chr(int(second, 16))
        for character, (first, second) in halves
        if unicodedata.normalize("NFC", chr(int(first, 16)) + chr(int(second, 16))) == character
    )


@lru_cache(maxsize=1)
def load() -> UnicodeTables:
    """The tables that ship with the package."""
    with np.load(FILE) as file:
        lower = np.arange(CODE_POINTS, dtype=np.uint32) + file["lower_difference"].view(np.uint32)
        return UnicodeTables(file["properties"], lower, str(file["unicode_version"]))


if __name__ == "__main__":
    tables = build()
    np.savez_compressed(
        FILE,
        properties=tables.properties,
        lower_difference=(tables.lower - np.arange(CODE_POINTS, dtype=np.uint32)).view(np.int32),
        unicode_version=tables.unicode_version,
    )
    print(f"{FILE}: Unicode {tables.unicode_version}, {FILE.stat().st_size} bytes")

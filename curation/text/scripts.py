"""Scripts of letters, and how many letters of each script spans of text hold.

Ranges are those of the Unicode blocks (Unicode 15, Blocks.txt); only letters and marks in them count.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.text import unicode_tables, utf8
from curation.text.utf8 import frozen, njit

SCRIPTS = (
    "none", "Latn", "Cyrl", "Arab", "Hebr", "Hani", "Kana", "Hang", "Thai", "Laoo", "Mymr", "Khmr", "Deva", "Beng",
    "other",
)  # fmt: skip
"""ISO 15924 codes by number, hiragana and katakana together as Kana; ``none``: no letter; ``other``: all the rest."""
NONE, LATIN, CYRILLIC, ARABIC, HEBREW, HAN, KANA, HANGUL, THAI, LAO, MYANMAR, KHMER, DEVANAGARI, BENGALI, OTHER = range(
    len(SCRIPTS)
)
WEIGHTS = np.array([0, 1, 1, 1, 1, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1], np.int32)
"""How many letters of an alphabet a letter of each script stands for. A choice: a Chinese translation of the Universal
Declaration has about a third of the letters of the English text, a Korean one about a half."""
_RANGES = {
    LATIN: ((0x41, 0x24F), (0x250, 0x2AF), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF),
            (0xFB00, 0xFB06), (0xFF21, 0xFF5A)),
    CYRILLIC: ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)),
    ARABIC: ((0x600, 0x6FF), (0x750, 0x77F), (0x870, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)),
    HEBREW: ((0x590, 0x5FF), (0xFB1D, 0xFB4F)),
    HAN: ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),
          (0x20000, 0x3FFFD)),
    KANA: ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F), (0x1B000, 0x1B16F)),
    HANGUL: ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),
    THAI: ((0xE00, 0xE7F),), LAO: ((0xE80, 0xEFF),), MYANMAR: ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
    KHMER: ((0x1780, 0x17FF), (0x19E0, 0x19FF)), DEVANAGARI: ((0x900, 0x97F), (0xA8E0, 0xA8FF)),
    BENGALI: ((0x980, 0x9FF),),
}  # fmt: skip
_MARKS_OF_NONE = ((0x300, 0x36F), (0xFE00, 0xFE0F), (0x20D0, 0x20FF))
_NO_LETTERS = (
    unicode_tables.OTHER, unicode_tables.DIGIT, unicode_tables.JOINER, unicode_tables.APOSTROPHE,
    unicode_tables.PUNCTUATION, unicode_tables.SYMBOL, unicode_tables.SPACE,
)  # fmt: skip


@lru_cache(maxsize=1)
def table() -> np.ndarray:
    """Script of each code point, NONE for all but letters and marks: uint8[0x110000]."""
    script = np.full(unicode_tables.CODE_POINTS, OTHER, np.uint8)
    for number, ranges in _RANGES.items():
        for first, last in ranges:
            script[first : last + 1] = number
    for first, last in _MARKS_OF_NONE:
        script[first : last + 1] = NONE
    kinds = unicode_tables.load().properties & unicode_tables.CLASS_MASK
    script[np.isin(kinds, _NO_LETTERS)] = NONE
    return frozen(script)


class Letters(NamedTuple):
    """Letters of spans, those of technical words aside."""

    counts: np.ndarray  # int32[spans, len(SCRIPTS)]; column NONE: all characters that are not white space
    code: (
        np.ndarray
    )  # bool[spans]: at least two of ``={}<>;^``, and one to every 14 characters; a last ``;`` counts twice


_BEFORE, _AFTER, _JOINT, _CODE = 1, 2, 4, 8
TECHNICAL = np.zeros(256, np.uint8)
for _characters, _bit in (
    (b"/._@=\\$#<&%+~{-", _BEFORE),
    (b"/_@=\\<&%+~({[-", _AFTER),
    (b".:", _JOINT),
    (b"={}<>;^", _CODE),
):
    TECHNICAL[list(_characters)] |= np.uint8(_bit)
TECHNICAL = frozen(TECHNICAL)
"""Of each ASCII character whether a word is technical that has it before, behind, or behind and then a letter."""


def count(text: pa.Array, bounds: np.ndarray, start: np.ndarray, stop: np.ndarray) -> Letters:
    """Letters by script in spans of documents (see `Classifier.spans`), but for those of technical words.

    Parts of URLs, e-mail addresses, file names, markup and program code are no words of a language: a word of Latin
    letters does not count if it holds a digit or a capital after a small letter, if one of ``/._@=\\$#<&%+~{-`` stands
    before it or one of ``/_@=\\<&%+~({[-`` behind it, or a full stop or colon
    and then a letter or slash.
    """
    offsets, data = utf8.buffers(text)
    first = np.repeat(offsets[:-1], np.diff(bounds))
    found = Letters(np.zeros((len(start), len(SCRIPTS)), np.int32), np.zeros(len(start), np.bool_))
    _count(frozen(data), frozen(first + start), frozen(first + stop), table(), TECHNICAL, *found)
    return found


@njit
def _count(data, starts, stops, table, technical, counts, code):  # type: ignore[no-untyped-def]
    for i in range(len(starts)):
        at, stop, row, shown, marks, before = starts[i], stops[i], counts[i], 0, 0, np.uint8(32)
        while at < stop:
            byte = data[at]
            ascii_letter = np.uint8((byte | 32) - 97) < 26
            if byte < 0x80 and not ascii_letter and not 48 <= byte < 58:
                shown += byte > 32
                marks += technical[byte] >> 3
                before = byte
                at += 1
                continue
            if byte >= 0x80:
                point, after = utf8.decode(data, at)
                script = table[point]
                if script != LATIN:
                    row[script] += 1
                    shown += point != 0xA0 and point != 0x3000
                    before = np.uint8(0x80)
                    at = after
                    continue
            # A run of Latin letters, digits and apostrophes between letters.
            letters, wrong, small = 0, technical[before] & _BEFORE, False
            while at < stop:
                byte = data[at]
                if byte < 0x80:
                    letter = np.uint8((byte | 32) - 97) < 26
                    digit = 48 <= byte < 58
                    if not letter and not digit and not (byte == 39 and letters > 0):
                        break
                    wrong |= digit or (small and letter and byte < 97)
                    small = letter and byte >= 97
                    letters += letter
                    shown += 1
                    at += 1
                else:
                    point, after = utf8.decode(data, at)
                    if table[point] != LATIN:
                        break
                    letters += 1
                    shown += 1
                    small = True
                    at = after
            before = np.uint8(0x80)
            if at < stop:
                behind = technical[data[at]]
                following = data[at + 1] if at + 1 < stop else np.uint8(32)
                joint = behind & _JOINT and (following == 47 or np.uint8((following | 32) - 97) < 26)
                wrong |= behind & _AFTER or joint
            if not wrong:
                row[LATIN] += letters
        row[NONE] = shown
        marks += stop > starts[i] and data[stop - 1] == 59
        code[i] = marks >= 2 and 14 * marks >= shown


@lru_cache(maxsize=1)
def han_variants() -> np.ndarray:
    """1 for characters that only simplified Chinese writes, 2 for those of traditional Chinese alone: uint8[0x10000].

    Characters of GB 2312 that Big5 lacks, and the other way round: the two standards of the two ways of writing.
    """
    found = np.zeros(0x10000, np.uint8)
    for code in range(0x4E00, 0xA000):
        simplified, traditional = (_encodes(chr(code), name) for name in ("gb2312", "big5"))
        found[code] = 1 * (simplified and not traditional) + 2 * (traditional and not simplified)
    return frozen(found)


def _encodes(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def simplified_and_traditional(text: pa.Array) -> np.ndarray:
    """Characters of n documents that only simplified Chinese writes, and that only traditional does: int64[n, 2]."""
    offsets, data = utf8.buffers(text)
    counts = np.zeros((len(text), 2), np.int64)
    _variants(offsets, frozen(data), han_variants(), counts)
    return counts


@njit
def _variants(offsets, data, table, counts):  # type: ignore[no-untyped-def]
    for d in range(len(offsets) - 1):
        at = offsets[d]
        while at < offsets[d + 1]:
            if data[at] < 0xE0 or data[at] >= 0xF0:  # Han characters have three bytes, but for rare ones
                at += 1
                continue
            code, at = utf8.decode(data, at)
            kind = table[code]
            if kind > 0:
                counts[d, kind - 1] += 1

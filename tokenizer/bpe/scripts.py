"""Which scripts a character may belong to, to keep tokens within one script.

A character has a bit for its own script and one for each writing system of several scripts that includes it: Japanese
writes Han, hiragana and katakana together, Korean Hangul and Han, Chinese Han and bopomofo. Characters of all scripts
(punctuation, digits, spaces) and marks that take on the script before them have all bits. A text is of one script when
its characters have a bit in common (Unicode Technical Standard 39, section 5.1, "resolved script set").
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tokenizer.scan.classes import matching

SCRIPT_BITS = 36
ANY_SCRIPT = np.uint64((1 << SCRIPT_BITS) - 1)
_JAPANESE, _KOREAN, _CHINESE = 1, 2, 3
_OTHER = 0  # the scripts not listed here, together
_SCRIPTS = (
    "Latin", "Greek", "Cyrillic", "Armenian", "Georgian", "Hebrew", "Arabic", "Syriac", "Thaana", "Ethiopic",
    "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala",
    "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Mongolian", "Han", "Hiragana", "Katakana", "Bopomofo", "Hangul",
)  # fmt: skip
_SYSTEMS = {
    "Han": (_JAPANESE, _KOREAN, _CHINESE),
    "Hiragana": (_JAPANESE,),
    "Katakana": (_JAPANESE,),
    "Bopomofo": (_CHINESE,),
    "Hangul": (_KOREAN,),
}


@lru_cache(maxsize=1)
def script_table() -> NDArray[np.uint64]:
    """The scripts that every code point may belong to, a bit each, uint64[0x110000]."""
    letters = matching(r"[\p{L}\p{M}\p{N}]")
    letters &= ~matching(r"[\p{Common}\p{Inherited}]", letters)
    table = np.where(letters, np.uint64(1 << _OTHER), ANY_SCRIPT)
    for bit, script in enumerate(_SCRIPTS, start=1 + max(_JAPANESE, _KOREAN, _CHINESE)):
        bits = sum(1 << b for b in (bit, *_SYSTEMS.get(script, ())))
        table[matching(rf"\p{{{script}}}", letters)] = np.uint64(bits)
    return table

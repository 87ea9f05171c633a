"""The class of every character, as the regex engine of ``tokenizers`` sees it."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, normalizers

LETTER, NUMBER, SPACE, NEWLINE, OTHER, UPPER, LOWER, MARK = (1 << bit for bit in range(8))
"""A bit each, so that a test may be for several. NEWLINE is line feed and carriage return, SPACE all other white space.
UPPER, LOWER and MARK are told apart only in `CASED`: upper and title case letters, lower case letters, marks."""
CODE_POINTS = 0x110000

_NOT_LETTERS = {r"\p{N}": NUMBER, r"\s": SPACE, r"[\r\n]": NEWLINE}
PLAIN = {r"\p{L}": LETTER} | _NOT_LETTERS
WITH_MARKS = {r"[\p{L}\p{M}]": LETTER} | _NOT_LETTERS
CASED = {r"[\p{Lm}\p{Lo}]": LETTER, r"[\p{Lu}\p{Lt}]": UPPER, r"\p{Ll}": LOWER, r"\p{M}": MARK} | _NOT_LETTERS
"""Classes by the expression that matches their characters; a later one wins, the rest is OTHER."""


def character_classes(expressions: dict[str, int]) -> NDArray[np.uint8]:
    """The class of every code point, uint8[0x110000], by PLAIN, WITH_MARKS or CASED."""
    classes = np.full(CODE_POINTS, OTHER, np.uint8)
    for expression, name in expressions.items():
        classes[_matching(expression)] = name
    return classes


def matching(members: str, among: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Whether the regex engine of ``tokenizers`` matches each code point with ``members``, bool[0x110000].

    Asked of the engine itself, so that both know the same Unicode version.
    ``among`` bool[0x110000]: the code points to ask about, by default all; the others are False.
    """
    asked = np.ones(CODE_POINTS, np.bool_) if among is None else among.copy()
    asked[0xD800:0xE000] = False  # surrogates
    text = np.flatnonzero(asked).astype(np.uint32).tobytes().decode("utf-32-le")
    rest = normalizers.Replace(Regex(f"{members}+"), "").normalize_str(text)
    asked[np.frombuffer(rest.encode("utf-32-le"), np.uint32)] = False
    return asked


@cache
def _matching(expression: str) -> NDArray[np.bool_]:
    return matching(expression)

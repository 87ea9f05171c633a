"""What the scanners share: runs of characters of a class, ASCII letters eight at a time, contractions, white space."""

from __future__ import annotations

import numpy as np

from curation.text.utf8 import decode
from tokenizer.memory import at, compiled, inlined, load_word, trailing_zeros
from tokenizer.scan.classes import NEWLINE, NUMBER, SPACE

_BYTES = 0x0101010101010101
_HIGH_BITS = np.uint64(0x80 * _BYTES)
_LOW_BITS = np.uint64(0x7F * _BYTES)
_LOWER_CASE = np.uint64(0x20 * _BYTES)
_REACHES_A = np.uint64((0x80 - ord("a")) * _BYTES)  # added to a byte from "a" on, sets its high bit
_BEYOND_Z = np.uint64((0x80 - ord("z") - 1) * _BYTES)
_BITS_OF_BYTE = np.uint64(3)
_CASE_BIT = np.uint64(2)  # this far below the high bit is the one that lower case letters have
ANY_CASE, LOWER_CASE_ONLY = _HIGH_BITS, np.uint64(0)


@inlined
def ascii_letters(word):  # type: ignore[no-untyped-def]
    """The high bit of each of the eight bytes of ``word`` that is an ASCII letter."""
    lowered = (word | _LOWER_CASE) & _LOW_BITS
    return (lowered + _REACHES_A) & ~(lowered + _BEYOND_Z) & ~word & _HIGH_BITS


@inlined
def run_of(marked):  # type: ignore[no-untyped-def]
    """How many bytes, 0 to 8, have their high bits in ``marked`` before the first that has not."""
    return np.int64(trailing_zeros(~marked & _HIGH_BITS) >> _BITS_OF_BYTE)


@inlined
def skip_letters(data, i, end, classes, wanted, cases):  # type: ignore[no-untyped-def]
    """As `skip_class` for classes that the ASCII letters of these ``cases`` are of, and faster over those."""
    while i + 8 <= end:
        word = load_word(data, i)
        run = run_of(ascii_letters(word) & ((word << _CASE_BIT) | cases))
        i += run
        if run < 8:
            if data[at(i)] < 0x80:
                return i
            break
    return skip_class(data, i, end, classes, wanted)


@inlined
def skip_class(data, i, end, classes, wanted):  # type: ignore[no-untyped-def]
    """The index after the run of characters of the ``wanted`` classes that starts at ``i``."""
    while i < end:
        code_point, after = decode(data, i)
        if not classes[code_point] & wanted:
            break
        i = after
    return i


@inlined
def class_at(data, i, end, classes):  # type: ignore[no-untyped-def]
    """The class of the character at ``i``, or SPACE at the end of the text."""
    return classes[decode(data, i)[0]] if i < end else np.uint8(SPACE)


@compiled
def numbers_end(data, i, end, classes, most):  # type: ignore[no-untyped-def]
    """The index after the at most ``most`` numeric characters that start at ``i``."""
    while most > 0 and i < end:
        code_point, after = decode(data, i)
        if classes[code_point] != NUMBER:
            break
        i = after
        most -= 1
    return i


@compiled
def contraction_end(data, i, end, any_case):  # type: ignore[no-untyped-def]
    """The index after a contraction whose letters start at ``i``, or 0: s t m d re ve ll, and long s in any case."""
    if i >= end:
        return 0
    lowered = 32 if any_case else 0
    first = data[at(i)] | lowered
    if first == ord("s") or first == ord("t") or first == ord("m") or first == ord("d"):
        return i + 1
    if i + 1 < end:
        second = data[at(i + 1)] | lowered
        if (first == ord("r") or first == ord("v")) and second == ord("e"):
            return i + 2
        if first == ord("l") and second == ord("l"):
            return i + 2
        if any_case and data[at(i)] == 0xC5 and data[at(i + 1)] == 0xBF:  # U+017F folds to s under (?i)
            return i + 2
    return 0


@compiled
def space_end(data, start, end, classes, lines):  # type: ignore[no-untyped-def]
    """``\\s+(?!\\S)|\\s+``: all but the last character, or all of it at the end of the text or when it is only one.

    With ``lines`` ``\\s*[\\r\\n]+`` comes first: to the last line end.
    """
    i = start
    last_start = start
    after_newline = np.int64(0)
    while i < end:
        code_point, after = decode(data, i)
        found = classes[code_point]
        if not found & (SPACE | NEWLINE):
            break
        last_start, i = i, after
        if found == NEWLINE:
            after_newline = after
    if lines and after_newline > 0:
        return after_newline
    return i if i == end or last_start == start else last_start

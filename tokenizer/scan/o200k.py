"""The scanner of the o200k pattern, which also cuts words where lower case turns into upper case."""

from __future__ import annotations

from curation.text.utf8 import decode
from tokenizer.memory import at, compiled, inlined
from tokenizer.scan.classes import LETTER, LOWER, MARK, NEWLINE, NUMBER, OTHER, SPACE, UPPER
from tokenizer.scan.runs import (
    LOWER_CASE_ONLY,
    class_at,
    contraction_end,
    numbers_end,
    skip_class,
    skip_letters,
    space_end,
)


@compiled
def o200k_end(data, start, end, classes, digits):  # type: ignore[no-untyped-def]
    """The index after the pretoken that starts at ``start`` in ``data[:end]``; numbers have at most ``digits``."""
    code_point, second = decode(data, start)
    found = classes[code_point]
    if found & (LETTER | UPPER | LOWER):
        return _with_contraction(data, _word_end(data, start, end, classes)[0], end)
    if found == NUMBER:
        return numbers_end(data, second, end, classes, digits - 1)
    if found == NEWLINE:
        return space_end(data, start, end, classes, True)
    i, lowered = _word_end(data, second, end, classes)
    if found == MARK and not lowered:
        i = second  # a word of its own before a word all in upper case
    if i > second or found == MARK:
        return _with_contraction(data, i, end)
    if found == SPACE and (code_point != ord(" ") or class_at(data, second, end, classes) != OTHER):
        return space_end(data, start, end, classes, True)
    return _symbols_end(data, second, end, classes)


@compiled
def _word_end(data, i, end, classes):  # type: ignore[no-untyped-def]
    """The index after the word at ``i`` (``i`` when there is none), and whether it ends in other than upper case.

    The longest of upper case, caseless letters and marks, then lower case, caseless letters and marks; or else as far
    as its last caseless letter or mark; or else upper case alone.
    """
    after_caseless = i
    start = i
    found = class_at(data, i, end, classes)
    while found & (UPPER | LETTER | MARK):
        i = decode(data, i)[1]
        if found != UPPER:
            after_caseless = i
        found = class_at(data, i, end, classes)
    if found == LOWER:
        return skip_letters(data, i, end, classes, LOWER | LETTER | MARK, LOWER_CASE_ONLY), True
    if after_caseless > start:
        return after_caseless, True
    return i, False


@inlined
def _with_contraction(data, i, end):  # type: ignore[no-untyped-def]
    """The index after the contraction that follows a word at ``i``, if one does."""
    if i < end and data[at(i)] == ord("'"):
        after = contraction_end(data, i + 1, end, True)
        if after > 0:
            return after
    return i


@compiled
def _symbols_end(data, i, end, classes):  # type: ignore[no-untyped-def]
    """The index after the run of symbols and marks at ``i``, and the line ends and slashes after it."""
    i = skip_class(data, i, end, classes, OTHER | MARK)
    while i < end and (data[at(i)] == ord("\n") or data[at(i)] == ord("\r") or data[at(i)] == ord("/")):
        i += 1
    return i

"""The scanner of the GPT-2 pattern."""

from __future__ import annotations

from curation.text.utf8 import decode
from tokenizer.memory import at, compiled
from tokenizer.scan.classes import LETTER, NEWLINE, SPACE
from tokenizer.scan.runs import class_at, skip_class, skip_letters


@compiled
def gpt2_end(data, start, end, classes):  # type: ignore[no-untyped-def]
    """The index after the pretoken that starts at ``start`` in ``data[:end]``."""
    if data[at(start)] == ord("'"):
        i = _contraction_end(data, start + 1, end)
        if i > 0:
            return i
    first = start + 1 if data[at(start)] == ord(" ") else start
    kind = class_at(data, first, end, classes)
    if kind == LETTER:
        return skip_letters(data, first, end, classes, LETTER)
    if kind & (SPACE | NEWLINE):
        return _space_end(data, start, end, classes)
    return skip_class(data, first, end, classes, kind)


@compiled
def _contraction_end(data, i, end):  # type: ignore[no-untyped-def]
    """The index after a contraction whose letters start at ``i``, or 0: s t m d re ve ll, lower case only."""
    if i >= end:
        return 0
    first = data[at(i)]
    if first == ord("s") or first == ord("t") or first == ord("m") or first == ord("d"):
        return i + 1
    if i + 1 < end:
        second = data[at(i + 1)]
        if (first == ord("r") or first == ord("v")) and second == ord("e"):
            return i + 2
        if first == ord("l") and second == ord("l"):
            return i + 2
    return 0


@compiled
def _space_end(data, start, end, classes):  # type: ignore[no-untyped-def]
    """``\\s+(?!\\S)|\\s+``: all but the last character, or all of it at the end of the text or when it is only one."""
    i = start
    last_start = start
    while i < end:
        code_point, after = decode(data, i)
        found = classes[code_point]
        if not found & (SPACE | NEWLINE):
            break
        last_start, i = i, after
    return i if i == end or last_start == start else last_start

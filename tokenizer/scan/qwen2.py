"""The scanner of the Qwen2 and cl100k patterns and their variants with combining marks as letters."""

from __future__ import annotations

from curation.text.utf8 import decode
from tokenizer.memory import at, compiled, inlined
from tokenizer.scan.classes import LETTER, NEWLINE, NUMBER, OTHER, SPACE
from tokenizer.scan.runs import ANY_CASE, class_at, contraction_end, numbers_end, skip_class, skip_letters, space_end


@inlined
def qwen2_end(data, start, end, classes, digits):  # type: ignore[no-untyped-def]
    """The index after the pretoken that starts at ``start`` in ``data[:end]``; numbers have at most ``digits``."""
    first = data[at(start)]
    if first < 0x80 and start + 1 < end:
        # Most text: an ASCII letter, or one that an ASCII character of another kind stands before.
        found, second = classes[first], data[at(start + 1)]
        if found == LETTER:
            return skip_letters(data, start + 1, end, classes, LETTER, ANY_CASE)
        if second < 0x80 and classes[second] == LETTER and (found == SPACE or (found == OTHER and first != ord("'"))):
            return skip_letters(data, start + 2, end, classes, LETTER, ANY_CASE)
    return _any_end(data, start, end, classes, digits)


@compiled
def _any_end(data, start, end, classes, digits):  # type: ignore[no-untyped-def]
    if data[at(start)] == ord("'"):
        i = contraction_end(data, start + 1, end, True)
        if i > 0:
            return i
    code_point, second = decode(data, start)
    found = classes[code_point]
    if found == LETTER:
        return skip_class(data, second, end, classes, LETTER)
    if found == NUMBER:
        return numbers_end(data, second, end, classes, digits - 1)
    if found == NEWLINE:
        return space_end(data, start, end, classes, True)
    following = class_at(data, second, end, classes)
    if following == LETTER:
        return skip_class(data, second, end, classes, LETTER)
    if found == SPACE and (code_point != ord(" ") or following != OTHER):
        return space_end(data, start, end, classes, True)
    i = skip_class(data, second, end, classes, OTHER)
    while i < end and (data[at(i)] == ord("\n") or data[at(i)] == ord("\r")):
        i += 1
    return i

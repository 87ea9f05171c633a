"""The scanner of the GPT-2 pattern."""

from __future__ import annotations

from tokenizer.memory import at, compiled
from tokenizer.scan.classes import LETTER, NEWLINE, SPACE
from tokenizer.scan.runs import ANY_CASE, class_at, contraction_end, skip_class, skip_letters, space_end


@compiled
def gpt2_end(data, start, end, classes):  # type: ignore[no-untyped-def]
    """The index after the pretoken that starts at ``start`` in ``data[:end]``."""
    if data[at(start)] == ord("'"):
        i = contraction_end(data, start + 1, end, False)
        if i > 0:
            return i
    first = start + 1 if data[at(start)] == ord(" ") else start
    kind = class_at(data, first, end, classes)
    if kind == LETTER:
        return skip_letters(data, first, end, classes, LETTER, ANY_CASE)
    if kind & (SPACE | NEWLINE):
        return space_end(data, start, end, classes, False)
    return skip_class(data, first, end, classes, kind)

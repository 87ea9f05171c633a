"""What stands around spans of text: quotation marks, block quotes, introductions, separators."""

from __future__ import annotations

import numpy as np

from curation.text.utf8 import frozen, njit

QUOTED, SEPARATED = 1, 2
"""Marks of spans: quotation marks around it, the sign of a block quote before it, or a line before it that ends in a
colon; a dash, colon, bracket, slash, bar or equals sign beside it."""


@njit
def span_marks(offsets, data, document, label, start, stop, own_before):  # type: ignore[no-untyped-def]
    """Marks of spans; spans of one label without other text between them are quoted together: uint8[spans]."""
    out = np.zeros(len(document), np.uint8)
    first = 0
    for i in range(len(document)):
        origin, end = offsets[document[i]], offsets[document[i] + 1]
        last = i + 1 == len(document) or document[i + 1] != document[i] or (
            own_before[i + 1] > 0 or label[i + 1] != label[i])  # fmt: skip
        if _near(data, origin + start[i] - 1, origin - 1, -1, _SEPARATORS) or _near(
            data, origin + stop[i], end, 1, _SEPARATORS
        ):
            out[i] |= separated
        if last:
            before = _quotes(data, max(origin + start[first] - 7, origin), origin + start[first] + 3)
            after = _quotes(data, origin + stop[i] - 3, min(origin + stop[i] + 7, end))
            block_quote = _near(data, origin + start[first] - 1, origin - 1, -1, _BLOCK_QUOTE)
            if before and after or block_quote or _introduced(data, origin + start[first] - 1, origin - 1):
                out[first : i + 1] |= quoted
            first = i + 1
    return out


quoted, separated, _BLOCK_QUOTE = np.uint8(QUOTED), np.uint8(SEPARATED), np.uint8(2)
_SEPARATORS = np.uint8(1)
_KINDS = np.zeros(256, np.uint8)
_KINDS[list(b"-=:|()/[]>")] = _SEPARATORS
_KINDS[ord(">")] = _BLOCK_QUOTE
_KINDS = frozen(_KINDS)


@njit
def _near(data, at, end, step, kind):  # type: ignore[no-untyped-def]
    """Whether the next character but for spaces, quotation marks and asterisks is of a kind, or a long dash, arrow, or
    full-width bracket or colon where separators are asked for."""
    for _ in range(4):
        if at == end or data[at] == 10:
            return False
        byte = data[at]
        if byte != 32 and byte != 34 and byte != 42:
            if byte < 0x80:
                return _KINDS[byte] == kind
            if kind != _SEPARATORS:
                return False
            low = at if step > 0 else at - 2
            if low < 0 or low + 2 >= len(data):
                return False
            a, b, c = data[low], data[low + 1], data[low + 2]
            return (a == 0xE2 and b == 0x80 and 0x90 <= c <= 0x95) or (a == 0xE2 and b == 0x86) or (
                a == 0xEF and b == 0xBC and (c == 0x88 or c == 0x89 or c == 0x9A or c == 0x8F))  # fmt: skip
        at += step
    return False


@njit
def _introduced(data, at, end):  # type: ignore[no-untyped-def]
    """Whether the line before ends in a colon."""
    line_ends = 0
    for _ in range(12):
        if at <= end:
            return False
        byte = data[at]
        if byte == 10:
            line_ends += 1
        elif byte == 58 or byte == 0x9A and at - 2 > end and data[at - 1] == 0xBC and data[at - 2] == 0xEF:
            return line_ends > 0
        elif byte != 32 and (line_ends > 0 or byte < 0x80 and byte != 62 and byte != 34):
            return False
        at -= 1
    return False


@njit
def _quotes(data, first, last):  # type: ignore[no-untyped-def]
    """A straight, curly, angle or corner quotation mark among the bytes."""
    for i in range(first, last):
        if data[i] == 34:
            return True
        if i + 1 < last and data[i] == 0xC2 and (data[i + 1] == 0xAB or data[i + 1] == 0xBB):
            return True
        if i + 2 < last and data[i] == 0xE2 and data[i + 1] == 0x80 and 0x98 <= data[i + 2] <= 0x9F:
            return data[i + 2] != 0x99
        if i + 2 < last and data[i] == 0xE3 and data[i + 1] == 0x80 and 0x8A <= data[i + 2] <= 0x8F:
            return True
    return False

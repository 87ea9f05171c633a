"""Text as fastText reads it: the units of the scan, one space between them.

fastText cuts its input at white space alone, so that a line of Chinese, Japanese, Thai, Lao, Burmese or Khmer would be
one word. Here every unit (see `curation.text.scan`) becomes a word, lower case, and so does every run of other
characters between two units or spaces, as the preprocessing of fastText's own tutorial does for spaced scripts
(https://fasttext.cc/docs/en/supervised-tutorial.html). One compiled walk over the UTF-8 buffers does it, led by the
unit lengths that the scan has found: the rules of units stay in one place, and no Python runs per unit.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.text import unicode_tables, utf8
from curation.text.scan import Scanner
from curation.text.unicode_tables import CLASS_MASK, OPENS, SPACE

_NONE, _UNIT, _OTHER = 0, 1, 2


def separate_units(text: pa.Array, scanner: Scanner) -> pa.LargeStringArray:
    """Words of each text between single spaces, on one line.

    Args:
        text: (large) string array [n] of normalised text (`curation.text.normalize`), without nulls.
        scanner: its buffers are used; an earlier `Scan` of it is no longer valid.

    Returns:
        large_string[n]; empty for text of white space alone.
    """
    scan = scanner.scan(text)
    offsets, data = utf8.buffers(text)
    tables = unicode_tables.load()
    # A character takes at most a space and its own bytes, or one byte more where its lower case is longer.
    out = np.empty(2 * int(offsets[-1] - offsets[0]) + len(text), np.uint8)
    out_offsets = np.zeros(len(text) + 1, np.int64)
    _separate(offsets, data, tables.properties, tables.lower, scan.unit_length, scan.unit_bounds, out, out_offsets)
    written = pa.py_buffer(out[: out_offsets[-1]].tobytes())
    return pa.LargeStringArray.from_buffers(len(text), pa.py_buffer(out_offsets), written)


@utf8.njit
def _separate(offsets, data, properties, lower, unit_length, unit_bounds, out, out_offsets):  # type: ignore[no-untyped-def]
    """Fill out uint8[...] and out_offsets int64[n+1]."""
    to = np.int64(0)
    for d in range(len(offsets) - 1):
        i, end = offsets[d], offsets[d + 1]
        begin, unit, left, before = to, unit_bounds[d], 0, _NONE  # left: code points of the unit still to come
        while i < end:
            code, i = utf8.decode(data, i)
            kind = np.int64(properties[code]) & CLASS_MASK
            opens = left == 0 and kind in OPENS
            if opens:
                left = unit_length[unit]
                unit += 1
            elif left == 0 and kind == SPACE:
                before = _NONE
                continue
            now = _UNIT if left > 0 else _OTHER
            if to > begin and (opens or now != before):
                out[to] = 0x20
                to += 1
            to = _encode(out, to, np.int64(lower[code]))
            left -= now == _UNIT
            before = now
        out_offsets[d + 1] = to


@utf8.inline
def _encode(out, to, code):  # type: ignore[no-untyped-def]
    """Write a code point as UTF-8; returns the index after it."""
    if code < 0x80:
        out[to] = code
        return to + 1
    if code < 0x800:
        out[to] = 0xC0 | code >> 6
        to += 1
    else:
        if code < 0x10000:
            out[to] = 0xE0 | code >> 12
            to += 1
        else:
            out[to] = 0xF0 | code >> 18
            out[to + 1] = 0x80 | (code >> 12) & 0x3F
            to += 2
        out[to] = 0x80 | (code >> 6) & 0x3F
        to += 1
    out[to] = 0x80 | code & 0x3F
    return to + 1

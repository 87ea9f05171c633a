"""Where the units of a scan (see `curation.text.scan`) begin and end in the bytes of their text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.text import unicode_tables, utf8
from curation.text.scan import Scan
from curation.text.unicode_tables import CLASS_MASK, OPENS


def unit_spans(text: pa.Array, scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """First byte of each unit and the byte after its last, both int64[units], counted from the first text's first byte.

    ``text``: (large) string array [n] without nulls; ``scan``: of that array, still valid.
    """
    offsets, data = utf8.buffers(text)
    start, stop = np.zeros((2, len(scan.unit_length)), np.int64)
    properties = unicode_tables.load().properties
    _spans(offsets, data, properties, scan.unit_length, scan.unit_bounds, start, stop)
    return start - offsets[0], stop - offsets[0]


@utf8.njit
def _spans(offsets, data, properties, unit_length, unit_bounds, start, stop):  # type: ignore[no-untyped-def]
    """Fill start and stop, int64[units]."""
    for d in range(len(offsets) - 1):
        after, unit, left = offsets[d], unit_bounds[d], 0  # left: code points of the unit still to come
        while unit < unit_bounds[d + 1]:
            at = after
            code, after = utf8.decode(data, at)
            if left == 0:
                if np.int64(properties[code]) & CLASS_MASK not in OPENS:
                    continue
                start[unit], left = at, unit_length[unit]
            left -= 1
            if left == 0:
                stop[unit] = after
                unit += 1

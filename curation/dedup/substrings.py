"""Long substrings that stand in the text before, in another document or the same, found exactly without a suffix array.

What is asked for are windows of ``length`` bytes that are equal byte for byte (Lee et al. 2022, arXiv:2107.06499, find
the same by a suffix array over all text in one machine). Two rounds of hashes find them on any number of machines:

1. *Seeds*. Of the hashes of all windows of half the length, winnowing keeps the smallest of each ``length - half + 1``
   consecutive ones (Schleimer, Wilkerson, Aiken 2003, section 3.1), about 4 for each ``length`` bytes; two equal
   windows of ``length`` bytes always share one.
2. *Windows*. Only around seeds that occur twice, the hash of every window of ``length`` bytes; all but its first
   occurrence in the order of addresses and positions are cut out.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.text import utf8
from curation.text.scan import mix
from curation.text.utf8 import njit

WINDOWS = pa.schema([("key", pa.uint64()), ("address", pa.uint64()), ("at", pa.uint32())])
"""The hash of a window, its document, and its first byte there."""
PLACES = pa.schema([("address", pa.uint64()), ("at", pa.uint32())])
_BASE = np.uint64(0x9E3779B97F4A7C15 | 1)


def seeds(text: pa.Array, address: np.ndarray, length: int) -> pa.RecordBatch:
    """WINDOWS of ``length // 2`` bytes of n documents, uint64[n] addresses, thinned by winnowing."""
    offsets, data = utf8.buffers(text)
    half = length // 2
    key = np.empty(int(offsets[-1] - offsets[0]), np.uint64)
    at, row = np.empty(len(key), np.uint32), np.empty(len(key), np.int64)
    count = _winnow(offsets, data, half, length - half + 1, key, at, row)
    columns = [pa.array(key[:count]), pa.array(address[row[:count]]), pa.array(at[:count])]
    return pa.record_batch(columns, schema=WINDOWS)


def recurring(windows: pa.Table) -> pa.RecordBatch:
    """PLACES of the windows whose key occurs more than once in ``windows`` (WINDOWS)."""
    key = windows["key"].to_numpy()
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    equal = np.zeros(len(key) + 1, bool)
    equal[1:-1] = ordered[1:] == ordered[:-1]
    return _places(windows, np.sort(order[equal[1:] | equal[:-1]]))


def not_first(windows: pa.Table) -> pa.RecordBatch:
    """PLACES of the windows that equal an earlier one by address and position."""
    key, address, at = (windows[name].to_numpy() for name in WINDOWS.names)
    order = np.lexsort((at, address, key))
    ordered = key[order]
    again = np.zeros(len(key), bool)
    again[1:] = ordered[1:] == ordered[:-1]
    return _places(windows, np.sort(order[again]))


def windows_around(text: pa.Array, address: np.ndarray, places: pa.Table, length: int) -> pa.RecordBatch:
    """WINDOWS of ``length`` bytes that hold one of the seeds at ``places`` (PLACES of these documents)."""
    offsets, data = utf8.buffers(text)
    rows, at = rows_of_places(address, places)
    bounds = np.searchsorted(rows, np.arange(len(address) + 1))
    room = min(int(offsets[-1] - offsets[0]), len(at) * (length - length // 2 + 1))
    key, first, row = np.empty(room, np.uint64), np.empty(room, np.uint32), np.empty(room, np.int64)
    count = _windows(offsets, data, bounds, at, length, length // 2, key, first, row)
    columns = [pa.array(key[:count]), pa.array(address[row[:count]]), pa.array(first[:count])]
    return pa.record_batch(columns, schema=WINDOWS)


def covered(text: pa.Array, address: np.ndarray, places: pa.Table, length: int) -> tuple[np.ndarray, ...]:
    """The spans that windows of ``length`` bytes at ``places`` cover: row, start and stop, int64[spans] each.

    A span begins and ends between characters: bytes of characters that only partly lie in it are not in it.
    """
    offsets, data = utf8.buffers(text)
    rows, at = rows_of_places(address, places)
    if not len(at):
        return rows, rows, rows
    opens = np.append(True, (rows[1:] != rows[:-1]) | (at[1:] > at[:-1] + length))
    row, start, stop = rows[opens], at[opens], at[np.append(np.flatnonzero(opens)[1:] - 1, len(at) - 1)] + length
    for _ in range(3):  # a character has up to three bytes that continue it
        inside = (data[np.minimum(offsets[row] + start, offsets[row + 1] - 1)] & 0xC0) == 0x80
        start = start + inside
        after = offsets[row] + stop
        stop = stop - ((after < offsets[row + 1]) & ((data[np.minimum(after, len(data) - 1)] & 0xC0) == 0x80))
    whole = start < stop
    return row[whole], start[whole], stop[whole]


def rows_of_places(address: np.ndarray, places: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Rows of documents with these ascending addresses and positions, int64 each, in order and once each."""
    row = np.searchsorted(address, places["address"].to_numpy())
    both = np.unique((row.astype(np.int64) << 32) | places["at"].to_numpy().astype(np.int64))
    return both >> 32, both & 0xFFFFFFFF


def _places(windows: pa.Table, rows: np.ndarray) -> pa.RecordBatch:
    found = windows.select(PLACES.names).take(pa.array(rows)).combine_chunks()
    return pa.record_batch([found[name].combine_chunks() for name in PLACES.names], schema=PLACES)


@njit
def _power(length):  # type: ignore[no-untyped-def]
    out = np.uint64(1)
    for _ in range(length):
        out *= _BASE
    return out


@njit
def _winnow(offsets, data, length, width, key, at, row):  # type: ignore[no-untyped-def]
    """The smallest, last of equals, of each ``width`` consecutive hashes of windows of ``length`` bytes."""
    leaving = _power(length)
    count = 0
    ring = np.empty(width, np.uint64)
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        windows = end - begin - length + 1
        if windows < width:
            continue
        rolling = np.uint64(0)
        for i in range(begin, begin + length - 1):
            rolling = rolling * _BASE + np.uint64(data[i]) + np.uint64(1)
        best, last = np.int64(-1), np.int64(-1)
        least = np.uint64(0)
        for w in range(windows):
            rolling = rolling * _BASE + np.uint64(data[begin + w + length - 1]) + np.uint64(1)
            if w:
                rolling -= leaving * (np.uint64(data[begin + w - 1]) + np.uint64(1))
            value = mix(rolling)
            ring[w % width] = value
            if best < 0 or value <= least:
                best, least = w, value
            elif best <= w - width:
                best, least = w - width + 1, ring[(w - width + 1) % width]
                for other in range(w - width + 2, w + 1):
                    if ring[other % width] <= least:
                        best, least = other, ring[other % width]
            if w >= width - 1 and best != last:
                key[count], at[count], row[count] = least, best, d
                count += 1
                last = best
    return count


@njit
def _windows(offsets, data, bounds, at, length, half, key, first, row):  # type: ignore[no-untyped-def]
    leaving = _power(length)
    count = 0
    for d in range(len(offsets) - 1):
        begin = offsets[d]
        most = offsets[d + 1] - begin - length  # where the last window starts
        done = np.int64(-1)
        rolling = np.uint64(0)
        for s in range(bounds[d], bounds[d + 1]):
            start = max(max(at[s] + half - length, 0), done + 1)
            for w in range(start, min(at[s], most) + 1):
                if w == done + 1 and done >= 0:
                    rolling = rolling * _BASE + np.uint64(data[begin + w + length - 1]) + np.uint64(1)
                    rolling -= leaving * (np.uint64(data[begin + w - 1]) + np.uint64(1))
                else:
                    rolling = np.uint64(0)
                    for i in range(begin + w, begin + w + length):
                        rolling = rolling * _BASE + np.uint64(data[i]) + np.uint64(1)
                key[count], first[count], row[count] = mix(rolling), w, d
                count += 1
                done = w
    return count

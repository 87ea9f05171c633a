"""UTF-8 primitives for compiled code, and the Arrow buffers of a text column."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import pyarrow as pa

njit = nb.njit(cache=True, nogil=True)
inline = nb.njit(inline="always", nogil=True)


def buffers(text: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Offsets int64[n+1] and data uint8[...] of a string or binary array without nulls; no copy of text."""
    wide = pa.large_binary() if pa.types.is_binary(text.type) or pa.types.is_large_binary(text.type) else None
    text = text.cast(wide or pa.large_string())
    offsets = np.frombuffer(text.buffers()[1], np.int64, len(text) + 1, text.offset * 8)
    data_buffer = text.buffers()[2]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.empty(0, np.uint8)
    return offsets, data


def frozen(array: np.ndarray) -> np.ndarray:
    """A contiguous read-only view: one type, and so one compilation, for arrays and for buffers of files and Arrow."""
    view = np.ascontiguousarray(array)[:]
    view.flags.writeable = False
    return view


@inline
def decode(data: Any, i: Any) -> Any:  # pragma: no cover - compiled
    """Code point at byte ``i`` of valid UTF-8, and the index of the next one."""
    first = np.int64(data[np.uint64(i)])  # an unsigned index is not asked whether it counts from the end
    if first < 0x80:
        return first, i + 1
    second = np.int64(data[np.uint64(i + 1)]) & 0x3F
    if first < 0xE0:
        return ((first & 0x1F) << 6) | second, i + 2
    third = np.int64(data[np.uint64(i + 2)]) & 0x3F
    if first < 0xF0:
        return ((first & 0x0F) << 12) | (second << 6) | third, i + 3
    fourth = np.int64(data[np.uint64(i + 3)]) & 0x3F
    return ((first & 0x07) << 18) | (second << 12) | (third << 6) | fourth, i + 4


@inline
def valid_length(data: Any, i: Any, end: Any) -> Any:  # pragma: no cover - compiled
    """Bytes of the well-formed UTF-8 character at ``i`` (Unicode 15, table 3-7), or 0 when it is ill-formed."""
    first = data[i]
    if first < 0x80:
        return 1
    if first < 0xC2 or first > 0xF4:
        return 0
    low, high = np.uint8(0x80), np.uint8(0xBF)
    length = 2
    if first >= 0xE0:
        length = 3 if first < 0xF0 else 4
        if first == 0xE0:
            low = np.uint8(0xA0)
        elif first == 0xED:
            high = np.uint8(0x9F)
        elif first == 0xF0:
            low = np.uint8(0x90)
        elif first == 0xF4:
            high = np.uint8(0x8F)
    if i + length > end or data[i + 1] < low or data[i + 1] > high:
        return 0
    for k in range(2, length):
        if data[i + k] & 0xC0 != 0x80:
            return 0
    return length

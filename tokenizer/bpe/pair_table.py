"""Compiled hash table of pairs of tokens.

``table`` is int64[2**k, 2]: a pair in one number (left id in the high half, right id in the low half) and a value,
such as how often the pair occurs. Linear probing; pairs with the value 0 are forgotten when the table grows.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

FREE = np.int64(-1)
LOAD = 0.7
"""The table grows before more of it than this is used."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, TAOCP 3, section 6.4)
_HALF, _LOW = np.int64(32), np.int64(0xFFFF_FFFF)
_FOLD = np.uint64(31)


def pair_table(size: int) -> NDArray[np.int64]:
    """An empty table of ``size`` slots, a power of two."""
    table = np.zeros((size, 2), np.int64)
    table[:, 0] = FREE
    return table


@njit(cache=True)
def pair_key(left, right):  # type: ignore[no-untyped-def]
    return np.int64(left) << _HALF | np.int64(right)


@njit(cache=True)
def pair_of(key):  # type: ignore[no-untyped-def]
    return key >> _HALF, key & _LOW


@njit(cache=True)
def slot_of(table, key):  # type: ignore[no-untyped-def]
    """The slot of ``key``, or the free slot where it belongs."""
    mask = table.shape[0] - 1
    value = np.uint64(key) * _SPREAD
    slot = np.int64(value ^ (value >> _FOLD)) & mask
    while table[slot, 0] != key and table[slot, 0] != FREE:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True)
def change(table, key, by):  # type: ignore[no-untyped-def]
    """Add ``by`` to the value of ``key``; returns 1 when the key is new, else 0."""
    slot = slot_of(table, key)
    new = table[slot, 0] == FREE
    table[slot, 0] = key
    table[slot, 1] += by
    return np.int64(new)


@njit(cache=True)
def lose(table, key, by):  # type: ignore[no-untyped-def]
    """Take ``by`` off the value of ``key``, if it is there."""
    slot = slot_of(table, key)
    if table[slot, 0] == key:
        table[slot, 1] -= by


@njit(cache=True, nogil=True)
def count_live(table):  # type: ignore[no-untyped-def]
    """Pairs whose value is not 0."""
    live = 0
    for slot in range(table.shape[0]):
        live += table[slot, 0] != FREE and table[slot, 1] != 0
    return live


@njit(cache=True, nogil=True)
def move(table, larger):  # type: ignore[no-untyped-def]
    """Put all pairs whose value is not 0 into the empty table ``larger``."""
    for slot in range(table.shape[0]):
        if table[slot, 0] != FREE and table[slot, 1] != 0:
            place = slot_of(larger, table[slot, 0])
            larger[place, 0], larger[place, 1] = table[slot, 0], table[slot, 1]

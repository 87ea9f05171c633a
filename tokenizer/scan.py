"""A compiled scanner for the Qwen2 pretoken pattern, and a table that numbers distinct pretokens.

Text repeats its pretokens: a batch of 3.7 million holds some 280 thousand distinct ones, and the next batch brings few
new ones. So the encoder asks the BPE once per distinct pretoken and copies ids for all the others.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

LETTER, NUMBER, SPACE, NEWLINE, OTHER, UNASSIGNED = range(6)
# \s of the Oniguruma engine in ``tokenizers`` = the Unicode property White_Space; line ends are a class of their own.
_SPACES = [0x09, 0x0B, 0x0C, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
_FIRST_UNASSIGNED_BYTE = 0xCD  # U+0378, the first unassigned code point, is CD B8 in UTF-8
_HASH_SEED = np.uint64(0xCBF29CE484222325)  # FNV-1a, 64 bit (Fowler, Noll, Vo)
_HASH_PRIME = np.uint64(0x100000001B3)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio (Knuth, TAOCP 3, section 6.4)
_SHIFT = np.uint64(32)


@lru_cache(maxsize=1)
def character_classes() -> NDArray[np.uint8]:
    """The pattern's class of every code point, uint8[0x110000].

    UNASSIGNED marks code points this Python's Unicode database does not know: the regex engine may know better.
    """
    by_category = {"L": LETTER, "N": NUMBER}
    classes = np.full(0x110000, OTHER, np.uint8)
    for code_point in range(0x110000):
        category = unicodedata.category(chr(code_point))
        classes[code_point] = UNASSIGNED if category == "Cn" else by_category.get(category[0], OTHER)
    classes[_SPACES] = SPACE
    classes[[0x0A, 0x0D]] = NEWLINE
    return classes


@njit(cache=True, inline="always")
def _decode(data, i):  # type: ignore[no-untyped-def]
    """Code point at ``data[i]`` (valid UTF-8) and the index after it."""
    byte = np.int64(data[i])
    if byte < 0x80:
        return byte, i + 1
    if byte < 0xE0:
        return (byte & 31) << 6 | np.int64(data[i + 1]) & 63, i + 2
    if byte < 0xF0:
        return (byte & 15) << 12 | (np.int64(data[i + 1]) & 63) << 6 | np.int64(data[i + 2]) & 63, i + 3
    high = (byte & 7) << 18 | (np.int64(data[i + 1]) & 63) << 12
    return high | (np.int64(data[i + 2]) & 63) << 6 | np.int64(data[i + 3]) & 63, i + 4


@njit(cache=True, inline="always")
def _skip_class(data, i, end, classes, wanted):  # type: ignore[no-untyped-def]
    """The index after the run of ``wanted`` (OTHER takes UNASSIGNED along) that starts at ``i``."""
    while i < end:
        code_point, after = _decode(data, i)
        found = classes[code_point]
        if found != wanted and not (wanted == OTHER and found == UNASSIGNED):
            break
        i = after
    return i


@njit(cache=True)
def _contraction_end(data, i, end):  # type: ignore[no-untyped-def]
    """The index after a contraction whose letters start at ``i``, or 0: s t m d re ve ll, any case, and long s."""
    if i >= end:
        return 0
    first = data[i] | 32
    if first == ord("s") or first == ord("t") or first == ord("m") or first == ord("d"):
        return i + 1
    if i + 1 < end:
        second = data[i + 1] | 32
        if (first == ord("r") or first == ord("v")) and second == ord("e"):
            return i + 2
        if first == ord("l") and second == ord("l"):
            return i + 2
        if data[i] == 0xC5 and data[i + 1] == 0xBF:  # U+017F folds to s under (?i)
            return i + 2
    return 0


@njit(cache=True)
def _space_end(data, start, end, classes):  # type: ignore[no-untyped-def]
    """White space at ``start``: up to its last line end, else all but the last character, else all of it."""
    i = start
    last_start = start
    after_newline = np.int64(0)
    while i < end:
        code_point, after = _decode(data, i)
        found = classes[code_point]
        if found != SPACE and found != NEWLINE:
            break
        last_start, i = i, after
        if found == NEWLINE:
            after_newline = after
    if after_newline > 0:
        return after_newline
    return i if i == end or last_start == start else last_start


@njit(cache=True)
def pretoken_end(data, start, end, classes):  # type: ignore[no-untyped-def]
    """The index after the pretoken that starts at ``start`` in ``data[:end]``, as QWEN2_PATTERN finds it."""
    if data[start] == ord("'"):
        i = _contraction_end(data, start + 1, end)
        if i > 0:
            return i
    code_point, second = _decode(data, start)
    found = classes[code_point]
    if found == LETTER:
        return _skip_class(data, second, end, classes, LETTER)
    if found == NUMBER:
        return second
    if found == NEWLINE:
        return _space_end(data, start, end, classes)
    following = SPACE
    if second < end:
        following = classes[_decode(data, second)[0]]
    if following == LETTER:
        return _skip_class(data, second, end, classes, LETTER)
    if found == SPACE and (code_point != ord(" ") or (following != OTHER and following != UNASSIGNED)):
        return _space_end(data, start, end, classes)
    i = _skip_class(data, second, end, classes, OTHER)
    while i < end and (data[i] == ord("\n") or data[i] == ord("\r")):
        i += 1
    return i


@njit(cache=True, nogil=True)
def has_unassigned(data, offsets, classes):  # type: ignore[no-untyped-def]
    """Per text, whether it holds an UNASSIGNED code point; bool[n]. ``offsets`` int64[n+1] into ``data`` uint8."""
    result = np.zeros(offsets.size - 1, np.bool_)
    for text in range(result.size):
        i, end = offsets[text], offsets[text + 1]
        while i < end:
            if data[i] < _FIRST_UNASSIGNED_BYTE:
                i += 1  # too small for a lead byte of one; a continuation byte never is one
                continue
            code_point, i = _decode(data, i)
            if classes[code_point] == UNASSIGNED:
                result[text] = True
                break
    return result


@njit(cache=True, inline="always")
def _slot(data, start, end, mask):  # type: ignore[no-untyped-def]
    value = _HASH_SEED
    for i in range(start, end):
        value = (value ^ np.uint64(data[i])) * _HASH_PRIME
    return np.int64((value * _SPREAD) >> _SHIFT) & mask


@njit(cache=True, nogil=True)
def _fill_slots(slots, known, ends, count):  # type: ignore[no-untyped-def]
    for number in range(count):
        slot = _slot(known, ends[number], ends[number + 1], slots.size - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (slots.size - 1)
        slots[slot] = number


@njit(cache=True, nogil=True)
def _number_pretokens(data, offsets, text, classes, slots, known, ends, count, numbers, text_ends):  # type: ignore[no-untyped-def]
    """Number the pretokens of the texts from ``text`` on; returns (next text, pretokens known).

    Stops before a text for which the table (``slots`` half full, ``known`` bytes) might not suffice.
    """
    mask = slots.size - 1
    filled = np.int64(0) if text == 0 else text_ends[text - 1]
    while text < offsets.size - 1:
        start, end = offsets[text], offsets[text + 1]
        size = end - start
        if 2 * (count + size) > slots.size or ends[count] + size > known.size:
            break
        while start < end:
            stop = pretoken_end(data, start, end, classes)
            slot = _slot(data, start, stop, mask)
            while True:
                number = slots[slot]
                if number < 0:
                    number = count
                    slots[slot] = number
                    known[ends[count] : ends[count] + stop - start] = data[start:stop]
                    ends[count + 1] = ends[count] + stop - start
                    count += 1
                    break
                first = ends[number]
                same = ends[number + 1] - first == stop - start
                i = np.int64(0)
                while same and i < stop - start:
                    same = known[first + i] == data[start + i]
                    i += 1
                if same:
                    break
                slot = (slot + 1) & mask
            numbers[filled] = number
            filled += 1
            start = stop
        text_ends[text] = filled
        text += 1
    return text, count


class PretokenTable:
    """Numbers distinct pretokens 0, 1, 2, ... in order of first sight."""

    def __init__(self) -> None:
        self.count = 0
        self._slots = np.full(1 << 16, -1, np.int32)
        self._known = np.zeros(1 << 18, np.uint8)
        self._ends = np.zeros(self._slots.size // 2 + 1, np.int64)

    def add(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Number the pretokens of n texts of valid NFC UTF-8: ``data[offsets[i]:offsets[i + 1]]``, offsets int64[n+1].

        Returns the number of every pretoken in order, int32[total], and where each text's end in it, int64[n].
        """
        numbers = np.empty(int(offsets[-1] - offsets[0]), np.int32)
        text_ends = np.zeros(offsets.size - 1, np.int64)
        text = 0
        while True:
            text, self.count = _number_pretokens(
                data, offsets, text, character_classes(), self._slots, self._known, self._ends, self.count, numbers,
                text_ends,
            )  # fmt: skip
            if text == text_ends.size:
                return numbers[: text_ends[-1] if text else 0], text_ends
            self._grow(int(offsets[text + 1] - offsets[text]))

    def strings(self, start: int) -> list[str]:
        """The pretokens numbered ``start`` and up."""
        data, ends = self._known[: self._ends[self.count]].tobytes(), self._ends[start : self.count + 1].tolist()
        return [data[a:b].decode() for a, b in zip(ends, ends[1:], strict=False)]

    def _grow(self, text_bytes: int) -> None:
        """Make room for a text of ``text_bytes``, all of whose pretokens may be new."""
        used = int(self._ends[self.count])
        if used + text_bytes > self._known.size:
            known = np.zeros(max(2 * self._known.size, used + text_bytes), np.uint8)
            known[:used] = self._known[:used]
            self._known = known
        needed = 2 * (self.count + text_bytes)
        if needed > self._slots.size:
            self._slots = np.full(1 << (needed - 1).bit_length(), -1, np.int32)
            ends = np.zeros(self._slots.size // 2 + 1, np.int64)
            ends[: self.count + 1] = self._ends[: self.count + 1]
            self._ends = ends
            _fill_slots(self._slots, self._known, self._ends, self.count)

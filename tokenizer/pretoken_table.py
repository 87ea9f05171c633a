"""A table that numbers distinct pretokens.

Text repeats its pretokens: a batch of 3.7 million holds some 280 thousand distinct ones, and the next batch brings few
new ones. So the encoder asks the BPE once per distinct pretoken, and the BPE is trained on distinct pretokens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tokenizer.memory import at, compiled, inlined, load_word, prefetch
from tokenizer.pretokens import QWEN2_PATTERN
from tokenizer.scan.scanner import pretoken_end, scanner

WORD = 8  # bytes
AHEAD = 64  # strings found before the first of them is looked up
_FREE = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_LONG = 255  # lengths from here on are looked up
_EIGHT, _BYTE = np.uint64(8), np.uint64(0xFF)
_SHIFT = np.uint64(32)
# Odd constants of MurmurHash3's 64-bit finaliser (Appleby, public domain).
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)


@inlined
def _word(data, start, end):  # type: ignore[no-untyped-def]
    """The up to eight bytes of ``data[start:end]``, zeros after them, as one number."""
    if start + 8 <= data.size:
        word = load_word(data, start)
        if end - start < 8:
            word &= (np.uint64(1) << np.uint64(8 * (end - start))) - np.uint64(1)
        return word
    word = np.uint64(0)
    for i in range(min(end - start, 8)):
        word |= np.uint64(data[at(start + i)]) << np.uint64(8 * i)
    return word


@inlined
def _mix(value, word):  # type: ignore[no-untyped-def]
    value = (value ^ word) * _MIX_1
    return value ^ (value >> _SHIFT)


@inlined
def _slot(data, start, end, first, mask):  # type: ignore[no-untyped-def]
    """The first slot to look for ``data[start:end]`` in, whose first eight bytes are ``first``."""
    value = _mix(np.uint64(end - start), first)
    start += 8
    while start < end:
        value = _mix(value, _word(data, start, end))
        start += 8
    return np.int64((value * _MIX_2) >> _SHIFT) & mask


@inlined
def _same(data, start, end, known, other):  # type: ignore[no-untyped-def]
    """Whether ``data[start:end]`` is what stands in ``known`` from ``other`` on."""
    while start < end:
        if _word(data, start, end) != _word(known, other, other + end - start):
            return False
        start += 8
        other += 8
    return True


@compiled
def _fill_slots(slots, known, ends, count):  # type: ignore[no-untyped-def]
    mask = slots.shape[0] - 1
    for number in range(count):
        start, end = ends[number], ends[number + 1]
        first = _word(known, start, end)
        slot = _slot(known, start, end, first, mask)
        while slots[at(slot), 1] != _FREE:
            slot = (slot + 1) & mask
        slots[at(slot), 0] = first
        slots[at(slot), 1] = (np.uint64(number) << _EIGHT) | np.uint64(min(end - start, _LONG))


@compiled
def _number_strings(data, offsets, scanner, scan, slots, known, ends, numbers, text_ends, state, ahead):  # type: ignore[no-untyped-def]
    """Number the pretokens of the texts (``scan``), or the texts themselves, until done or out of room.

    ``state`` holds (text, index into ``data``, numbers given, strings known); returns the bytes of room needed, or 0.
    Finds some strings and asks for their slots, and only then looks at the slots: memory answers meanwhile.
    """
    text, start, filled, count = state[0], state[1], state[2], state[3]
    mask = slots.shape[0] - 1
    starts, stops, places, firsts = ahead
    needed = np.int64(0)
    while text < offsets.size - 1:
        found, length, next_text, next_start = 0, np.int64(0), text, start
        while next_text < offsets.size - 1 and found < AHEAD:
            end = offsets[next_text + 1]
            while next_start < end and found < AHEAD:
                stop = pretoken_end(data, next_start, end, scanner) if scan else end
                starts[found], stops[found] = next_start, stop
                firsts[found] = _word(data, next_start, stop)
                places[found] = _slot(data, next_start, stop, firsts[found], mask)
                prefetch(slots, places[found])
                length += stop - next_start
                next_start = stop
                found += 1
            if next_start == end:
                text_ends[next_text] = filled + found
                next_text += 1
        if count + found > slots.shape[0] // 2 or ends[count] + length + WORD > known.size:
            needed = length + WORD
            break
        for i in range(found):
            number = _find(data, starts[i], stops[i], firsts[i], places[i], slots, known, ends, count)
            count = max(count, number + 1)
            numbers[filled + i] = number
        text, start, filled = next_text, next_start, filled + found
    state[0], state[1], state[2], state[3] = text, start, filled, count
    return needed


@inlined
def _find(data, start, stop, first, slot, slots, known, ends, count):  # type: ignore[no-untyped-def]
    """The number of ``data[start:stop]``, which is made known as number ``count`` if it is not."""
    length = stop - start
    short = np.uint64(min(length, _LONG))
    mask = slots.shape[0] - 1
    while slots[at(slot), 1] != _FREE:
        entry = slots[at(slot), 1]
        if slots[at(slot), 0] == first and entry & _BYTE == short:
            number = np.int64(entry >> _EIGHT)
            if length <= 8 or (
                (length < _LONG or ends[at(number + 1)] - ends[at(number)] == length)
                and _same(data, start + 8, stop, known, ends[at(number)] + 8)
            ):
                return number
        slot = (slot + 1) & mask
    slots[at(slot), 0] = first
    slots[at(slot), 1] = (np.uint64(count) << _EIGHT) | short
    for i in range(length):
        known[at(ends[at(count)] + i)] = data[at(start + i)]
    ends[count + 1] = ends[count] + length
    return count


class PretokenTable:
    """Numbers distinct pretokens 0, 1, 2, ... in order of first sight."""

    def __init__(self, pattern: str = QWEN2_PATTERN) -> None:
        """Raises ValueError for a ``pattern`` that is not in `tokenizer.pretokens.PATTERNS`."""
        self.count = 0
        self._scanner = scanner(pattern)
        self._slots = np.full((1 << 16, 2), _FREE, np.uint64)  # first eight bytes; number and length
        self._ahead = (*(np.empty(AHEAD, np.int64) for _ in range(3)), np.empty(AHEAD, np.uint64))
        self._known = np.zeros(1 << 18, np.uint8)
        self._ends = np.zeros(self._slots.shape[0] // 2 + 1, np.int64)

    def add(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Number the pretokens of n texts of valid NFC UTF-8: ``data[offsets[i]:offsets[i + 1]]``, offsets int64[n+1].

        Returns the number of every pretoken in order, int32[total], and where each text's end in it, int64[n].
        """
        numbers = np.empty(int(offsets[-1] - offsets[0]), np.int32)
        text_ends = np.zeros(offsets.size - 1, np.int64)
        total = self._number(data, offsets, True, numbers, text_ends)
        return numbers[:total], text_ends

    def add_whole(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.int32]:
        """Number n pretokens, none of them empty, ``data[offsets[i]:offsets[i + 1]]`` as they are: int32[n]."""
        numbers = np.empty(offsets.size - 1, np.int32)
        self._number(data, offsets, False, numbers, np.zeros(offsets.size - 1, np.int64))
        return numbers

    def strings(self, start: int) -> list[str]:
        """The pretokens numbered ``start`` and up."""
        data, ends = self._known[: self._ends[self.count]].tobytes(), self._ends[start : self.count + 1].tolist()
        return [data[a:b].decode() for a, b in zip(ends, ends[1:], strict=False)]

    def buffers(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The bytes of all pretokens in order of number, uint8, and their offsets int64[count+1]; views."""
        return self._known[: self._ends[self.count]], self._ends[: self.count + 1]

    def _number(
        self,
        data: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        scan: bool,
        numbers: NDArray[np.int32],
        text_ends: NDArray[np.int64],
    ) -> int:
        """Fill ``numbers`` and ``text_ends``, growing the table on the way; returns how many numbers there are."""
        state = np.array([0, offsets[0], 0, self.count], np.int64)
        while True:
            needed = _number_strings(
                data, offsets, self._scanner, scan, self._slots, self._known, self._ends, numbers, text_ends, state,
                self._ahead,
            )  # fmt: skip
            self.count = int(state[3])
            if not needed:
                return int(state[2])
            self._grow(int(needed))

    def _grow(self, room: int) -> None:
        """Make room for ``room`` more bytes and another pretoken."""
        used = int(self._ends[self.count])
        if used + room > self._known.size:
            known = np.zeros(max(2 * self._known.size, used + room), np.uint8)
            known[:used] = self._known[:used]
            self._known = known
        if 2 * (self.count + AHEAD) > self._slots.shape[0]:
            self._slots = np.full((2 * self._slots.shape[0], 2), _FREE, np.uint64)
            ends = np.zeros(self._slots.shape[0] // 2 + 1, np.int64)
            ends[: self.count + 1] = self._ends[: self.count + 1]
            self._ends = ends
            _fill_slots(self._slots, self._known, self._ends, self.count)

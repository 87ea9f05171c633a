"""One pass over the UTF-8 buffer of a batch: characters, units, lines, paragraphs, sentences, and their hashes.

A *unit* is what stands for a word in every count, n-gram and shingle:

- a run of letters, marks and digits, with apostrophes inside (`don't`), in scripts that write spaces;
- one Han character; one run of hiragana; one run of katakana;
- one orthographic cluster in Thai, Lao, Burmese and Khmer: a consonant with its vowels and marks, a vowel written
  before it, consonants stacked below it, and in Burmese a following consonant that is killed by asat.

Marks always stay with their unit; a mark that follows none, such as a variation selector after an emoji, makes none.
Units are hashed over lower-case code points. `Scanner` reuses its buffers: the
arrays of a `Scan` are valid until the next batch is scanned.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from curation.text import unicode_tables, utf8
from curation.text.unicode_tables import (
    APOSTROPHE,
    CLASS_MASK,
    CLUSTER,
    CLUSTER_PREFIX,
    CLUSTER_SUFFIX,
    DIGIT,
    HAN,
    HIRAGANA,
    JOINER,
    KATAKANA,
    LETTER,
    MARK,
    PUNCTUATION,
    SENTENCE_END,
    SPACE,
    STACKER,
    SYMBOL,
    UPPER,
)

COUNTS = (
    "characters",  # code points
    "letters",  # letters of every script; marks not counted
    "digits",
    "punctuation",
    "symbols",
    "spaces",  # white space, line ends included
    "upper",  # upper- or title-case letters
    "newlines",
    "units",
    "unit_characters",  # code points inside units
    "tokens",  # runs of non-space characters
    "letter_tokens",  # tokens with at least one letter
    "hashes",  # '#' characters
    "ellipses",  # '...' and '…'
    "sentences",  # runs of sentence-ending marks that end one
    "lines",  # lines that are not blank
    "bullet_lines",  # starting with a bullet
    "ellipsis_lines",  # ending in an ellipsis
    "terminal_lines",  # ending in a sentence-ending mark, closing quotes and brackets aside
    "short_lines",  # of at most SHORT_LINE characters
    "line_characters",  # characters of all lines, outer white space aside
    "paragraphs",  # blocks of lines between blank lines
)
"""Names of the columns of `Scan.counts`."""
SHORT_LINE = 30
"""FineWeb's short line (Penedo et al. 2024)."""
_INDEX = {name: i for i, name in enumerate(COUNTS)}

BULLETS = frozenset(map(ord, "•‣◦▪●⁃∙·-*–"))
_CLOSERS = frozenset(map(ord, "\"'”’»」』）)]】〉》"))

_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_ASAT, _DOT_BELOW = 0x103A, 0x1037  # Burmese vowel killer and tone mark
_HASH, _STOP, _ELLIPSIS, _NEWLINE = ord("#"), ord("."), 0x2026, 10
_STATE_NONE, _STATE_PREFIX = 0, 100
"""States of the unit machine besides the class of the unit under way: none, a vowel waiting for its consonant."""


class Scan(NamedTuple):
    """What one pass found in n documents."""

    counts: np.ndarray  # int64[n, len(COUNTS)]
    unit_hash: np.ndarray  # uint64[units of the batch]
    unit_length: np.ndarray  # int32[units]: code points
    unit_bounds: np.ndarray  # int64[n+1]: the units of document d are [bounds[d], bounds[d+1])
    line_hash: np.ndarray  # uint64[lines]
    line_length: np.ndarray  # int32[lines]: characters, outer white space aside
    line_bounds: np.ndarray  # int64[n+1]
    paragraph_hash: np.ndarray  # uint64[paragraphs]
    paragraph_length: np.ndarray  # int32[paragraphs]
    paragraph_bounds: np.ndarray  # int64[n+1]

    def column(self, name: str) -> np.ndarray:
        """One column of `counts`: int64[n]."""
        column: np.ndarray = self.counts[:, _INDEX[name]]
        return column


class Scanner:
    """Scans batches, reusing its buffers from one to the next."""

    def __init__(self) -> None:
        tables = unicode_tables.load()
        self._properties, self._lower = tables.properties, tables.lower
        self._bullets = _flag_table(BULLETS)
        self._closers = _flag_table(_CLOSERS)
        self._room = 0
        self._reserve(1 << 16)

    def _reserve(self, bytes_: int) -> None:
        # A unit, a line and a paragraph each need at least one byte and one separator, or three bytes.
        room = bytes_ // 2 + 2
        if room <= self._room:
            return
        self._room = room
        self._hashes = [np.empty(room, np.uint64) for _ in range(3)]
        self._lengths = [np.empty(room, np.int32) for _ in range(3)]

    def scan(self, text: pa.Array) -> Scan:
        """Scan a string array of valid UTF-8 without nulls."""
        offsets, data = utf8.buffers(text)
        n = len(text)
        self._reserve(int(offsets[-1] - offsets[0]) + n)
        counts = np.zeros((n, len(COUNTS)), np.int64)
        bounds = np.zeros((3, n + 1), np.int64)
        (units, lines, paragraphs), lengths = self._hashes, self._lengths
        _scan(offsets, data, self._properties, self._lower, self._bullets, self._closers, counts, bounds,
              units, lengths[0], lines, lengths[1], paragraphs, lengths[2])  # fmt: skip
        end = bounds[:, n]
        return Scan(counts, units[: end[0]], lengths[0][: end[0]], bounds[0], lines[: end[1]], lengths[1][: end[1]],
                    bounds[1], paragraphs[: end[2]], lengths[2][: end[2]], bounds[2])  # fmt: skip


def _flag_table(codes: frozenset[int]) -> np.ndarray:
    table = np.zeros(0x10000, np.uint8)
    table[list(codes)] = 1
    return table


@utf8.inline
def mix(hash_: Any) -> Any:  # pragma: no cover - compiled
    """Finish a 64-bit hash so that every bit depends on every bit."""
    hash_ ^= hash_ >> np.uint64(32)
    hash_ *= _MIX
    return hash_ ^ (hash_ >> np.uint64(29))


_COLUMNS = {name: np.int64(i) for name, i in _INDEX.items()}
_UNITS, _UNIT_CHARACTERS, _TOKENS, _LETTER_TOKENS = (
    _COLUMNS[name] for name in ("units", "unit_characters", "tokens", "letter_tokens")
)
_CHARACTERS, _LETTERS, _DIGITS, _PUNCTUATION, _SYMBOLS, _SPACES, _UPPER, _NEWLINES = (
    _COLUMNS[name]
    for name in ("characters", "letters", "digits", "punctuation", "symbols", "spaces", "upper", "newlines")
)
_HASHES, _ELLIPSES, _SENTENCES, _LINES, _BULLETS, _ELLIPSIS_LINES, _TERMINAL_LINES, _SHORT_LINES, _LINE_CHARACTERS = (
    _COLUMNS[name]
    for name in ("hashes", "ellipses", "sentences", "lines", "bullet_lines", "ellipsis_lines", "terminal_lines",
                 "short_lines", "line_characters")
)  # fmt: skip
_PARAGRAPHS = _COLUMNS["paragraphs"]


@utf8.inline
def _continues(state: Any, kind: Any, stacked: Any, code: Any, following: Any, following_kind: Any) -> Any:
    """Whether a character of class ``kind`` belongs to the unit under way (``state``)."""
    if state == _STATE_NONE:
        return False
    if kind in (MARK, JOINER, STACKER):
        return True
    if kind in (LETTER, DIGIT):
        return state == LETTER
    if kind in (HIRAGANA, KATAKANA):
        return state == kind or (code == 0x30FC and state == HIRAGANA)
    if kind == CLUSTER:
        killed = 0x1000 <= code < 0x1040 and (following in (_ASAT, _DOT_BELOW))
        return state == _STATE_PREFIX or (state == CLUSTER and (stacked or killed))
    if kind == CLUSTER_SUFFIX:
        return state in (CLUSTER, _STATE_PREFIX)
    if kind == APOSTROPHE:
        return state == LETTER and following_kind == LETTER
    return False


@utf8.inline
def _opens(kind: Any) -> Any:
    """State of a unit that a character of class ``kind`` opens; none for characters outside units."""
    if kind in (LETTER, DIGIT):
        return LETTER
    if kind in (HAN, HIRAGANA, KATAKANA, CLUSTER):
        return kind
    if kind == CLUSTER_SUFFIX:
        return CLUSTER
    if kind == CLUSTER_PREFIX:
        return _STATE_PREFIX
    return _STATE_NONE


@utf8.inline
def _is_small(table: Any, code: Any) -> Any:
    return code < 0x10000 and table[code] == 1


@utf8.njit
def _scan(offsets, data, properties, lower, bullets, closers, counts, bounds,  # type: ignore[no-untyped-def]
          unit_hash, unit_length, line_hash, line_length, paragraph_hash, paragraph_length):  # fmt: skip
    units = lines = paragraphs = np.int64(0)
    for d in range(len(offsets) - 1):
        row = counts[d]
        i, end = offsets[d], offsets[d + 1]
        unit, length, state, stacked = _FNV_OFFSET, 0, _STATE_NONE, False
        line, trimmed, pending, indent = _FNV_OFFSET, 0, 0, True  # hash, characters, inner spaces not yet hashed
        first = last = np.int64(0)  # outermost characters of the line that are not spaces
        unclosed = np.int64(0)  # the last of them that is no closing quote or bracket
        end_dots = 0  # full stops in a row that end the line
        paragraph, paragraph_characters, in_paragraph = _FNV_OFFSET, 0, False
        in_token = letter_token = False
        dots = 0  # full stops in a row
        ended = False  # inside a run of sentence-ending marks
        code, following_at = (np.int64(0), i) if i == end else utf8.decode(data, i)
        while i < end:
            i = following_at
            following = np.int64(_NEWLINE)
            if i < end:
                following, following_at = utf8.decode(data, i)
            bits = np.int64(properties[code])
            kind = bits & CLASS_MASK
            following_kind = np.int64(properties[following]) & CLASS_MASK

            # Units.
            if _continues(state, kind, stacked, code, following, following_kind):
                unit = (unit ^ np.uint64(lower[code])) * _FNV_PRIME
                length += 1
                if state == _STATE_PREFIX and kind != MARK:
                    state = CLUSTER
                stacked = kind == STACKER or (stacked and kind == JOINER)
            else:
                if length > 0:
                    unit_hash[units], unit_length[units] = mix(unit), length
                    row[_UNIT_CHARACTERS] += length
                    units += 1
                state, length, stacked = _opens(kind), 0, False
                if state != _STATE_NONE:
                    unit, length = (_FNV_OFFSET ^ np.uint64(lower[code])) * _FNV_PRIME, 1

            # Characters.
            row[_CHARACTERS] += 1
            is_letter = kind == LETTER or (HAN <= kind <= CLUSTER_SUFFIX)
            if is_letter:
                row[_LETTERS] += 1
                if bits & UPPER:
                    row[_UPPER] += 1
            elif kind == DIGIT:
                row[_DIGITS] += 1
            elif kind in (PUNCTUATION, APOSTROPHE):
                row[_PUNCTUATION] += 1
                if code == _HASH:
                    row[_HASHES] += 1
            elif kind == SYMBOL:
                row[_SYMBOLS] += 1

            # Ellipses and sentence ends.
            dots = dots + 1 if code == _STOP else 0
            if code == _ELLIPSIS or dots == 3:
                row[_ELLIPSES] += 1
            if bits & SENTENCE_END:
                # A mark of ASCII ends a sentence only before a space, a closing quote or bracket, or another script;
                # so '3.14' and 'example.org' do not end one. A run of marks ends one sentence.
                wide = code > 0x7F and code != _ELLIPSIS
                open_end = following_kind in (SPACE, HAN) or _is_small(closers, following)
                if not ended and (wide or open_end):
                    row[_SENTENCES] += 1
                    ended = True
            elif not _is_small(closers, code):
                ended = False

            # Tokens and lines.
            if kind == SPACE:
                row[_SPACES] += 1
                if in_token:
                    row[_TOKENS] += 1
                    row[_LETTER_TOKENS] += letter_token
                    in_token = letter_token = False
                pending += 1
            else:
                in_token = True
                letter_token = letter_token or is_letter
                if indent:
                    indent, pending, first = False, 0, code
                if pending > 0:
                    line = (line ^ np.uint64(0x110000 + pending)) * _FNV_PRIME
                    trimmed += pending
                    pending = 0
                line = (line ^ np.uint64(code)) * _FNV_PRIME
                trimmed += 1
                last, end_dots = code, dots
                if not _is_small(closers, code):
                    unclosed = code
            if code == _NEWLINE:
                row[_NEWLINES] += 1
            if code == _NEWLINE or i == end:
                if trimmed > 0:
                    line = mix(line)
                    line_hash[lines], line_length[lines] = line, trimmed
                    lines += 1
                    row[_LINES] += 1
                    row[_LINE_CHARACTERS] += trimmed
                    row[_BULLETS] += _is_small(bullets, first)
                    row[_SHORT_LINES] += trimmed <= 30
                    row[_ELLIPSIS_LINES] += last == _ELLIPSIS or end_dots >= 3
                    row[_TERMINAL_LINES] += (properties[unclosed] & SENTENCE_END) != 0
                    paragraph = (paragraph ^ line) * _FNV_PRIME
                    paragraph_characters += trimmed
                    in_paragraph = True
                if in_paragraph and (trimmed == 0 or i == end):
                    paragraph_hash[paragraphs], paragraph_length[paragraphs] = mix(paragraph), paragraph_characters
                    paragraphs += 1
                    row[_PARAGRAPHS] += 1
                    paragraph, paragraph_characters, in_paragraph = _FNV_OFFSET, 0, False
                line, trimmed, pending, indent = _FNV_OFFSET, 0, 0, True
                first = last = unclosed = np.int64(0)
                end_dots = 0
            code = following
        if length > 0:
            unit_hash[units], unit_length[units] = mix(unit), length
            row[_UNIT_CHARACTERS] += length
            units += 1
        if in_token:
            row[_TOKENS] += 1
            row[_LETTER_TOKENS] += letter_token
        bounds[0, d + 1], bounds[1, d + 1], bounds[2, d + 1] = units, lines, paragraphs
        row[_UNITS] = bounds[0, d + 1] - bounds[0, d]

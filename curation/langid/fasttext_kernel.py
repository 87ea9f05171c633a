"""From a text to its vector, as fastText computes it: tokens, character and word n-grams, the mean of their rows.

Rows are added in fastText's order and in float32, so that the vector is the same to the last bit, cached or not: the
cache holds the rows of a token, not their sum, and a hit compares the token's bytes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from curation.langid.fasttext_file import FastTextFile
from curation.text.utf8 import frozen, inline, njit

# FNV-1a, https://datatracker.ietf.org/doc/html/draft-eastlake-fnv; only the lower 32 bits count.
_FNV_OFFSET, _FNV_PRIME, _LOW = np.uint64(2166136261), np.uint64(16777619), np.uint64(0xFFFFFFFF)
_NGRAM_FACTOR = np.uint64(116049371)
"""Multiplier of fastText's hash of a word n-gram."""
_END = np.frombuffer(b"</s>", np.uint8)
"""The token that fastText puts at the end of a line."""
_LABEL = np.frombuffer(b"__label__", np.uint8)
_OPEN, _CLOSE = ord("<"), ord(">")
_ABSENT, _IS_LABEL = -1, -1
CACHE_SLOTS = 1 << 16
_CACHED_BYTES, _CACHED_ROWS = 16, 11
_COUNT_AT, _ROWS_AT = 4, 5
_BLOCK = 128
"""Rows are added when at least so many are gathered: few enough to stay in the processor's cache between columns."""


class Vocabulary(NamedTuple):
    """What compiled code looks tokens and n-grams up in."""

    slots: np.ndarray  # int32[2**k]: open-addressing table of entries by hash, -1 = free
    bytes_: np.ndarray  # uint8[...]: all entries
    offsets: np.ndarray  # int64[entries+1]
    kept: np.ndarray  # uint64[...]: one bit a bucket of n-grams, set when it has a row
    kept_before: np.ndarray  # uint32[...]: set bits before each of these words
    words: int  # entries before this one are words, the others labels
    min_ngram: int
    max_ngram: int
    word_ngrams: int
    buckets: int
    end: int  # entry of the end-of-line token, -1 = none


class Scratch(NamedTuple):
    """Working memory for texts of a bounded size, and the cache of tokens: the latest token of a slot replaces another.

    A slot is 64 bytes, one line of the processor's cache: the token's bytes as one number of 128 bits, which has no
    other reading because tokens hold no zero byte; the number of its rows; its rows.
    """

    word: np.ndarray  # uint8[bytes of the longest text + 2]: a token between its marks
    rows: np.ndarray  # uint32[...]: rows not yet added
    hashes: np.ndarray  # int64[...]: hashes of a text's tokens
    cached_tokens: np.ndarray  # uint64[CACHE_SLOTS, 8]: high and low half, 0 = free
    cached_rows: np.ndarray  # uint32[CACHE_SLOTS, 16]: the same memory; column 4: number of rows, then the rows


def vocabulary(model: FastTextFile) -> tuple[Vocabulary, np.ndarray]:
    """Tables of a model, and its input matrix, float32[rows, 4k].

    Its rows of n-grams are in the order of their buckets, its columns are filled up with zeros.
    """
    offsets = np.concatenate([[0], np.cumsum([len(entry) for entry in model.entries])]).astype(np.int64)
    bytes_ = np.frombuffer(b"".join(model.entries), np.uint8)
    slots = np.full(1 << (2 * len(model.entries)).bit_length(), _ABSENT, np.int32)
    _fill_entries(slots, bytes_, offsets)

    matrix = model.input
    has_row = np.zeros(64 * (model.buckets // 64 + 1), bool)
    has_row[: model.buckets] = True
    if model.kept_ngrams is not None:
        buckets, rows = model.kept_ngrams[np.argsort(model.kept_ngrams[:, 0])].T
        matrix = matrix[np.concatenate([np.arange(model.words), model.words + rows])]
        has_row[:] = False
        has_row[buckets] = True
    kept_each = has_row.reshape(-1, 64).sum(axis=1, dtype=np.uint32)
    words = model.entries[: model.words]
    tables = Vocabulary(
        slots, bytes_, offsets,
        np.packbits(has_row, bitorder="little").view("<u8"), np.cumsum(kept_each, dtype=np.uint32) - kept_each,
        model.words, model.min_ngram, model.max_ngram, model.word_ngrams, model.buckets,
        words.index(b"</s>") if b"</s>" in words else _ABSENT,
    )  # fmt: skip
    if model.dimension % 4 > 0:
        matrix = np.pad(matrix, ((0, 0), (0, -model.dimension % 4)))
    return tables, frozen(matrix)


def scratch(vocabulary: Vocabulary, longest: int) -> Scratch:
    """Working memory for texts of up to ``longest`` bytes, the cache empty."""
    cache = np.zeros((CACHE_SLOTS, 8), np.uint64)
    lengths_of_ngrams = max(vocabulary.max_ngram - max(vocabulary.min_ngram, 1) + 1, 0)
    return Scratch(
        np.empty(longest + 2, np.uint8),
        np.empty(_BLOCK + (longest + 2) * lengths_of_ngrams + _CACHED_ROWS, np.uint32),
        np.empty(longest // 2 + 2 if vocabulary.word_ngrams > 1 else 0, np.int64),
        cache,
        cache.view(np.uint32),
    )


@inline
def _hash_step(hash_: Any, byte: Any) -> Any:  # pragma: no cover - compiled
    # Bytes from 128 on enter as negative numbers: fastText's models were trained with signed characters.
    return (hash_ ^ np.uint64(np.int64(np.int8(byte)))) * _FNV_PRIME


@inline
def _is_space(byte: Any) -> Any:  # pragma: no cover - compiled
    return byte <= 32 and (byte == 32 or 9 <= byte <= 13 or byte == 0)


@inline
def _same(data: Any, start: Any, other: Any, other_start: Any, length: Any) -> Any:  # pragma: no cover - compiled
    same = True
    for k in range(length):
        if data[start + k] != other[other_start + k]:
            same = False
            break
    return same


@njit
def _find(slots, bytes_, offsets, data, start, length, hash_):  # type: ignore[no-untyped-def]
    """Slot of the entry equal to ``length`` bytes at ``start``, or the free slot where it would be."""
    slot = np.int64(hash_) & (len(slots) - 1)
    while True:
        entry = slots[slot]
        if entry == _ABSENT:
            return slot
        at = offsets[entry]
        if offsets[entry + 1] - at == length and _same(bytes_, at, data, start, length):
            return slot
        slot = (slot + 1) & (len(slots) - 1)


@njit
def _fill_entries(slots, bytes_, offsets):  # type: ignore[no-untyped-def]
    for entry in range(len(offsets) - 1):
        hash_ = _FNV_OFFSET
        for i in range(offsets[entry], offsets[entry + 1]):
            hash_ = _hash_step(hash_, bytes_[i])
        length = offsets[entry + 1] - offsets[entry]
        slots[_find(slots, bytes_, offsets, bytes_, offsets[entry], length, hash_ & _LOW)] = entry


@inline
def _is_kept(vocabulary: Any, bucket: Any) -> Any:  # pragma: no cover - compiled
    """1 when the bucket has a row, else 0."""
    return np.int64((vocabulary.kept[bucket >> 6] >> np.uint64(bucket & 63)) & np.uint64(1))


@inline
def _ngram_row(vocabulary: Any, bucket: Any) -> Any:  # pragma: no cover - compiled
    """Row of a bucket that is kept: one for each kept bucket, in order."""
    lower = vocabulary.kept[bucket >> 6] & ((np.uint64(1) << np.uint64(bucket & 63)) - np.uint64(1))
    return vocabulary.words + np.int64(vocabulary.kept_before[bucket >> 6]) + _set_bits(lower)


@inline
def _set_bits(word: Any) -> Any:  # pragma: no cover - compiled
    """Number of set bits of a uint64: sums of neighbouring groups of 1, 2 and 4 bits, then of all bytes."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit
def _token_rows(data, start, length, hash_, vocabulary, word, rows, begin):  # type: ignore[no-untyped-def]
    """Put the rows of a token, itself if known and its character n-grams, at ``begin``: where they end; -1: a label."""
    end = begin
    entry = vocabulary.slots[_find(vocabulary.slots, vocabulary.bytes_, vocabulary.offsets, data, start, length, hash_)]
    if entry != _ABSENT:
        if entry >= vocabulary.words:
            return _IS_LABEL
        rows[end] = entry
        end += 1
    elif length >= len(_LABEL) and _same(data, start, _LABEL, 0, len(_LABEL)):
        return _IS_LABEL
    if vocabulary.max_ngram <= 0:
        return end
    ngrams = end
    size = length + 2
    word[0], word[size - 1] = _OPEN, _CLOSE
    for i in range(length):
        word[i + 1] = data[start + i]
    buckets, shortest, longest = np.uint64(vocabulary.buckets), vocabulary.min_ngram, vocabulary.max_ngram
    for first in range(size):
        if word[first] & 0xC0 == 0x80:
            continue
        ngram, at, characters = _FNV_OFFSET, first, 0
        while at < size and characters < longest:
            ngram = _hash_step(ngram, word[at])
            at += 1
            while at < size and word[at] & 0xC0 == 0x80:
                ngram = _hash_step(ngram, word[at])
                at += 1
            characters += 1
            # The marks alone are no n-grams. Most n-grams have no row: no branch, so that none is mispredicted.
            if characters >= shortest and (characters > 1 or (first > 0 and at < size)):
                bucket = np.int64((ngram & _LOW) % buckets)
                rows[end] = bucket
                end += _is_kept(vocabulary, bucket)
    for i in range(ngrams, end):
        rows[i] = _ngram_row(vocabulary, np.int64(rows[i]))
    return end


@njit
def _add_rows(hidden, matrix, rows, count):  # type: ignore[no-untyped-def]
    """Add ``count`` rows to the vector, four columns at a time, so that the sums stay in registers."""
    for j in range(0, len(hidden), 4):
        a, b, c, d = hidden[j], hidden[j + 1], hidden[j + 2], hidden[j + 3]
        for i in range(count):
            row = matrix[rows[i]]
            a += row[j]
            b += row[j + 1]
            c += row[j + 2]
            d += row[j + 3]
        hidden[j], hidden[j + 1], hidden[j + 2], hidden[j + 3] = a, b, c, d


@njit
def text_vector(data, start, stop, vocabulary, matrix, scratch, hidden):  # type: ignore[no-untyped-def]
    """Set hidden float32[columns] to the mean of the rows of bytes ``start`` ... ``stop``; the number of rows.

    The text counts as one line: newlines inside it separate tokens as spaces do. Without rows the mean stays zero.
    """
    hidden[:] = 0
    rows = scratch.rows
    added = pending = tokens = 0
    with_words = vocabulary.word_ngrams > 1
    at = start
    while True:
        while at < stop and _is_space(data[at]):
            at += 1
        if at == stop:
            break
        first, hash_ = at, _FNV_OFFSET
        high = low = np.uint64(0)
        while at < stop and not _is_space(data[at]):
            byte = data[at]
            hash_ = _hash_step(hash_, byte)
            high = (high << np.uint64(8)) | (low >> np.uint64(56))
            low = (low << np.uint64(8)) | np.uint64(byte)
            at += 1
        hash_ &= _LOW
        length = at - first
        slot = np.int64(hash_ ^ (hash_ >> np.uint64(16))) & (len(scratch.cached_rows) - 1)
        token, cached = scratch.cached_tokens[slot], scratch.cached_rows[slot]
        if length <= _CACHED_BYTES and token[0] == high and token[1] == low:
            count = np.int64(cached[_COUNT_AT])
            for i in range(_CACHED_ROWS):  # always all, so that the loop needs no branch
                rows[pending + i] = cached[_ROWS_AT + i]
        else:
            if length == len(_END) and _same(data, first, _END, 0, length):
                break  # the end-of-line token written out ends the text
            end = _token_rows(data, first, length, hash_, vocabulary, scratch.word, rows, pending)
            if end == _IS_LABEL:
                continue
            count = end - pending
            if length <= _CACHED_BYTES and count <= _CACHED_ROWS:
                token[0], token[1], cached[_COUNT_AT] = high, low, count
                for i in range(count):
                    cached[_ROWS_AT + i] = rows[pending + i]
        pending += count
        if pending >= _BLOCK:
            _add_rows(hidden, matrix, rows, pending)
            added, pending = added + pending, 0
        if with_words:
            scratch.hashes[tokens] = np.int32(hash_)
            tokens += 1

    if vocabulary.end != _ABSENT:
        rows[pending] = vocabulary.end
        pending += 1
    _add_rows(hidden, matrix, rows, pending)
    added += pending
    if with_words:
        hash_ = _FNV_OFFSET
        for byte in _END:
            hash_ = _hash_step(hash_, byte)
        scratch.hashes[tokens] = np.int32(hash_ & _LOW)
        added += _add_word_ngrams(scratch.hashes[: tokens + 1], vocabulary, matrix, rows, hidden)
    if added > 0:
        share = np.float32(1.0 / added)
        for j in range(len(hidden)):
            hidden[j] *= share
    return added


@njit
def _add_word_ngrams(hashes, vocabulary, matrix, rows, hidden):  # type: ignore[no-untyped-def]
    """Add the rows of all word n-grams of two words and more; their number."""
    added = pending = 0
    for i in range(len(hashes)):
        ngram = np.uint64(hashes[i])
        for j in range(i + 1, min(i + vocabulary.word_ngrams, len(hashes))):
            ngram = ngram * _NGRAM_FACTOR + np.uint64(hashes[j])
            bucket = np.int64(ngram % np.uint64(vocabulary.buckets))
            if _is_kept(vocabulary, bucket):
                rows[pending] = _ngram_row(vocabulary, bucket)
                pending += 1
            if pending == _BLOCK:
                _add_rows(hidden, matrix, rows, pending)
                added, pending = added + pending, 0
    _add_rows(hidden, matrix, rows, pending)
    return added + pending

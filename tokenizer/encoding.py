"""Encoding columns of text into token ids, exactly as ``tokenizers`` does, treating all text as ordinary text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from tokenizers import Tokenizer, pre_tokenizers

from tokenizer.pretoken_table import PretokenTable
from tokenizer.pretokens import END_OF_TEXT, LETTERS, QWEN2_PATTERN, build_pipeline, compose

CHUNK_BYTES = 4 << 20  # text scanned at a time: bounds scratch memory to a few bytes per byte of text
CACHED_PRETOKENS = 1 << 21  # then the table starts afresh


def plain_text_tokenizer(tokenizer: Tokenizer) -> Tokenizer:
    """A copy of ``tokenizer`` without added tokens: "<|endoftext|>" in a text is text, never the control token."""
    settings = json.loads(tokenizer.to_str())
    settings.update(added_tokens=[], post_processor=None, truncation=None, padding=None)
    return Tokenizer.from_str(json.dumps(settings))


def encode_with(tokenizer: Tokenizer, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The ids of n texts one after the other, uint32[total], and the number of ids of each, int64[n]."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    return np.fromiter(chain.from_iterable(ids), np.uint32, int(lengths.sum())), lengths


class Encoder:
    """Encodes text with the tokenizer in ``tokenizer_json`` (a path).

    Not to be shared between threads. Raises ValueError when the tokenizer has no end-of-text token.
    """

    def __init__(self, tokenizer_json: str | Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer_json))
        self._plain = plain_text_tokenizer(self._tokenizer)
        end_of_text = self._tokenizer.token_to_id(END_OF_TEXT)
        if end_of_text is None:
            raise ValueError(f"{tokenizer_json} has no token {END_OF_TEXT}: documents could not be ended.")
        self.end_of_text: int = end_of_text
        self.vocabulary_size: int = self._tokenizer.get_vocab_size()
        self._pattern = scannable_pattern(self._plain)
        # Encodes single pretokens: no normaliser and no pattern, which have done their work by then.
        self._pieces = plain_text_tokenizer(self._tokenizer)
        self._pieces.normalizer = None
        self._pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        self._forget()

    def encode(
        self, texts: pa.LargeStringArray | pa.ChunkedArray, *, append_end: bool = False
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Token ids of n texts, uint32[total], and where each text's begin and end in it, int64[n+1].

        No control token is recognised in the texts; ``append_end`` adds one END_OF_TEXT after each.
        Raises ValueError for a null text, naming its row.
        """
        if texts.null_count:
            row = texts.is_null().to_pylist().index(True)
            raise ValueError(f"Row {row} of the text column is null: drop such rows before encoding.")
        encode = self._encode_scanned if self._pattern else self._encode_reference
        parts = [encode(chunk) for chunk in _chunks(texts.to_pylist())]
        tokens = np.concatenate([np.zeros(0, np.uint32), *(tokens for tokens, _ in parts)])
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(np.concatenate([np.zeros(0, np.int64), *(lengths for _, lengths in parts)]), out=offsets[1:])
        if append_end:
            tokens = np.insert(tokens, offsets[1:], np.uint32(self.end_of_text))
            offsets += np.arange(offsets.size)
        return tokens, offsets

    def decode(self, tokens: NDArray[np.uint32] | Sequence[int]) -> str:
        """The text of ``tokens``, control tokens included; bytes that are not UTF-8 become U+FFFD."""
        return str(self._tokenizer.decode([int(token) for token in tokens], skip_special_tokens=False))

    def _encode_reference(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids and number of ids of each text, by ``tokenizers`` from end to end."""
        return encode_with(self._plain, texts)

    def _encode_scanned(self, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """As ``_encode_reference``, but ``tokenizers`` sees each distinct pretoken once."""
        data, offsets = _utf8([compose(text) for text in texts])
        if self._table.count > CACHED_PRETOKENS:
            self._forget()
        numbers, text_ends = self._table.add(data, offsets)
        self._learn()
        return _expand(numbers, text_ends, self._ids, self._id_offsets)

    def _forget(self) -> None:
        self._table = PretokenTable(self._pattern or QWEN2_PATTERN)
        self._ids = np.zeros(0, np.uint32)
        self._id_offsets = np.zeros(1, np.int64)

    def _learn(self) -> None:
        """Encode the pretokens that the table has seen for the first time."""
        ids, lengths = encode_with(self._pieces, self._table.strings(self._id_offsets.size - 1))
        self._id_offsets = np.concatenate([self._id_offsets, self._id_offsets[-1] + np.cumsum(lengths)])
        self._ids = np.concatenate([self._ids, ids])


def scannable_pattern(tokenizer: Tokenizer) -> str | None:
    """The pattern of the tokenizer when the scanner reproduces its normaliser and pre-tokenizer, else None."""
    theirs = json.loads(tokenizer.to_str())
    for pattern in LETTERS:
        ours = json.loads(build_pipeline(pattern=pattern).to_str())
        if all(ours[part] == theirs[part] for part in ("normalizer", "pre_tokenizer")):
            return pattern
    return None


def _chunks(texts: list[str]) -> Iterator[list[str]]:
    """``texts`` in lists of about CHUNK_BYTES characters."""
    start = size = 0
    for i, text in enumerate(texts):
        size += len(text)
        if size >= CHUNK_BYTES:
            yield texts[start : i + 1]
            start, size = i + 1, 0
    if start < len(texts):
        yield texts[start:]


def _utf8(texts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The texts' UTF-8 bytes, uint8, and where each begins and ends, int64[n+1]."""
    _, offsets, data = pa.array(texts, pa.large_string()).buffers()
    text_bytes = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    return text_bytes, np.frombuffer(offsets, np.int64, len(texts) + 1)


@njit(cache=True, nogil=True)
def _expand(numbers, text_ends, ids, id_offsets):  # type: ignore[no-untyped-def]
    """The ids of the numbered pretokens in order, uint32, and the number of ids of each text, int64[n]."""
    total = np.int64(0)
    for number in numbers:
        total += id_offsets[number + 1] - id_offsets[number]
    tokens = np.empty(total, np.uint32)
    lengths = np.zeros(text_ends.size, np.int64)
    filled, first = np.int64(0), np.int64(0)
    for text in range(text_ends.size):
        start = filled
        for i in range(first, text_ends[text]):
            for k in range(id_offsets[numbers[i]], id_offsets[numbers[i] + 1]):
                tokens[filled] = ids[k]
                filled += 1
        lengths[text] = filled - start
        first = text_ends[text]
    return tokens, lengths

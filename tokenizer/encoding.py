"""Encoding columns of text into token ids, exactly as ``tokenizers`` does, treating all text as ordinary text."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tokenizers import Tokenizer

from curation.text.utf8 import buffers
from tokenizer.compiled_encoder import CompiledEncoder, compile_encoder
from tokenizer.composition import composed
from tokenizer.pretokens import END_OF_TEXT

CHUNK_BYTES = 4 << 20  # text encoded at a time: bounds scratch memory to some ten bytes per byte of text
CHECKED_BYTES = 1 << 16  # of a sample: some 30 milliseconds of ``tokenizers``


def plain_text_tokenizer(tokenizer: Tokenizer) -> Tokenizer:
    """``tokenizer`` without added tokens: "<|endoftext|>" in a text is text, never the control token.

    It has no post-processor, truncation or padding either, and shares the model.
    """
    plain = Tokenizer(tokenizer.model)
    plain.normalizer, plain.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    plain.decoder = tokenizer.decoder
    return plain


def encode_with(tokenizer: Tokenizer, texts: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The ids of n texts one after the other, uint32[total], and the number of ids of each, int64[n]."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    return np.fromiter(chain.from_iterable(ids), np.uint32, int(lengths.sum())), lengths


class Encoder:
    """Encodes text with the tokenizer in ``tokenizer_json`` (a path).

    In compiled code where the tokenizer is of a kind it knows (see `compile_encoder`), with ``tokenizers`` otherwise;
    ``compiled`` says which, and ``difference`` why compiled code was given up. Not to be shared between threads.
    Raises ValueError when the tokenizer has no end-of-text token.
    """

    difference: str | None = None
    """The first text that `check` found to be encoded otherwise than by ``tokenizers``."""

    def __init__(self, tokenizer_json: str | Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer_json))
        self._plain = plain_text_tokenizer(self._tokenizer)
        end_of_text = self._tokenizer.token_to_id(END_OF_TEXT)
        if end_of_text is None:
            raise ValueError(f"{tokenizer_json} has no token {END_OF_TEXT}: documents could not be ended.")
        self.end_of_text: int = end_of_text
        self._compiled: CompiledEncoder | None
        self._compiled, self._composes = compile_encoder(self._plain) or (None, False)

    @property
    def compiled(self) -> bool:
        return self._compiled is not None

    def encode(
        self, texts: pa.LargeStringArray | pa.ChunkedArray, *, append_end: bool = False, allow_special: bool = False
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Token ids of n texts, uint32[total], and where each text's begin and end in it, int64[n+1].

        No control token is recognised in the texts unless ``allow_special``, which takes ``tokenizers`` and its time;
        ``append_end`` adds one END_OF_TEXT after each. Raises ValueError for a null text, naming its row, and for
        text that is not UTF-8.
        """
        if texts.null_count:
            row = pc.index(texts.is_null(), True).as_py()
            raise ValueError(f"Row {row} of the text column is null: drop such rows before encoding.")
        end = self.end_of_text if append_end else None
        parts = [self._encode(part, end, allow_special) for part in _parts(texts)]
        tokens = np.concatenate([np.zeros(0, np.uint32), *(tokens for tokens, _ in parts)])
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(np.concatenate([np.zeros(0, np.int64), *(lengths for _, lengths in parts)]), out=offsets[1:])
        return tokens, offsets

    def check(self, texts: pa.LargeStringArray | pa.ChunkedArray) -> bool:
        """Whether the first CHECKED_BYTES of the texts get the ids that ``tokenizers`` gives them.

        If a text does not, a UserWarning and ``difference`` name it, and ``tokenizers`` encodes from then on.
        """
        if self._compiled is None:
            return True
        sizes = np.cumsum(pc.binary_length(texts).to_numpy())
        sample = texts[: int(np.searchsorted(sizes, CHECKED_BYTES)) + 1]
        tokens, offsets = self.encode(sample)
        expected, lengths = encode_with(self._plain, sample.to_pylist())
        expected_offsets = np.concatenate([[0], np.cumsum(lengths)])
        for row in range(len(sample)):
            ours = tokens[offsets[row] : offsets[row + 1]]
            theirs = expected[expected_offsets[row] : expected_offsets[row + 1]]
            if not np.array_equal(ours, theirs):
                self._compiled = None
                self.difference = (
                    f"Text {row} of {len(sample)} is not encoded as by tokenizers: {_difference(ours, theirs)}. "
                    "From here on tokenizers encodes all text, which is exact but some 25 times slower. "
                    f"Please report this text: {sample[row].as_py()[:200]!r}"
                )
                warnings.warn(self.difference, stacklevel=2)
                return False
        return True

    def decode(self, tokens: NDArray[np.uint32] | Sequence[int]) -> str:
        """The text of ``tokens``, control tokens included; bytes that are not UTF-8 become U+FFFD."""
        return str(self._tokenizer.decode([int(token) for token in tokens], skip_special_tokens=False))

    def _encode(
        self, texts: pa.Array, end: int | None, allow_special: bool
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids, with ``end`` after each text unless it is None, and number of ids of each text."""
        if self._compiled is not None and not allow_special:
            texts.validate(full=True)  # compiled code trusts that text is UTF-8
            offsets, data = buffers(composed(texts) if self._composes else texts)
            return self._compiled.encode(data, offsets, end)
        tokens, lengths = encode_with(self._tokenizer if allow_special else self._plain, texts.to_pylist())
        if end is not None:
            tokens = np.insert(tokens, np.cumsum(lengths), np.uint32(end))
            lengths = lengths + 1
        return tokens, lengths


def _difference(ours: NDArray[np.uint32], theirs: NDArray[np.uint32]) -> str:
    size = min(ours.size, theirs.size)
    first = int(np.append(ours[:size] == theirs[:size], False).argmin())
    mine, other = (", ".join(map(str, ids[first : first + 4])) or "the end" for ids in (ours, theirs))
    return f"from token {first} on {mine} instead of {other}"


def _parts(texts: pa.Array | pa.ChunkedArray) -> Iterator[pa.LargeStringArray]:
    """The texts in arrays of about CHUNK_BYTES, without copies."""
    for array in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        array = array.cast(pa.large_string())
        offsets, _ = buffers(array)
        start = 0
        while start < len(array):
            stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + CHUNK_BYTES)))
            yield array[start:stop]
            start = stop

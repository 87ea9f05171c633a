"""Decoding columns of token ids into text, all documents at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tokenizer.ids import vocabulary_size
from tokenizer.pretokens import token_bytes


class Decoder:
    """Decodes with the byte-level BPE tokenizer in ``tokenizer_json`` (a path); control tokens become their names.

    Ids that are left out before the last one stand for no text, and become U+FFFD.
    Raises ValueError for a tokenizer that is not byte-level.
    """

    def __init__(self, tokenizer_json: str | Path) -> None:
        tokenizer = Tokenizer.from_file(str(tokenizer_json))
        control = {number: token.content.encode() for number, token in tokenizer.get_added_tokens_decoder().items()}
        size = vocabulary_size(tokenizer)
        try:
            pieces = [control.get(i) or _bytes_of(tokenizer.id_to_token(i)) for i in range(size)]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{tokenizer_json} is no byte-level BPE tokenizer with ids 0 to {size - 1:,}.") from error
        self._bytes = np.frombuffer(b"".join(pieces), np.uint8)
        self._offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)

    def decode(self, tokens: NDArray[np.unsignedinteger[Any]], offsets: NDArray[np.int64]) -> pa.LargeStringArray:
        """The text of n documents, ``tokens[offsets[i]:offsets[i + 1]]`` each; bytes that are not UTF-8 become U+FFFD.

        Raises ValueError for an id outside the vocabulary.
        """
        if tokens.size and int(tokens.max()) >= self._offsets.size - 1:
            place = int(tokens.argmax())
            raise ValueError(
                f"Token {place:,} is {int(tokens[place]):,}, but the tokenizer has {self._offsets.size - 1:,} ids: "
                "the tokens were made with another tokenizer."
            )
        ends = np.zeros(offsets.size, np.int64)
        ends[1:] = np.cumsum(_lengths(tokens, offsets, self._offsets))
        text = np.empty(ends[-1], np.uint8)
        _write(tokens, self._bytes, self._offsets, text)
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(text)]
        raw = pa.Array.from_buffers(pa.large_binary(), offsets.size - 1, buffers)
        try:
            return raw.cast(pa.large_string())
        except pa.ArrowInvalid:
            return pa.array([value.decode("utf-8", "replace") for value in raw.to_pylist()], pa.large_string())


def _bytes_of(token: str | None) -> bytes:
    return "\N{REPLACEMENT CHARACTER}".encode() if token is None else token_bytes(token)


@njit(cache=True, nogil=True)
def _lengths(tokens, offsets, byte_offsets):  # type: ignore[no-untyped-def]
    """Bytes of each document: int64[n]."""
    lengths = np.zeros(offsets.size - 1, np.int64)
    for document in range(offsets.size - 1):
        for i in range(offsets[document], offsets[document + 1]):
            lengths[document] += byte_offsets[tokens[i] + 1] - byte_offsets[tokens[i]]
    return lengths


@njit(cache=True, nogil=True)
def _write(tokens, token_bytes, byte_offsets, text):  # type: ignore[no-untyped-def]
    """The bytes of all tokens one after the other, into ``text``."""
    filled = np.int64(0)
    for token in tokens:
        for k in range(byte_offsets[token], byte_offsets[token + 1]):
            text[filled] = token_bytes[k]
            filled += 1

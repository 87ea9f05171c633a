"""A tokenizer under evaluation: how it encodes a column of text, and the bytes that each of its tokens stands for."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from curation import storage
from tokenizer.encoding import Encoder, encode_with, plain_text_tokenizer
from tokenizer.export import TOKENIZER_FILE
from tokenizer.ids import vocabulary_size
from tokenizer.pretokens import END_OF_TEXT, PATTERNS, token_bytes
from tokenizer.tiktoken_ranks import read_ranks, tokenizer_of_ranks

Encode = Callable[[pa.LargeStringArray], tuple[NDArray[np.uint32], NDArray[np.int64]]]
"""Ids of n texts, uint32[total], and where each text's begin and end in it, int64[n+1]."""

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
_WORD_START = "\u2581"  # how SentencePiece writes a space


@dataclass(frozen=True)
class Subject:
    """What is measured: any tokenizer that turns texts into ids."""

    name: str
    encode: Encode
    tokens: tuple[bytes, ...]
    """The bytes of each id; b"" for control tokens and ids that stand for nothing."""

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each token, int64[vocabulary_size]."""
        return np.fromiter(map(len, self.tokens), np.int64, len(self.tokens))

    @property
    def regular(self) -> NDArray[np.bool_]:
        """Whether each id is a regular token, bool[vocabulary_size]."""
        return self.lengths > 0

    @cached_property
    def broken(self) -> NDArray[np.bool_]:
        """Whether each token is regular and its bytes are not whole UTF-8 characters, bool[vocabulary_size]."""
        return np.fromiter((not is_utf8(token) for token in self.tokens), np.bool_, len(self.tokens))


def load(path: str, pattern: str | None = None, name: str | None = None) -> Subject:
    """The tokenizer at ``path``: a folder with a tokenizer.json, such a file, or a file of tiktoken ranks.

    ``pattern``: how text is cut before ranks are used, one of the names of `PATTERNS`.
    Raises ValueError for ranks without a pattern, and a pattern for anything else.
    """
    ranks = path.endswith(".tiktoken")
    if ranks != (pattern is not None) or (pattern is not None and pattern not in PATTERNS):
        given = f"'{pattern}' was given" if pattern is not None else "none was given"
        raise ValueError(
            f"{path}: tiktoken files need a pattern, other tokenizers have one of their own; {given}. "
            f"Patterns: {', '.join(PATTERNS)}."
        )
    if pattern is not None:
        return subject_of(tokenizer_of_ranks(read_ranks(path), PATTERNS[pattern]), name or _stem(path))
    url = path if path.endswith(".json") else storage.join(path, TOKENIZER_FILE)
    if not storage.exists(url):
        raise FileNotFoundError(f"there is no {url}: name a tokenizer.json, its folder, or a .tiktoken file")
    return subject_of(Tokenizer.from_str(storage.read_text(url)), name or _stem(path.removesuffix(TOKENIZER_FILE)))


def subject_of(tokenizer: Tokenizer, name: str = "tokenizer") -> Subject:
    """``tokenizer`` as a subject. Text that spells a control token counts as ordinary text."""
    return Subject(name, _encode_function(tokenizer), _tokens(tokenizer))


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _stem(path: str) -> str:
    """The folder or file name without its ending."""
    return Path(path.rstrip("/")).name.removesuffix(".json").removesuffix(".tiktoken")


def _encode_function(tokenizer: Tokenizer) -> Encode:
    if tokenizer.token_to_id(END_OF_TEXT) is not None:
        with tempfile.TemporaryDirectory(prefix="glotmill-") as folder:
            path = Path(folder) / TOKENIZER_FILE
            tokenizer.save(str(path))
            return Encoder(path).encode
    plain = plain_text_tokenizer(tokenizer)

    def encode(texts: pa.LargeStringArray) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        ids, lengths = encode_with(plain, texts.to_pylist())
        return ids, np.concatenate([[0], np.cumsum(lengths)])

    return encode


def _tokens(tokenizer: Tokenizer) -> tuple[bytes, ...]:
    tokens = [b""] * vocabulary_size(tokenizer)
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    bytes_of = _byte_level if "ByteLevel" in json.dumps(json.loads(tokenizer.to_str())["decoder"]) else _sentencepiece
    for token, id_ in tokenizer.get_vocab(with_added_tokens=False).items():
        if token not in added:
            tokens[id_] = bytes_of(token)
    return tuple(tokens)


def _byte_level(token: str) -> bytes:
    try:
        return token_bytes(token)
    except KeyError:  # written as text, as in some vocabularies that were extended by hand
        return token.encode()


def _sentencepiece(token: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(_WORD_START, " ").encode()

"""A trained vocabulary, and the tokenizer made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, models

from tokenizer.pretokens import QWEN2_PATTERN, build_pipeline, characters_of_bytes, token_bytes, token_characters

BYTES = 256


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in order of their ids, and the merges that build them in order of rank."""

    tokens: tuple[bytes, ...]
    """The bytes of each token; of a special token that the byte alphabet cannot spell, b""."""
    merges: NDArray[np.int32]
    """[m, 3]: positions in ``tokens`` of the left part, the right part and the result."""
    counts: NDArray[np.int64]
    """[m]: how often the pair occurred when it was merged; 0 for merges that were given rather than found."""
    special_tokens: tuple[str, ...] = ()
    """The first tokens, if they are special."""
    ids: tuple[int, ...] | None = None
    """The id of each token, ascending; None when ids are positions."""

    @property
    def id_of_position(self) -> Sequence[int]:
        return range(len(self.tokens)) if self.ids is None else self.ids

    def prefix(self, size: int) -> Vocabulary:
        """The vocabulary of the first ``size`` tokens: the one that training would have found with that size.

        Raises ValueError for a size below that of the tokens that were given rather than found, or above that of all.
        """
        found = np.flatnonzero(self.counts)
        given = int(found[0]) if found.size else len(self.merges)
        results = self.merges[given:, 2]
        least = len(self.tokens) - np.unique(results).size
        if not least <= size <= len(self.tokens):
            raise ValueError(f"The vocabulary can be cut to {least:,} to {len(self.tokens):,} tokens, not to {size:,}.")
        stop = len(self.merges)
        if size < len(self.tokens):
            # A merge that re-uses a token comes after the size was reached, and so is not part of the smaller run.
            made = np.flatnonzero(results == size - 1)
            stop = given + (int(made[0]) + 1 if made.size else 0)
        ids = None if self.ids is None else self.ids[:size]
        return Vocabulary(self.tokens[:size], self.merges[:stop], self.counts[:stop], self.special_tokens, ids)

    def tokenizer(
        self,
        *,
        pattern: str = QWEN2_PATTERN,
        special_tokens: Sequence[str] = (),
        first_special_id: int | None = None,
    ) -> Tokenizer:
        """A tokenizer of this vocabulary that cuts text by ``pattern``.

        The vocabulary's own special tokens keep their ids. ``special_tokens`` get the ids from ``first_special_id`` on,
        by default those after all others. Raises ValueError when one of these ids or tokens is taken.
        """
        ids, spelled = self.id_of_position, self._spelled()
        first = ids[-1] + 1 if first_special_id is None else first_special_id
        vocabulary = dict(zip(spelled, ids, strict=True))
        if first != ids[-1] + 1:
            # ``tokenizers`` numbers added tokens on from its vocabulary, unless they are part of it.
            vocabulary |= _special_ids(special_tokens, first, vocabulary)
        merges = [(spelled[left], spelled[right]) for left, right in self._ranked_pairs()]
        tokenizer = build_pipeline(models.BPE(vocabulary, merges), pattern=pattern)
        added = [*self.special_tokens, *special_tokens]
        tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in added])
        return tokenizer

    def _spelled(self) -> list[str]:
        special = len(self.special_tokens)
        return [*self.special_tokens, *map(token_characters, self.tokens[special:])]

    def _ranked_pairs(self) -> list[list[int]]:
        """Left and right of the merges; of a pair that was merged repeatedly the last rank counts."""
        pairs: list[list[int]] = self.merges[:, :2].tolist()
        last = {(left, right): rank for rank, (left, right) in enumerate(pairs)}
        return pairs if len(last) == len(pairs) else [pairs[rank] for rank in sorted(last.values())]


def initial_vocabulary(special_tokens: Sequence[str] = ()) -> Vocabulary:
    """Special tokens, then the 256 bytes in the order of their characters (as `tokenizers` and GPT-2 number them).

    A special token that is a single character of the byte alphabet takes the place of that byte, as in ``tokenizers``.
    """
    special = tuple(dict.fromkeys(special_tokens))
    alphabet = [character for character in sorted(characters_of_bytes()) if character not in special]
    tokens = [_bytes_or_none(token) for token in special] + [token_bytes(character) for character in alphabet]
    return Vocabulary(tuple(tokens), np.zeros((0, 3), np.int32), np.zeros(0, np.int64), special)


def byte_positions(tokens: Sequence[bytes]) -> NDArray[np.int32]:
    """The position of each byte's token, int32[256]. Raises ValueError for a byte without a token."""
    positions = {token: position for position, token in enumerate(tokens) if len(token) == 1}
    if missing := [byte for byte in range(BYTES) if bytes([byte]) not in positions]:
        raise ValueError(
            f"The vocabulary has no token for {len(missing)} of the 256 bytes (the first is 0x{missing[0]:02X}): "
            "only byte-level vocabularies can be trained and extended."
        )
    return np.array([positions[bytes([byte])] for byte in range(BYTES)], np.int32)


def extended_ids(ids: Sequence[int], size: int, first_new_id: int | None = None) -> tuple[int, ...]:
    """``ids`` followed by consecutive ones from ``first_new_id`` on (the next one by default), ``size`` in all."""
    start = ids[-1] + 1 if first_new_id is None else first_new_id
    return (*ids, *range(start, start + size - len(ids)))


def _bytes_or_none(token: str) -> bytes:
    """The bytes that ``token`` would stand for in the vocabulary, or b"" where none would be spelled like it."""
    try:
        return token_bytes(token)
    except KeyError:
        return b""


def _special_ids(special_tokens: Sequence[str], first: int, taken: Mapping[str, int]) -> dict[str, int]:
    special = {token: first + i for i, token in enumerate(special_tokens)}
    for token, id_ in special.items():
        if token in taken:
            raise ValueError(f"The special token {token!r} is a regular token already (id {taken[token]:,}).")
        if id_ in set(taken.values()):
            raise ValueError(f"Special tokens cannot start at id {first:,}: id {id_:,} is a regular token's.")
    return special

"""Files of tiktoken ranks: a line "base64 rank" for each regular token. Reading them, writing them, and their limits.

tiktoken has no list of merges: it joins the adjacent pair whose joined bytes have the lowest rank, and a rank is also
the token's id. A tokenizer can be written that way when its ids follow the order of its merges.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from tokenizers import AddedToken, Tokenizer, models

from curation import storage
from tokenizer.pretokens import (
    END_OF_TEXT,
    build_pipeline,
    token_bytes,
    token_characters,
)


def ranks_of(tokenizer: Tokenizer) -> dict[bytes, int]:
    """The regular tokens of a byte-level tokenizer and their ids, in the order of the ids."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    vocabulary = tokenizer.get_vocab(with_added_tokens=False)
    regular = sorted((id_, token) for token, id_ in vocabulary.items() if token not in special)
    return {token_bytes(token): id_ for id_, token in regular}


def obstacle(tokenizer: Tokenizer) -> str | None:
    """Why ranks cannot stand for the merges of a byte-level tokenizer, or None when they can."""
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary: dict[str, int] = model["vocab"]
    last = max((vocabulary[token] for token in map(token_characters, _BYTES) if token in vocabulary), default=-1)
    for rank, pair in enumerate(model["merges"]):
        left, right = pair if isinstance(pair, list) else pair.split(" ")
        found = vocabulary[left + right]
        if found <= last:
            return f"merge {rank} ({left!r} + {right!r}) has id {found}, which does not come after id {last}"
        last = found
    return None


_BYTES = [bytes([byte]) for byte in range(256)]


def write_ranks(ranks: Mapping[bytes, int]) -> bytes:
    """The file of ``ranks``, in their order."""
    return b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranks.items())


def read_ranks(url: str) -> dict[bytes, int]:
    """The tokens of a ranks file and their ids. Raises ValueError for a file that is none, naming the line."""
    ranks = {}
    for number, line in enumerate(storage.read_bytes(url).splitlines(), 1):
        try:
            if line:
                token, rank = line.split()
                ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise ValueError(
                f"{url}, line {number}: {line[:40]!r} is not 'base64 rank', as in a file of tiktoken ranks."
            ) from None
    if missing := [byte for byte in _BYTES if byte not in ranks]:
        raise ValueError(f"{url} has no rank for {len(missing)} of the 256 bytes, the first is {missing[0]!r}.")
    return ranks


def tokenizer_of_ranks(ranks: Mapping[bytes, int], pattern: str) -> Tokenizer:
    """A tokenizer that encodes NFC text as tiktoken does with ``ranks`` and ``pattern``.

    Every way of cutting a token into two others becomes a merge, in the order of the joined token's rank, and a
    pretoken that is a token stays whole: together this is tiktoken's rule. An end-of-text token follows the ranks.
    """
    spelled = {token: token_characters(token) for token in ranks}
    merges = []
    for token, rank in ranks.items():
        cuts = ((token[:i], token[i:]) for i in range(1, len(token)))
        merges += [(rank, ranks[a], ranks[b], spelled[a], spelled[b]) for a, b in cuts if a in ranks and b in ranks]
    merges.sort()
    vocabulary = {spelled[token]: rank for token, rank in ranks.items()}
    model = models.BPE(vocabulary, [pair[3:] for pair in merges], ignore_merges=True)
    tokenizer = build_pipeline(model, pattern=pattern)
    tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, normalized=False, special=True)])
    return tokenizer

"""Extending the vocabulary of a tokenizer that models use already: its ids stay, new tokens come after them."""

from __future__ import annotations

import json

import numpy as np
from tokenizers import AddedToken, Tokenizer

from tokenizer.bpe.vocabulary import Vocabulary
from tokenizer.control_tokens import missing_control_tokens
from tokenizer.pretokens import token_bytes, token_characters


def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    """The vocabulary of a byte-level BPE tokenizer without its added tokens.

    Raises ValueError for another model, for tokens that are not bytes written as characters, and for unknown merges.
    """
    model = json.loads(tokenizer.to_str())["model"]
    if model["type"] != "BPE" or model.get("byte_fallback") or model.get("ignore_merges"):
        raise ValueError("Only byte-level BPE tokenizers that encode by their merges can be extended.")
    by_id = sorted(model["vocab"].items(), key=lambda item: item[1])
    try:
        tokens = [token_bytes(token) for token, _ in by_id]
    except KeyError as error:
        raise ValueError(
            f"A token holds {error}, which stands for no byte: the vocabulary is not byte-level."
        ) from None
    positions = {token: position for position, (token, _) in enumerate(by_id)}
    merges = np.zeros((len(model["merges"]), 3), np.int32)
    for rank, pair in enumerate(model["merges"]):
        left, right = pair if isinstance(pair, list) else pair.split(" ")
        if not {left, right, left + right} <= positions.keys():
            raise ValueError(f"Merge {rank} ({left!r} + {right!r}) has a part or result that is no token.")
        merges[rank] = positions[left], positions[right], positions[left + right]
    return Vocabulary(tuple(tokens), merges, np.zeros(len(merges), np.int64), (), tuple(id_ for _, id_ in by_id))


def extended(tokenizer: Tokenizer, vocabulary: Vocabulary) -> Tokenizer:
    """``tokenizer`` with the tokens and merges of ``vocabulary``, and all else as it is, added tokens included.

    ``vocabulary`` is one that training made of `vocabulary_of` (``tokenizer``). Control tokens that the tokenizer has
    not are added after all others.
    """
    settings = json.loads(tokenizer.to_str())
    spelled = [token_characters(token) for token in vocabulary.tokens]
    vocab = dict(zip(spelled, vocabulary.id_of_position, strict=True))
    # ``tokenizers`` numbers added tokens on from its vocabulary, unless they are part of it.
    vocab |= {added["content"]: added["id"] for added in settings["added_tokens"]}
    missing = missing_control_tokens(tokenizer)
    vocab |= {token: id_ for id_, token in enumerate(missing, 1 + max(vocab.values()))}
    settings["model"]["vocab"] = vocab
    settings["model"]["merges"] = [[spelled[left], spelled[right]] for left, right, _ in vocabulary.merges.tolist()]
    longer = Tokenizer.from_str(json.dumps(settings, ensure_ascii=False))
    longer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in missing])
    return longer

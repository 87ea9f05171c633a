"""The ids of a tokenizer."""

from __future__ import annotations

from tokenizers import Tokenizer


def vocabulary_size(tokenizer: Tokenizer) -> int:
    """One more than the largest id: the rows that a model's embedding needs, also where ids are left out."""
    return 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())

"""Where control tokens stand: after all regular tokens, or at the ids that other checkpoints expect them at."""

from __future__ import annotations

from tokenizers import Tokenizer

from tokenizer.pretokens import CONTROL_TOKENS

QWEN2_FIRST_CONTROL_ID = 151_643
"""Id of ``<|endoftext|>`` in Qwen2, whose regular tokens have the ids 0 to 151,642 (arXiv:2407.10671, section 2.1)."""


def special_tokens(first_free_id: int, first_control_id: int | None = None) -> tuple[str, ...]:
    """The special tokens of a tokenizer whose regular tokens have ids below ``first_free_id``, in order of their ids.

    They are the control tokens, from ``first_control_id`` on (default: the first free id). Ids in between are taken by
    reserved tokens, which stand for nothing and can be given a meaning later: without them libraries that number tokens
    consecutively would disagree on the ids that follow, and a model sized by the number of tokens would lack its last.

    Raises ValueError when regular tokens reach ``first_control_id``.
    """
    first = first_free_id if first_control_id is None else first_control_id
    if first < first_free_id:
        raise ValueError(
            f"Control tokens cannot start at id {first:,}: regular tokens have the ids up to {first_free_id - 1:,}. "
            f"Ask for at most {first:,} regular tokens."
        )
    return (*map(reserved_token, range(first - first_free_id)), *CONTROL_TOKENS)


def missing_control_tokens(tokenizer: Tokenizer) -> list[str]:
    """The control tokens that a tokenizer made elsewhere has not, in their order."""
    return [token for token in CONTROL_TOKENS if tokenizer.token_to_id(token) is None]


def reserved_token(number: int) -> str:
    return f"<|reserved_{number}|>"

"""How well a tokenizer serves each language: compression, premium over English, wasted and broken tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tokenizer.encoding import encode_with, plain_text_tokenizer
from tokenizer.pretokens import token_bytes

BATCH_DOCUMENTS = 1_000
REFERENCE_LANGUAGE = "en"


def evaluate(tokenizer: Tokenizer, samples: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Compression per language, one row for each key of ``samples`` (its documents) in the given order.

    Row: ``language``, ``documents``, ``utf8_bytes``, ``characters``, ``tokens``, ``bytes_per_token``,
    ``tokens_per_character`` and ``partial_character_share``: the share of the tokens in the encoded documents that are
    not whole UTF-8 characters. Ratios of a language without text are None.
    """
    usage = token_usage(tokenizer, samples)
    partial = _partial_characters(tokenizer)
    return [_row(language, documents, usage[language], partial) for language, documents in samples.items()]


def audit(tokenizer: Tokenizer, samples: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What the vocabulary is spent on, with usage counted over all ``samples``.

    ``vocabulary_size``, ``regular_tokens``, ``partial_character_tokens`` and ``partial_character_share`` (regular
    tokens that are not whole UTF-8 characters, the bytes among them), ``unused_tokens`` (regular tokens that never
    occur) and ``unused_share``.
    """
    usage = sum(token_usage(tokenizer, samples).values(), np.zeros(tokenizer.get_vocab_size(), np.int64))
    regular = np.array(sorted(tokenizer.get_vocab(with_added_tokens=False).values()))
    partial, unused = int(_partial_characters(tokenizer)[regular].sum()), int((usage[regular] == 0).sum())
    return {
        "vocabulary_size": tokenizer.get_vocab_size(),
        "regular_tokens": int(regular.size),
        "partial_character_tokens": partial,
        "partial_character_share": partial / regular.size,
        "unused_tokens": unused,
        "unused_share": unused / regular.size,
    }


def premium(tokenizer: Tokenizer, parallel: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Tokens that each language needs for the same content, over the tokens that English needs.

    ``parallel`` maps a language to its translations, item i of every language saying the same. Returns ``premium``
    {language: ratio} and ``gini`` of the ratios (0 = all languages pay alike).
    Raises ValueError when English is missing or empty, or the languages have different numbers of texts.
    Premium: Petrov et al. 2023 (arXiv:2305.15425). Gini over languages: Foroutan et al. 2025 (arXiv:2508.04796).
    """
    if REFERENCE_LANGUAGE not in parallel:
        raise ValueError(f"Parallel text lacks {REFERENCE_LANGUAGE!r}, the reference; it has {sorted(parallel)}.")
    sizes = {language: len(texts) for language, texts in parallel.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"Parallel text must have the same number of texts in each language, but has {sizes}.")
    tokens = {language: int(usage.sum()) for language, usage in token_usage(tokenizer, parallel).items()}
    if tokens[REFERENCE_LANGUAGE] == 0:
        raise ValueError(f"The parallel text of {REFERENCE_LANGUAGE!r} is empty: there is nothing to compare with.")
    premiums = {language: count / tokens[REFERENCE_LANGUAGE] for language, count in tokens.items()}
    return {"premium": premiums, "gini": gini(list(premiums.values()))}


def gini(values: Sequence[float]) -> float:
    """The Gini coefficient of non-negative ``values``: mean absolute difference over twice the mean (Gini 1912).

    G = sum_ij |x_i - x_j| / (2 n^2 mean); 0 for equal values, (n - 1) / n when one has everything, and 0 when the
    sum is 0.
    """
    ascending = np.sort(np.asarray(values, np.float64))
    n, total = ascending.size, ascending.sum()
    if total == 0:
        return 0.0
    ranks = 2 * np.arange(1, n + 1) - n - 1  # the double sum, in sorted order
    return float((ranks * ascending).sum() / (n * total))


def token_usage(tokenizer: Tokenizer, samples: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.int64]]:
    """How often each token occurs in each language's documents: {language: int64[vocabulary_size]}.

    Text that spells a control token counts as ordinary text.
    """
    plain, size = plain_text_tokenizer(tokenizer), tokenizer.get_vocab_size()
    return {language: _count_tokens(plain, documents, size) for language, documents in samples.items()}


def _count_tokens(plain: Tokenizer, documents: Sequence[str], size: int) -> NDArray[np.int64]:
    usage = np.zeros(size, np.int64)
    for start in range(0, len(documents), BATCH_DOCUMENTS):
        batch = list(documents[start : start + BATCH_DOCUMENTS])
        usage += np.bincount(encode_with(plain, batch)[0], minlength=size)
    return usage


def _row(
    language: str, documents: Sequence[str], usage: NDArray[np.int64], partial: NDArray[np.bool_]
) -> dict[str, Any]:
    utf8_bytes = sum(len(text.encode()) for text in documents)
    characters = sum(map(len, documents))
    tokens = int(usage.sum())
    return {
        "language": language,
        "documents": len(documents),
        "utf8_bytes": utf8_bytes,
        "characters": characters,
        "tokens": tokens,
        "bytes_per_token": utf8_bytes / tokens if tokens else None,
        "tokens_per_character": tokens / characters if characters else None,
        "partial_character_share": int(usage[partial].sum()) / tokens if tokens else None,
    }


def _partial_characters(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Per id, whether the token is regular and its bytes are not whole UTF-8 characters; bool[vocabulary_size]."""
    partial = np.zeros(tokenizer.get_vocab_size(), np.bool_)
    for token, number in tokenizer.get_vocab(with_added_tokens=False).items():
        partial[number] = not _is_utf8(token_bytes(token))
    return partial


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

"""The figures on text, each a formula over `Usage`, and the two coefficients they use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer.evaluation.subject import Subject
from tokenizer.evaluation.usage import Usage

RENYI_ORDER = 2.5
"""The order whose efficiency follows translation quality best (Zouhar et al. 2023, arXiv:2306.16842)."""


def figures(subject: Subject, usage: Usage) -> dict[str, Any]:
    """How well the text behind ``usage`` is served. Ratios of nothing are None.

    - ``bytes_per_token``: UTF-8 bytes of the text over its tokens (compression).
    - ``tokens_per_character``, ``tokens_per_unit``: tokens over code points, and over units of the text scan. Below 1
      per unit where tokens hold several units, as in scripts without spaces.
    - ``fertility``: pieces that a unit is cut into, at least 1 (Rust et al. 2021, arXiv:2012.15613, with
      units for words; a token that holds parts of two units is a piece of both).
    - ``continued_words``: share of the units that are cut into two pieces or more (the same).
    - ``partial_character_share``: share of the tokens that are not whole UTF-8 characters.
    - ``distinct_tokens``: regular tokens that occur; ``renyi_efficiency``: see `renyi_efficiency`.
    """
    tokens = int(usage.tokens.sum())
    return {
        "documents": usage.documents,
        "utf8_bytes": usage.utf8_bytes,
        "characters": usage.characters,
        "units": usage.units,
        "tokens": tokens,
        "bytes_per_token": _ratio(usage.utf8_bytes, tokens),
        "tokens_per_character": _ratio(tokens, usage.characters),
        "tokens_per_unit": _ratio(tokens, usage.units),
        "fertility": _ratio(usage.traced_units + usage.inner_borders, usage.traced_units),
        "continued_words": _ratio(usage.continued_units, usage.traced_units),
        "partial_character_share": _ratio(int(usage.tokens[subject.broken].sum()), tokens),
        "distinct_tokens": int(np.count_nonzero(usage.tokens)),
        "renyi_efficiency": renyi_efficiency(usage.tokens, int(subject.regular.sum())),
    }


def renyi_efficiency(counts: NDArray[np.int64], vocabulary_size: int, order: float = RENYI_ORDER) -> float | None:
    """How evenly the vocabulary is used: Renyi entropy of the tokens over the greatest possible; None without tokens.

    H_a(p) / log |V| with H_a(p) = log(sum_i p_i^a) / (1 - a), p_i the share of token i in the text; 1 when all of the
    vocabulary is used alike, 0 when one token is (Zouhar et al. 2023, arXiv:2306.16842). |V| is the whole
    vocabulary, used or not; of less than two tokens the efficiency is None.
    """
    total = counts.sum()
    if total == 0 or vocabulary_size < 2:
        return None
    entropy = np.log(np.sum((counts[counts > 0] / total) ** order)) / (1 - order)
    return float(entropy / np.log(vocabulary_size)) + 0.0  # no -0


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


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None

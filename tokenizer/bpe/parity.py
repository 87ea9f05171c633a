"""Weights of languages under which the same content takes about as many tokens in each.

A vocabulary trained on text as it comes serves best what there is most of. `solve` makes the counts of languages that
need more tokens for parallel text than the average heavier, trains again, and goes on until premiums are as equal as
asked or the text as it comes would take too many tokens more. Since training starts from counts, a round takes seconds.

The others keep their weight. Making those below the average lighter as well would level premiums faster, but they are
the languages with the most text: for the same Gini, the text as it comes would take a third more tokens more (0.50 %
instead of 0.38 % for 0.70 times the Gini, 32,000 tokens, 29 languages).

Premium: Petrov et al. 2023 (arXiv:2305.15425). Gini of premiums as the measure of fairness: Foroutan et al. 2025
(arXiv:2508.04796), who choose each merge for the language that is worst off; weights keep the merges ordinary BPE.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pyarrow as pa

from tokenizer.bpe.trainer import Options, train
from tokenizer.bpe.usage import tokens_by
from tokenizer.bpe.vocabulary import Vocabulary
from tokenizer.evaluation import gini

STEP = 1.0
"""How far a round goes: a weight is multiplied by the language's tokens over the average, to this power."""
TRAININGS = 16
MARGIN = 0.8
"""Of the cost that may be spent on the counted text: text that was not counted costs up to a quarter more (0.47 % where
counted text costs 0.38 %, 32,000 tokens)."""
HALVINGS = 4
"""A step that went too far is halved so many times."""

_DECIMALS = 4  # of weights, so that they do not depend on the last bit of a machine's logarithms


class Solution(NamedTuple):
    """The best weights found, and what they do."""

    weights: dict[str, float]  # of every language of the count table, 1 or more
    gini: float  # of the premiums on the parallel text
    unweighted_gini: float
    cost: float  # more tokens than unweighted for the text of the count table, as a fraction
    trainings: int


class _Measured(NamedTuple):
    weights: dict[str, float]
    tokens: dict[str, int]  # of the parallel text of each language
    gini: float
    total: int  # tokens of the text of the count table


def solve(
    table: pa.Table,
    size: int,
    options: Options,
    parallel: pa.Table,
    *,
    target: float = 0.0,
    max_cost: float = 0.005,
    base: Vocabulary | None = None,
    show: Callable[[str], None] | None = None,
) -> Solution:
    """Weights for `train` (``table``, ``size``, ``options``, ``base``), a pure function of its arguments.

    ``parallel`` is the count table of the parallel text, by language. A round multiplies the weight of each language
    above the geometric mean by its tokens over the mean, to the power STEP. The search ends when the Gini of the
    premiums is at most ``target``; a round that costs more than MARGIN of ``max_cost`` or does not help is halved,
    HALVINGS times at most.
    Languages without parallel text keep the weight 1. ``show`` is told of every training.
    Raises ValueError when less than two languages have both counts and parallel text.
    """
    languages = table["language"].unique().to_pylist()
    common = [language for language in parallel["language"].unique().to_pylist() if language in languages]
    if len(common) < 2:
        raise ValueError(f"Only {len(common)} languages have both counts and parallel text: there is nothing to level.")

    def measure(weights: Mapping[str, float]) -> _Measured:
        vocabulary = train(table, size, options, weights=weights, base=base)
        of_parallel = tokens_by(parallel, vocabulary)
        tokens = {language: of_parallel[language] for language in sorted(common)}
        total = sum(tokens_by(table, vocabulary).values())
        return _Measured(dict(weights), tokens, gini(list(tokens.values())), total)

    best = unweighted = measure(dict.fromkeys(sorted(languages), 1.0))
    too_far: dict[str, float] | None = None
    trainings, halvings = 1, 0
    while best.gini > target and trainings < TRAININGS and halvings < HALVINGS:
        weights = _raised(best) if too_far is None else _between(best.weights, too_far)
        found = measure(weights)
        trainings += 1
        cost = found.total / unweighted.total - 1
        if show:
            show(f"training {trainings}: Gini of premiums {found.gini:.4f} (unweighted {unweighted.gini:.4f}), "
                 f"{cost:+.2%} tokens")  # fmt: skip
        if cost > MARGIN * max_cost or found.gini >= best.gini:
            too_far = weights
        else:
            best = found
        halvings += too_far is not None
    return Solution(best.weights, best.gini, unweighted.gini, best.total / unweighted.total - 1, trainings)


def _raised(measured: _Measured) -> dict[str, float]:
    """The weights after one more step."""
    logarithms = {language: math.log(tokens) for language, tokens in measured.tokens.items()}
    mean = math.fsum(logarithms.values()) / len(logarithms)
    return {
        language: round(weight * math.exp(STEP * max(0.0, logarithms.get(language, mean) - mean)), _DECIMALS)
        for language, weight in measured.weights.items()
    }


def _between(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """The geometric mean of two sets of weights."""
    return {language: round(math.sqrt(weight * second[language]), _DECIMALS) for language, weight in first.items()}

"""Evidence of words: the random-effects model is that of its formula, sources that disagree and word lists count."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.langid.word_evidence import LISTED, evidence, log_ratios, random_effects


def oracle(ratios: list[float], variances: list[float]) -> tuple[float, float]:
    """One word, step by step (DerSimonian and Laird 1986)."""
    weights = [1 / variance for variance in variances]
    fixed = sum(w * y for w, y in zip(weights, ratios, strict=True)) / sum(weights)
    q = sum(w * (y - fixed) ** 2 for w, y in zip(weights, ratios, strict=True))
    scale = sum(weights) - sum(w * w for w in weights) / sum(weights)
    between = max(0.0, (q - (len(ratios) - 1)) / scale) if len(ratios) > 1 else 0.0
    weights = [1 / (variance + between) for variance in variances]
    mean = sum(w * y for w, y in zip(weights, ratios, strict=True)) / sum(weights)
    return mean, 1 / sum(weights) + between


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0.1, 9)), min_size=1, max_size=6))
def test_studies_are_combined_by_the_formula(studies: list[tuple[float, float]]) -> None:
    ratios, variances = np.array(studies).T
    mean, variance = random_effects(ratios[:, None], variances[:, None])
    assert (mean[0], variance[0]) == pytest.approx(oracle(ratios.tolist(), variances.tolist()), rel=1e-6, abs=1e-9)


def test_log_ratios_have_the_variance_of_their_counts() -> None:
    ratios, variances = log_ratios(np.array([[0, 9], [30, 30]], float))
    shares = np.array([[0.5, 9.5], [30.5, 30.5]]) / [31, 40]
    assert ratios.tolist() == pytest.approx([math.log(b / a) for a, b in shares])
    assert variances.tolist() == pytest.approx([1 / 0.5 + 1 / 9.5, 2 / 30.5])


def test_a_word_that_sources_disagree_on_says_less() -> None:
    """Both words are eight times as frequent in the second language over all sources."""
    agreed, disputed = [[10, 80], [10, 80]], [[1, 155], [19, 5]]
    counts = np.array([[a, d, [900, 800]] for a, d in zip(agreed, disputed, strict=True)], float)
    said = evidence(counts, np.zeros((3, 2), bool))
    assert said[0] > 2 * abs(said[1])


def test_word_lists_decide_where_texts_are_few() -> None:
    """A word that both lists have says little, though only one language's texts have it; one of a single list much."""
    counts = np.array([[[0, 4], [0, 4], [0, 4], [4, 0], [900, 900]]], float)
    listed = np.array([[False, False], [True, True], [False, True], [False, True], [False, False]])
    unlisted, both, agreed, against, _ = evidence(counts, listed)
    assert 0 < both < unlisted / 2 < unlisted < agreed < LISTED
    assert 0 < against < agreed

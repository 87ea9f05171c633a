"""Figures on text against counts made by hand."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.small_tokenizer import small_tokenizer
from tokenizer.evaluation.figures import figures, gini, renyi_efficiency
from tokenizer.evaluation.subject import Subject, subject_of
from tokenizer.evaluation.usage import count, measured, total


@pytest.fixture(scope="module")
def byte_subject() -> Subject:
    """No merges: every byte is a token."""
    return subject_of(small_tokenizer(["text"], 259))


def test_figures_of_a_byte_tokenizer(byte_subject: Subject) -> None:
    """With one token per byte all figures are known; only the two bytes of é are not whole characters."""
    found = figures(byte_subject, count(byte_subject, measured(["née a", "b"])))
    assert found.pop("renyi_efficiency") == pytest.approx(math.log(7) / math.log(256))  # seven bytes, each once
    assert found == {
        "documents": 2,
        "utf8_bytes": 7,
        "characters": 6,
        "units": 3,
        "tokens": 7,
        "bytes_per_token": 1.0,
        "tokens_per_character": 7 / 6,
        "tokens_per_unit": 7 / 3,
        "fertility": 6 / 3,  # four pieces and one and one
        "continued_words": 1 / 3,
        "partial_character_share": 2 / 7,
        "distinct_tokens": 7,
    }


def test_ratios_of_no_text_are_none(byte_subject: Subject) -> None:
    found = figures(byte_subject, count(byte_subject, measured([""])))
    ratios = ("bytes_per_token", "tokens_per_unit", "fertility", "continued_words", "renyi_efficiency")
    assert [found[name] for name in ratios] == [None] * len(ratios)
    assert found["documents"] == 1 and found["tokens"] == 0


def test_counts_of_parts_add_up_to_those_of_the_whole(trained: Tokenizer, sample: dict[str, str]) -> None:
    subject = subject_of(trained)
    parts = total(count(subject, measured([text])) for text in sample.values())
    whole = count(subject, measured(list(sample.values())))
    assert figures(subject, parts) == figures(subject, whole)


def test_renyi_efficiency_by_hand() -> None:
    """Shares 1/2, 1/4, 1/4 of four tokens: H = ln(0.1767767 + 2 * 0.03125) / -1.5 = 0.95342, over ln 4."""
    assert renyi_efficiency(np.array([2, 1, 1, 0]), 4) == pytest.approx(0.95342 / math.log(4), abs=1e-5)
    assert renyi_efficiency(np.array([5, 5, 5, 5]), 4) == pytest.approx(1.0)
    assert renyi_efficiency(np.array([7, 0]), 2) == 0.0
    assert renyi_efficiency(np.array([0, 0]), 2) is None and renyi_efficiency(np.array([3]), 1) is None


def test_renyi_efficiency_is_that_of_the_authors_package() -> None:
    """The two examples of tokenization-scorer's README, whose figures are those of order 3, its default."""
    for text, published in (
        ("pick @@ed pick @@l @@ed pick @@les", 0.8031528501359657),
        ("pick @@e @@d pick @@l @@e @@d pick @@l @@e @@s", 0.9105681923824472),
    ):
        counts = np.array(list(Counter(text.split()).values()))
        assert renyi_efficiency(counts, len(counts), order=3) == pytest.approx(published)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_gini_is_half_the_relative_mean_difference(values: list[float]) -> None:
    """The sorted form equals the double sum of the definition."""
    total_, n = sum(values), len(values)
    double_sum = sum(abs(a - b) for a in values for b in values)
    expected = double_sum / (2 * n * total_) if total_ else 0.0
    assert gini(values) == pytest.approx(expected, abs=1e-9)
    assert -1e-12 <= gini(values) <= (n - 1) / n + 1e-12


def test_gini_by_hand() -> None:
    assert gini([1, 1, 1]) == 0 and gini([0, 0, 3]) == pytest.approx(2 / 3) and gini([1, 3]) == 0.25

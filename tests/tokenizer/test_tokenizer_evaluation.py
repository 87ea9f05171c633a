"""Evaluation figures against counts made by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tokenizer.evaluation import audit, evaluate, gini, premium, token_usage
from tokenizer.training import train_bpe


@pytest.fixture(scope="module")
def byte_tokenizer() -> Tokenizer:
    """No merges: every byte is a token."""
    return train_bpe(iter([["text"]]), 259)


def test_rows_of_a_byte_tokenizer(byte_tokenizer: Tokenizer) -> None:
    """With one token per byte all figures are known; only the two bytes of é are not whole characters."""
    row, empty = evaluate(byte_tokenizer, {"fr": ["née", "a"], "xx": [""]})
    assert row == {
        "language": "fr",
        "documents": 2,
        "utf8_bytes": 5,
        "characters": 4,
        "tokens": 5,
        "bytes_per_token": 1.0,
        "tokens_per_character": 1.25,
        "partial_character_share": 0.4,
    }
    assert empty["tokens"] == 0 and empty["bytes_per_token"] is None and empty["partial_character_share"] is None


def test_audit_counts_unused_and_partial_tokens(byte_tokenizer: Tokenizer) -> None:
    report = audit(byte_tokenizer, {"en": ["ab", "a"], "de": ["ü<|endoftext|>"]})
    assert (report["vocabulary_size"], report["regular_tokens"]) == (259, 256)
    assert report["partial_character_tokens"] == 128 and report["partial_character_share"] == 0.5
    assert report["unused_tokens"] == 256 - len(set("ab<|endoftext|>") | {0xC3, 0xBC})


def test_usage_never_counts_control_tokens(trained: Tokenizer) -> None:
    usage = token_usage(trained, {"en": ["<|endoftext|> again <|im_start|>"]})["en"]
    assert usage.size == 700 and usage[697:].sum() == 0 and usage.sum() > 0


def test_premium_against_english(byte_tokenizer: Tokenizer) -> None:
    result = premium(byte_tokenizer, {"en": ["abcd", "ab"], "ru": ["да", "нет"], "de": ["abc", "abc"]})
    assert result["premium"] == {"en": 1.0, "ru": 10 / 6, "de": 1.0}
    assert result["gini"] == pytest.approx(gini([1, 10 / 6, 1]))


def test_premium_needs_english_and_equal_numbers(byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="lacks 'en'"):
        premium(byte_tokenizer, {"de": ["a"]})
    with pytest.raises(ValueError, match="same number"):
        premium(byte_tokenizer, {"en": ["a"], "de": []})
    with pytest.raises(ValueError, match="is empty"):
        premium(byte_tokenizer, {"en": [""], "de": ["a"]})


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_gini_is_half_the_relative_mean_difference(values: list[float]) -> None:
    """The sorted form equals the double sum of the definition."""
    total, n = sum(values), len(values)
    double_sum = sum(abs(a - b) for a in values for b in values)
    expected = double_sum / (2 * n * total) if total else 0.0
    assert gini(values) == pytest.approx(expected, abs=1e-9)
    assert -1e-12 <= gini(values) <= (n - 1) / n + 1e-12

"""Importance weights: the kernels agree with a plain sum over n-grams, and weights follow the two bags."""

import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.text.scan import Scanner
from filters import importance
from filters.importance import BUCKETS, ImportanceModel
from filters.repetition import _SALT
from tests.oracles import clean_text

WORD = 2**64


def _mix(value: int) -> int:
    value ^= value >> 32
    value = value * 0x9E3779B97F4A7C15 % WORD
    return value ^ (value >> 29)


def _buckets(text: str) -> list[int]:
    """The buckets of a text's units and pairs, in plain Python."""
    hashes = Scanner().scan(pa.array([text], pa.large_string())).unit_hash.tolist()
    pairs = [_mix((a * int(_SALT) % WORD) ^ b) for a, b in zip(hashes, hashes[1:], strict=False)]
    return [value % BUCKETS for value in hashes + pairs]


def test_weights_are_log_ratios_of_smoothed_shares() -> None:
    target, raw = np.zeros((1, BUCKETS), np.int64), np.zeros((1, BUCKETS), np.int64)
    target[0, 3], raw[0, 3], raw[0, 4] = 9, 1, 8
    weights = importance.log_ratios(target, raw)[0]
    assert weights.dtype == np.float32
    assert np.isclose(weights[3], math.log(10 / (9 + BUCKETS)) - math.log(2 / (9 + BUCKETS)))
    assert np.isclose(weights[4], math.log(1 / 9)) and weights[5] == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(clean_text, min_size=1, max_size=6))
def test_bags_and_scores_agree_with_a_plain_sum(texts: list[str]) -> None:
    array = pa.array(texts, pa.large_string())
    rows = np.arange(len(texts)) % 3 - 1  # the first of three documents is left out
    bags = np.zeros((2, BUCKETS), np.int64)
    importance.count_ngrams(Scanner().scan(array), rows, bags)
    expected = np.zeros_like(bags)
    for text, row in zip(texts, rows, strict=True):
        for bucket in _buckets(text) if row >= 0 else []:
            expected[row, bucket] += 1
    assert np.array_equal(bags, expected)

    weights = np.random.default_rng(1).normal(size=(2, BUCKETS)).astype(np.float32)
    language = pa.array([("xx", "en", "de")[i % 3] for i in range(len(texts))])
    for mean in (False, True):
        scores = ImportanceModel(["en", "de"], weights, mean).score(array, language).to_pylist()
        for text, row, score in zip(texts, rows, scores, strict=True):
            buckets = _buckets(text) if row >= 0 else []
            if not buckets:
                assert score is None
                continue
            total = math.fsum(float(weights[row, bucket]) for bucket in buckets)
            assert math.isclose(score, total / len(buckets) if mean else total, rel_tol=1e-5, abs_tol=1e-5)

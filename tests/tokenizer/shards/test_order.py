"""Splits and orders: pure functions of content, even, independent of each other, and of the work units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tokenizer.shards.order import placed_keys, shuffled_keys, split_of

WORD = (1 << 64) - 1


def _hashes(count: int, seed: int = 0) -> NDArray[np.void]:
    return np.frombuffer(np.random.default_rng(seed).bytes(16 * count), "V16")


def _finish(value: int) -> int:
    """SplitMix64's finaliser on Python's integers."""
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & WORD
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & WORD
    return value ^ value >> 31


def test_keys_follow_the_documented_formula() -> None:
    import hashlib

    content, copy = _hashes(50), np.arange(50) % 3
    key = int.from_bytes(hashlib.blake2b(b"shards, order, seed 9", digest_size=8).digest(), "little")
    expected = []
    for value, number in zip(content.tolist(), copy.tolist(), strict=True):
        low, high = int.from_bytes(value[:8], "little"), int.from_bytes(value[8:], "little")
        mixed = _finish(_finish(low ^ key) ^ high)
        expected.append(_finish((mixed + number * 0x9E3779B97F4A7C15) & WORD))
    assert shuffled_keys(content, copy, 9).tolist() == expected


def test_fractions_are_met_and_a_test_split_leaves_validation_as_it_was() -> None:
    content = _hashes(100_000)
    without, with_test = split_of(content, 0.05, 0.0, 3), split_of(content, 0.05, 0.2, 3)
    assert set(without.tolist()) == {0, 1}
    np.testing.assert_array_equal(without == 1, with_test == 1)
    shares = np.bincount(with_test) / content.size
    np.testing.assert_allclose(shares, [0.75, 0.05, 0.2], atol=0.005)  # 3.5 standard deviations


def test_the_seed_and_only_the_content_decide_the_split() -> None:
    content = _hashes(2_000)
    one, other = split_of(content, 0.5, 0.0, 1), split_of(content, 0.5, 0.0, 2)
    assert 0.4 < (one == other).mean() < 0.6
    shuffled = np.random.default_rng(5).permutation(content.size)
    np.testing.assert_array_equal(split_of(content[shuffled], 0.5, 0.0, 1), one[shuffled])


def test_the_shuffled_order_does_not_know_the_split() -> None:
    """Keys of documents held out are as even as those of all."""
    content = _hashes(50_000)
    keys = shuffled_keys(content, np.zeros(content.size, np.int64), 0)[split_of(content, 0.2, 0.0, 0) == 1]
    counts = np.bincount((keys >> np.uint64(60)).astype(int), minlength=16)
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 40  # chi square, 15 degrees: p = 0.0005


def test_copies_of_a_text_lie_apart() -> None:
    content = np.repeat(_hashes(100), 50)
    keys = shuffled_keys(content, np.tile(np.arange(50), 100), 0)
    assert np.unique(keys).size == keys.size
    same = np.sort(keys[:50]).astype(float) / 2**64
    assert np.diff(same).max() < 0.25 and same[0] < 0.2 and same[-1] > 0.8


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_placed_keys_rise_within_and_across_units(documents: list[int]) -> None:
    keys = np.concatenate([placed_keys(unit, len(documents), count) for unit, count in enumerate(documents)])
    assert keys.dtype == np.uint64 and (np.diff(keys.astype(object)) > 0).all()


@pytest.mark.parametrize("count", [1, 1_000])
def test_placed_keys_of_one_unit_are_spread_over_all(count: int) -> None:
    keys = placed_keys(0, 1, count).astype(float) / 2**64
    np.testing.assert_allclose(keys, np.arange(count) / count, atol=1e-9)

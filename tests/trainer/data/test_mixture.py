"""Shares are exact, blocks are a function of their number, and changed weights neither repeat nor lose a sample."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from trainer.data.mixture import BLOCK, Mixture, Stage, _counts, _ends  # noqa: E402

weights = st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1)), min_size=1, max_size=6).filter(any)


def counted_block_by_block(ends, blocks):
    """Van der Corput's k-th term, added to every end, block by block."""
    total = np.zeros(len(ends), np.int64)
    for block in range(blocks):
        total += (ends + int(format(block, "032b")[::-1], 2)) >> 32
    return np.diff(total, prepend=0)


@settings(deadline=None)
@given(weights=weights, blocks=st.integers(0, 300))
def test_counts_in_closed_form_are_those_of_the_blocks(weights, blocks):
    ends = _ends(weights)
    np.testing.assert_array_equal(_counts(ends, blocks), counted_block_by_block(ends, blocks))


@settings(deadline=None)
@given(weights=weights, blocks=st.integers(0, 10**7))
def test_each_source_has_its_share_within_a_few_samples(weights, blocks):
    share = np.array(weights) / np.sum(weights) * BLOCK * blocks
    counts = _counts(_ends(weights), blocks)
    assert counts.sum() == BLOCK * blocks
    assert np.abs(counts - share).max() <= 2 + np.log2(blocks + 1)
    assert not counts[np.array(weights) == 0].any()


@settings(max_examples=20, deadline=None)
@given(stages=st.lists(st.tuples(st.integers(1, 5), weights), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_samples_of_a_source_count_from_0_on_through_all_stages(stages, seed):
    names = [f"source {i}" for i in range(6)]
    made, first = [], 0
    for blocks, values in stages:
        made.append(Stage(first * BLOCK, dict(zip(names, values, strict=False))))
        first += blocks
    mixture = Mixture(names, made, seed)
    sources, counts = (np.concatenate(column) for column in zip(*map(mixture.block, range(first)), strict=True))
    for source in range(6):
        own = counts[sources == source]
        assert own.tolist() == list(range(len(own)))
    for sample in (0, 1, BLOCK - 1, BLOCK * first // 2, BLOCK * first - 1):
        assert mixture.before(sample).tolist() == np.bincount(sources[:sample], minlength=6).tolist()


def test_blocks_of_one_mixture_differ_and_seeds_too():
    stages = [Stage(0, {"a": 1, "b": 1})]
    first, other = Mixture(["a", "b"], stages, 0), Mixture(["a", "b"], stages, 1)
    orders = [first.block(0)[0], first.block(1)[0], other.block(0)[0]]
    assert all((a != b).any() for a, b in [(orders[0], orders[1]), (orders[0], orders[2])])


@pytest.mark.parametrize(
    "stages, message",
    [
        ([], "needs a stage from sample 0 on"),
        ([Stage(BLOCK, {"a": 1})], "needs a stage from sample 0 on"),
        ([Stage(0, {"a": 1}), Stage(3000, {"a": 1})], "begins at a multiple of 2,048 samples, such as 2,048, not at 3"),
        ([Stage(0, {"a": 1}), Stage(4096, {"a": 1}), Stage(4096, {"a": 1})], "4,096 comes after 4,096"),
        ([Stage(0, {"c": 1})], r"weights for \['c'\], but the shards have \['a', 'b'\]"),
        ([Stage(0, {"a": 0})], "not all 0"),
        ([Stage(0, {"a": -1, "b": 2})], "numbers from 0 on"),
        ([Stage(0, {"a": float("nan")})], "numbers from 0 on"),
    ],
)
def test_stages_that_make_no_sense_are_named(stages, message):
    with pytest.raises(ValueError, match=message):
        Mixture(["a", "b"], stages, 0)

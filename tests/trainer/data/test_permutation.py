"""The keyed permutation is one, on every size; compiled it gives what the plain one gives."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from trainer.data.permutation import permute, round_keys  # noqa: E402

WORD = (1 << 64) - 1


def plain(index, size, keys):
    """Feistel rounds in whole numbers of any size, walked until the result is in range."""
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    while True:
        left, right = index >> half, index & ((1 << half) - 1)
        for key in keys:
            value = right ^ key
            value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & WORD
            value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & WORD
            left, right = right, left ^ ((value ^ (value >> 31)) & ((1 << half) - 1))
        index = left << half | right
        if index < size:
            return index


@settings(deadline=None)
@given(size=st.integers(1, 700), seed=st.integers(0, 2**63), epoch=st.integers(0, 1000))
def test_permutation_is_a_bijection(size, seed, epoch):
    keys = round_keys(seed, epoch, "test")
    assert sorted(permute(np.arange(size), size, keys)) == list(range(size))


@settings(deadline=None)
@given(size=st.integers(1, 2**62), data=st.data())
def test_large_permutations_stay_in_range_and_tell_indices_apart(size, data):
    first, second = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    keys = round_keys(7, 0, "test")
    images = permute(np.array([first, second]), size, keys).tolist()
    assert all(0 <= image < size for image in images)
    assert (images[0] == images[1]) == (first == second)
    assert images == [plain(first, size, keys), plain(second, size, keys)]


def test_permutation_is_uniform_enough():
    """Where item 0 of 10 goes, over 4,000 epochs: chi-square with 9 degrees of freedom, 99.9% quantile 27.9."""
    counts = np.bincount(
        [permute(np.array([0]), 10, round_keys(0, epoch, "test"))[0] for epoch in range(4000)], minlength=10
    )
    assert ((counts - 400) ** 2 / 400).sum() < 27.9


def test_indices_outside_the_permutation_are_refused():
    with pytest.raises(IndexError, match="cannot permute 0 to 5 in a range of 5"):
        permute(np.arange(6), 5, round_keys(0, 0, "test"))

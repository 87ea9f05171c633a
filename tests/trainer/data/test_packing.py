"""Plans use every token once; best fit cuts no document that fits into a window, and fills windows like the oracle."""

import bisect

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from trainer.data.packing import best_fit, concatenated, joined  # noqa: E402

some_lengths = st.lists(st.integers(0, 90), max_size=60)


def pieces(plan):
    """(document, start, length) by window."""
    columns = list(zip(plan.document.tolist(), plan.start.tolist(), plan.length.tolist(), strict=True))
    return [columns[a:b] for a, b in zip(plan.bounds[:-1], plan.bounds[1:], strict=True)]


def assert_every_token_is_used_once(plan, documents, lengths, capacity):
    by_document = {document: [] for document in documents}
    for window in pieces(plan):
        assert 0 < sum(length for _, _, length in window) <= capacity
        assert all(length > 0 for _, _, length in window)
        for document, start, length in window:
            by_document[document] += range(start, start + length)
    for document, length in zip(documents, lengths, strict=True):
        assert sorted(by_document[document]) == list(range(length))


@settings(deadline=None)
@given(lengths=some_lengths, capacity=st.integers(1, 150))
def test_best_fit_uses_every_token_once_and_cuts_only_what_is_longer(lengths, capacity):
    documents = np.arange(len(lengths)) * 3 + 1
    plan = best_fit(documents, np.array(lengths, np.int64), capacity)
    assert_every_token_is_used_once(plan, documents.tolist(), lengths, capacity)
    counts = dict(zip(documents.tolist(), lengths, strict=True))
    found = [piece for window in pieces(plan) for piece in window]
    for document, start, length in found:
        if counts[document] <= capacity:
            assert (start, length) == (0, counts[document])
        else:
            assert start % capacity == 0 and length == min(capacity, counts[document] - start)


@settings(deadline=None)
@given(lengths=some_lengths, capacity=st.integers(1, 150))
def test_best_fit_opens_as_many_windows_as_the_plain_rule(lengths, capacity):
    """Best-fit decreasing over a sorted list of the room in open windows."""
    cut = [min(capacity, length - start) for length in lengths for start in range(0, length, capacity)]
    room, windows = [], 0
    for length in sorted(cut, reverse=True):
        place = bisect.bisect_left(room, length)
        if place < len(room):
            bisect.insort(room, room.pop(place) - length)
        else:
            bisect.insort(room, capacity - length)
            windows += 1
    assert best_fit(np.arange(len(lengths)), np.array(lengths, np.int64), capacity).windows == windows


def test_windows_longer_than_two_levels_of_bits_hold(capacity=300_000):
    """The search for room crosses empty summary words: few documents, all far apart in length."""
    lengths = np.array([capacity - 5, 5, capacity - 70_000, 70_000, 1, capacity - 1])
    plan = best_fit(np.arange(6), lengths, capacity)
    assert plan.windows == 3 and plan.length.sum() == 3 * capacity


@settings(deadline=None)
@given(lengths=some_lengths, capacity=st.integers(1, 150))
def test_concatenation_fills_all_windows_but_the_last(lengths, capacity):
    documents = np.arange(len(lengths)) + 7
    plan = concatenated(documents, np.array(lengths, np.int64), capacity)
    assert_every_token_is_used_once(plan, documents.tolist(), lengths, capacity)
    sizes = [sum(length for _, _, length in window) for window in pieces(plan)]
    assert all(size == capacity for size in sizes[:-1])
    order = [(document, start) for window in pieces(plan) for document, start, _ in window]
    assert order == sorted(order)


def test_joined_plans_keep_their_windows():
    plans = [best_fit(np.arange(9) + 10 * i, np.arange(9) * 5, 16) for i in range(3)]
    assert pieces(joined(plans)) == [window for plan in plans for window in pieces(plan)]


def test_documents_of_real_sizes_leave_almost_no_padding():
    """100,000 log-normal lengths as web text has them (median 423, mean 699 tokens), windows of 2,048."""
    lengths = np.maximum(1, np.random.default_rng(0).lognormal(np.log(423), 1.0, 100_000)).astype(np.int64)
    plan = best_fit(np.arange(len(lengths)), lengths, 2048)
    assert 1 - lengths.sum() / (plan.windows * 2048) < 0.001

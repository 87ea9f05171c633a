"""Samples are a pure function of their number; documents stay apart; every label is seen as often as promised."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from trainer.data.loader import IGNORED, Windows, evaluation_batches, positions_within  # noqa: E402
from trainer.data.permutation import permute, round_keys  # noqa: E402

END = 256


@given(size=st.integers(1, 700), seed=st.integers(0, 2**63), epoch=st.integers(0, 1000))
def test_permutation_is_a_bijection(size, seed, epoch):
    keys = round_keys(seed, epoch)
    assert sorted(permute(index, size, keys) for index in range(size)) == list(range(size))


@given(size=st.integers(1, 2**62), data=st.data())
def test_large_permutations_stay_in_range_and_tell_indices_apart(size, data):
    first, second = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    keys = round_keys(7, 0)
    images = permute(first, size, keys), permute(second, size, keys)
    assert all(0 <= image < size for image in images)
    assert (images[0] == images[1]) == (first == second)


def test_permutation_is_uniform_enough():
    """Where item 0 of 10 goes, over 4,000 epochs: chi-square with 9 degrees of freedom, 99.9% quantile 27.9."""
    counts = np.bincount([permute(0, 10, round_keys(0, epoch)) for epoch in range(4000)], minlength=10)
    assert ((counts - 400) ** 2 / 400).sum() < 27.9


def test_indices_outside_the_permutation_are_refused():
    with pytest.raises(IndexError, match="cannot permute 5 in a range of 5"):
        permute(5, 5, round_keys(0, 0))


def test_each_epoch_shows_every_window_once_in_another_order(corpus):
    windows = Windows(corpus(60, seed=1), 16, seed=3, vocab_size=257)
    epochs = [
        [windows.window(sample) for sample in range(epoch * windows.count, (epoch + 1) * windows.count)]
        for epoch in range(3)
    ]
    assert all(sorted(order) == list(range(windows.count)) for order in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_sample_depends_on_its_number_only(corpus):
    source = corpus(40, seed=1)
    together = Windows(source, 16, seed=3, vocab_size=257).batch(5, 6)
    for row, sample in enumerate(range(5, 11)):
        alone = Windows(source, 16, seed=3, vocab_size=257).batch(sample, 1)
        assert torch.equal(together.tokens[row], alone.tokens[0])
        assert torch.equal(together.labels[row], alone.labels[0])


def test_one_epoch_makes_each_token_a_label_exactly_once(corpus):
    source = corpus(60, seed=2)
    windows = Windows(source, 16, seed=0, vocab_size=257)
    rows = {windows.window(sample): windows.row(sample) for sample in range(windows.count)}
    labels = np.concatenate([rows[window][1] for window in sorted(rows)])
    assert labels.tolist() == source.read(1, windows.count * 16 + 1).tolist()


def test_a_row_by_hand(source_of):
    """<|endoftext|> is the last label of one document and the first input of the next."""
    source = source_of(("en", "web", "ab"), ("en", "web", ""), ("en", "web", "cde"))
    inputs, labels, positions, ids = Windows(source, 7, seed=0, vocab_size=257).row(0)
    a, b, c, d, e = b"abcde"
    assert inputs.tolist() == [a, b, END, END, c, d, e]
    assert labels.tolist() == [b, END, END, c, d, e, END]
    assert positions.tolist() == [0, 1, 0, 0, 1, 2, 3]
    assert ids.tolist() == [0, 0, 1, 2, 2, 2, 2]


def test_without_end_of_text_a_label_in_another_document_is_masked(memory_source):
    source = memory_source((("en", "web", (1, 2), 2), ("en", "web", (3, 4, END), 2)))
    _, labels, positions, ids = Windows(source, 4, seed=0, vocab_size=257).row(0)
    assert labels.tolist() == [2, IGNORED, 4, END]
    assert positions.tolist() == [0, 1, 0, 1]
    assert ids.tolist() == [0, 0, 1, 1]


@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=12), length=st.integers(1, 17), rows=st.integers(1, 4))
def test_evaluation_scores_every_token_of_every_document_once(memory_source, lengths, length, rows):
    documents = [(*[97 + number] * size, END) for number, size in enumerate(lengths)]
    source = memory_source(tuple(("en", "web", tokens, len(tokens) - 1) for tokens in documents))
    scored = {number: [] for number in range(len(documents))}
    for batch, owners in evaluation_batches(source, range(len(documents)), length, rows, 257):
        assert batch.tokens.shape == (len(owners), length) and len(owners) <= rows
        assert ((batch.labels.numpy() == IGNORED) == (owners < 0)).all()
        for row in range(len(owners)):
            ids = batch.document_ids[row].numpy()
            assert (batch.positions[row].numpy() == positions_within(ids)).all()
            for number in range(ids.max() + 1):
                cells = ids == number
                (document,) = set(owners[row][cells].tolist())
                before = scored[document][-1] if scored[document] else END
                labels = batch.labels[row].numpy()[cells].tolist()
                assert batch.tokens[row].numpy()[cells].tolist() == [before, *labels[:-1]]
                scored[document] += labels
    assert all(scored[number] == list(tokens) for number, tokens in enumerate(documents))


def test_a_token_outside_the_vocabulary_is_named_with_its_place(memory_source):
    source = memory_source((("en", "web", (1, 2, END), 2), ("en", "web", (3, 999, END), 2)))
    with pytest.raises(
        ValueError, match=r"token 999 at position 4 of the shards \(document 1, its token 1, address 0\)"
    ):
        Windows(source, 5, seed=0, vocab_size=257).row(0)


def test_too_little_text_for_one_window_is_explained(source_of):
    with pytest.raises(ValueError, match="hold 3 tokens, fewer than one window of sequence_length \\+ 1 = 9"):
        Windows(source_of(("en", "web", "ab")), 8, seed=0, vocab_size=257)

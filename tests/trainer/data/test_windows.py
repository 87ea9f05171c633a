"""Windows as arrays: by hand, against an oracle that lays one token at a time, and through the model."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from tokenizer.shards.reader import open_shards  # noqa: E402
from trainer.data.evaluation import evaluation_batches  # noqa: E402
from trainer.data.packing import PACKINGS, best_fit, concatenated  # noqa: E402
from trainer.data.torch_dataset import Batch, as_tensors  # noqa: E402
from trainer.data.windows import IGNORED, read_windows  # noqa: E402
from trainer.model import Qwen2  # noqa: E402

END = 256


def plan_of(shards, packing, length):
    return PACKINGS[packing](np.arange(shards.num_documents), np.diff(shards.document_offsets), length)


def test_a_window_by_hand(source_of):
    """<|endoftext|> is the last label of one document and the first input of the next; what is left is padding."""
    shards = source_of(("en", "web", "ab"), ("en", "web", ""), ("en", "web", "cde"))
    plan = best_fit(np.arange(3), np.diff(shards.document_offsets), 10)
    found = read_windows(shards, plan, np.array([0]), 10)
    a, b, c, d, e = b"abcde"
    assert found.tokens[0].tolist() == [END, a, b, END, END, c, d, e, END, END]
    assert found.labels[0].tolist() == [a, b, END, END, c, d, e, END, IGNORED, IGNORED]
    assert found.positions[0].tolist() == [0, 1, 2, 0, 0, 1, 2, 3, 0, 1]
    assert found.document_ids[0].tolist() == [0, 0, 0, 1, 2, 2, 2, 2, -1, -1]
    assert found.cu_seqlens.tolist() == [0, 3, 4, 8, 10]
    assert found.document.tolist() == [0, 1, 2] and found.length.tolist() == [3, 1, 4]
    assert found.utf8_bytes.tolist() == [2, 0, 3]


def test_a_cut_document_goes_on_from_its_own_token(source_of):
    shards = source_of(("en", "web", "abcde"))
    found = read_windows(shards, concatenated(np.arange(1), np.array([6]), 4), np.arange(2), 4)
    a, b, c, d, e = b"abcde"
    assert found.tokens.tolist() == [[END, a, b, c], [d, e, END, END]]
    assert found.labels.tolist() == [[a, b, c, d], [e, END, IGNORED, IGNORED]]
    assert found.row.tolist() == [0, 1]
    assert found.utf8_bytes.tolist() == [0, 5], "bytes count where the document ends"


def test_documents_without_end_of_text_stay_apart(shards_of):
    shards = shards_of([("en", "web", (1, 2), 2), ("en", "web", (3, 4, END), 2)])
    found = read_windows(shards, plan_of(shards, "concatenate", 5), np.array([0]), 5)
    assert found.tokens[0].tolist() == [END, 1, END, 3, 4]
    assert found.labels[0].tolist() == [1, 2, 3, 4, END]


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(any),
    packing=st.sampled_from(sorted(PACKINGS)),
    length=st.integers(1, 17),
)
def test_windows_are_those_of_an_oracle_that_lays_single_tokens(shards_of, lengths, packing, length):
    names = [("en", "ru")[i % 2] for i in range(len(lengths))]
    texts = [tuple(np.random.default_rng(i).integers(0, END, size)) for i, size in enumerate(lengths)]
    shards = shards_of([(name, "web", text, len(text)) for name, text in zip(names, texts, strict=True)])
    plan = plan_of(shards, packing, length)
    windows = np.random.default_rng(0).permutation(plan.windows)
    found = read_windows(shards, plan, windows, length)
    pieces, borders = [], []
    for row, window in enumerate(windows):
        cells = []
        for number, piece in enumerate(range(plan.bounds[window], plan.bounds[window + 1])):
            document, start = int(plan.document[piece]), int(plan.start[piece])
            borders.append(row * length + len(cells))
            for i in range(int(plan.length[piece])):
                before = texts[document][start + i - 1] if start + i else END
                cells.append((before, texts[document][start + i], i, number))
            ends = start + plan.length[piece] == lengths[document]
            pieces.append((row, document, plan.length[piece], names[document], lengths[document] if ends else 0))
        borders += [row * length + len(cells)] * (len(cells) < length)
        cells += [(END, IGNORED, i, -1) for i in range(length - len(cells))]
        columns = (found.tokens, found.labels, found.positions, found.document_ids)
        assert [column[row].tolist() for column in columns] == [list(column) for column in zip(*cells, strict=True)]
    assert found.cu_seqlens.tolist() == [*borders, len(windows) * length]
    language = [shards.languages[i] for i in found.language]
    columns = (found.row, found.document, found.length, language, found.utf8_bytes)
    assert list(zip(*columns, strict=True)) == pieces


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_pieces_across_blocks_and_shards_are_whole(tmp_path, dtype):
    """Documents larger than a block of 1 MiB, in three shards with an empty document at every border."""
    from tests.tokenizer.conftest import make_dataset

    lengths = [0, 700_000, 0, 0, 300_000, 5, 0, 290_000, 0]
    made = make_dataset(lengths)
    made.write(tmp_path, shards=3, dtype=dtype)
    shards = open_shards(tmp_path)
    starts = np.array([0, 262_143, 699_999, 262_144, 700_000, 1_290_000, 5])
    stops = np.array([1, 262_145, 1_000_010, 600_000, 700_000, 1_290_005, 5])
    expected = np.concatenate([made.tokens[a:b] for a, b in zip(starts, stops, strict=True)])
    np.testing.assert_array_equal(shards.gather(starts, stops), expected)


def test_ranges_outside_the_dataset_are_refused(source_of):
    shards = source_of(("en", "web", "abc"))
    for start, stop in ((-1, 2), (3, 2), (2, 5)):
        with pytest.raises(IndexError, match=f"Tokens {start} to {stop} are not within the dataset's 4 tokens"):
            shards.gather(np.array([0, start]), np.array([1, stop]))


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=12), length=st.integers(1, 17), rows=st.integers(1, 4))
def test_evaluation_scores_every_token_of_every_document_once(shards_of, lengths, length, rows):
    documents = [(*[97 + number] * size, END) for number, size in enumerate(lengths)]
    shards = shards_of([("en", "web", tokens, len(tokens) - 1) for tokens in documents])
    scored = [0] * len(documents)
    for batch, owners in evaluation_batches(shards, np.arange(len(documents)), length, rows):
        assert batch.tokens.shape == owners.shape and len(owners) <= rows
        assert ((batch.labels.numpy() == IGNORED) == (owners < 0)).all()
        for number in set(owners[owners >= 0].tolist()):
            labels = batch.labels.numpy()[owners == number]
            assert set(labels.tolist()) <= {97 + number, END}
            scored[number] += len(labels)
    assert scored == [len(tokens) for tokens in documents]


def test_a_packed_document_has_the_logits_it_has_alone(corpus, tiny_model):
    """Windows of many documents through the model, against each document in a row of its own."""
    shards, model = corpus(12, seed=4), Qwen2(tiny_model).initialize(0).double()
    plan = plan_of(shards, "best_fit", 256)
    samples = read_windows(shards, plan, np.arange(plan.windows), 256)
    batch = Batch.of(as_tensors(samples))
    with torch.no_grad():
        logits = model(batch.tokens, batch.positions, batch.document_ids)
        for place, document in enumerate(samples.document.tolist()):
            row = int(samples.row[place])
            number = place - int((samples.row < row).sum())
            packed = logits[row][batch.document_ids[row] == number]
            tokens = torch.from_numpy(np.array([END, *shards.document(document)[:-1]], np.int64))
            torch.testing.assert_close(packed, model(tokens[None])[0], rtol=1e-6, atol=1e-9)
    assert len(samples.document) == shards.num_documents > plan.windows

"""A sample is a function of its number: whoever reads it, from wherever a run goes on, and whatever was read before."""

import json
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenizer.shards.format import ShardDamaged  # noqa: E402
from tokenizer.shards.reader import open_shards  # noqa: E402
from trainer.data.mixture import BLOCK, Stage  # noqa: E402
from trainer.data.samples import SampleStream, next_block, rank_samples  # noqa: E402
from trainer.data.torch_dataset import SampleDataset, data_loader  # noqa: E402
from trainer.data.windows import IGNORED  # noqa: E402


@pytest.fixture(scope="module")
def shards(corpus):
    return corpus(400, seed=1)


def assert_equal(found, expected):
    for name in expected._fields:
        column = found[name].numpy() if isinstance(found, dict) else getattr(found, name)
        np.testing.assert_array_equal(column, getattr(expected, name), err_msg=name)


def test_a_sample_depends_on_its_number_only(shards):
    """Read in one batch, alone from another stream, and in another order."""
    numbers = [5, 6, 7, BLOCK - 1, BLOCK, 40 * BLOCK + 3, 5]
    together = SampleStream(shards, 64, seed=3).read(numbers)
    for row, sample in enumerate(numbers):
        alone = SampleStream(shards, 64, seed=3).read([sample])
        for name in ("tokens", "labels", "positions", "document_ids"):
            np.testing.assert_array_equal(getattr(together, name)[row], getattr(alone, name)[0])
        assert together.document[together.row == row].tolist() == alone.document.tolist()


@pytest.mark.parametrize("packing", ["best_fit", "concatenate"])
def test_each_epoch_of_a_source_shows_each_window_once_in_another_order(shards, packing):
    stream = SampleStream(shards, 64, seed=3, packing=packing)
    windows = stream.windows(np.arange(6 * stream.plan.windows))
    for first, last in zip(stream.first_window[:-1], stream.first_window[1:], strict=True):
        own = windows[(windows >= first) & (windows < last)]
        epochs = [own[i : i + last - first].tolist() for i in range(0, 4 * (last - first), last - first)]
        assert all(sorted(order) == list(range(first, last)) for order in epochs)
        assert last - first < 5 or len(set(map(tuple, epochs))) == 4


@pytest.mark.parametrize("packing", ["best_fit", "concatenate"])
def test_one_epoch_makes_each_token_of_each_document_a_label_once(shards, packing):
    """All windows once: the labels of each document, in the order of its pieces, are the document."""
    stream = SampleStream(shards, 48, packing=packing)
    samples = np.arange(6 * stream.plan.windows)
    _, first_shown = np.unique(stream.windows(samples), return_index=True)
    assert len(first_shown) == stream.plan.windows
    labels = {document: {} for document in range(shards.num_documents)}
    found = stream.read(samples[first_shown])
    for row in range(len(first_shown)):
        for number, piece in enumerate(np.flatnonzero(found.row == row)):
            cells = found.labels[row][found.document_ids[row] == number]
            assert len(cells) == found.length[piece] and IGNORED not in cells
            labels[int(found.document[piece])][int(first_shown[row]), number] = cells.tolist()
    for document, cut in labels.items():
        expected = shards.document(document).tolist()
        whole = [token for piece in cut.values() for token in piece]
        if packing == "best_fit" and len(expected) <= 48:
            assert list(cut.values()) == [expected]
        assert sorted(whole) == sorted(expected)
    assert int(found.utf8_bytes.sum()) == int(shards.meta["utf8_bytes"].sum())


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_batches_are_the_same_for_0_1_2_and_3_workers(shards):
    stream = SampleStream(shards, 64, seed=3)
    for workers in (0, 1, 2, 3):
        batches = iter(data_loader(SampleDataset(stream, 6, first_step=2), workers))
        for step in range(2, 12):
            assert_equal(next(batches), stream.read(rank_samples(step, 6)))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_resuming_at_random_steps_is_exact_also_with_other_workers(shards):
    """50 steps drawn at random, each from a state that went through JSON, into a fresh stream."""
    stream = SampleStream(shards, 64, seed=3)
    drawn = random.Random(0)
    for trial in range(50):
        step = drawn.randrange(100_000)
        fresh = SampleStream(shards, 64, seed=3)
        sample = fresh.resume(json.loads(json.dumps(stream.state(step * 4))))
        dataset = SampleDataset(fresh, 4, first=sample)
        batches = iter(data_loader(dataset, workers=3 if trial < 2 else 0))
        for ahead in range(3):
            assert_equal(next(batches), stream.read(rank_samples(step + ahead, 4)))


def test_ranks_share_each_step_among_them_whatever_their_number(shards):
    """World sizes 1, 2 and 4: the ranks' rows joined are the step's samples; a run may change between them."""
    stream = SampleStream(shards, 64, seed=3)
    for world in (1, 2, 4):
        parts = [iter(data_loader(SampleDataset(stream, 8, rank, world, first_step=5))) for rank in range(world)]
        for step in range(5, 8):
            rows = np.concatenate([next(part)["tokens"].numpy() for part in parts])
            np.testing.assert_array_equal(rows, stream.read(rank_samples(step, 8)).tokens)
    with pytest.raises(ValueError, match="a batch of 8 samples cannot be divided among 3 ranks"):
        SampleDataset(stream, 8, 0, 3)


def test_weights_changed_during_a_run_repeat_and_lose_nothing(shards):
    """Three stages, one leaving a source out: until its first epoch ends, no window of a source is shown twice."""
    names = SampleStream(shards, 24).sources
    assert len(names) == 6
    even = {name: 1.0 for name in names}
    skewed = {name: float(i) for i, name in enumerate(names)}
    stages = [Stage(0, even), Stage(BLOCK, skewed), Stage(3 * BLOCK, {names[0]: 1.0, names[1]: 1e-3})]
    stream = SampleStream(shards, 24, seed=5, stages=stages)
    windows = stream.windows(np.arange(5 * BLOCK))
    for source, (first, last) in enumerate(zip(stream.first_window[:-1], stream.first_window[1:], strict=True)):
        own = windows[(windows >= first) & (windows < last)]
        assert len(own) == stream.mixture.before(5 * BLOCK)[source] > last - first
        for epoch in range(len(own) // (last - first)):
            shown = own[epoch * (last - first) : (epoch + 1) * (last - first)]
            assert sorted(shown) == list(range(first, last))
        rest = own[len(own) // (last - first) * (last - first) :]
        assert len(set(rest)) == len(rest)
    stage = windows[BLOCK : 2 * BLOCK]
    assert not ((stage >= stream.first_window[0]) & (stage < stream.first_window[1])).any()


def test_a_state_goes_on_when_only_later_weights_changed(shards):
    names = SampleStream(shards, 64).sources
    even, other = {name: 1.0 for name in names}, {name: 1.0 + i for i, name in enumerate(names)}
    before = SampleStream(shards, 64, stages=[Stage(0, even)])
    change = next_block(3000)
    assert change == 2 * BLOCK
    after = SampleStream(shards, 64, stages=[Stage(0, even), Stage(change, other)])
    assert after.resume(before.state(3000)) == 3000
    np.testing.assert_array_equal(after.windows(range(3000, change)), before.windows(range(3000, change)))
    assert (after.windows(range(change, change + 99)) != before.windows(range(change, change + 99))).any()
    with pytest.raises(ValueError, match="stages: "):
        after.resume(before.state(change + 1))


def test_a_state_of_something_else_is_refused_with_the_difference(shards, corpus):
    stream = SampleStream(shards, 64, seed=3)
    state = stream.state(77)
    for other, difference in (
        (SampleStream(shards, 64, seed=4), "seed: 3 -> 4"),
        (SampleStream(shards, 32, seed=3), "sequence_length: 64 -> 32"),
        (SampleStream(shards, 64, seed=3, packing="concatenate"), 'packing: "best_fit" -> "concatenate"'),
        (SampleStream(corpus(30, seed=2), 64, seed=3), f'shards: "{shards.fingerprint}" -> '),
        (SampleStream(shards, 64, seed=3, by=["language"]), "sources: "),
    ):
        with pytest.raises(ValueError, match=difference.replace("(", r"\(")):
            other.resume(state)
    with pytest.raises(ValueError, match='tokenizer: "another" -> "bytes"'):
        stream.resume({**state, "tokenizer": "another"})


def test_sources_are_told_apart_by_the_fields_asked_for(shards):
    sources = {by: SampleStream(shards, 64, by=by).sources for by in [("language", "domain"), ("domain",), ()]}
    assert sources == {
        ("language", "domain"): ["en/code", "en/web", "ru/code", "ru/web", "th/code", "th/web"],
        ("domain",): ["code", "web"],
        (): ["all"],
    }


def test_a_stream_pickles_for_workers_that_are_spawned(shards):
    stream = SampleStream(shards, 64, seed=3)
    assert_equal(pickle.loads(pickle.dumps(stream)).read([9, 5000]), stream.read([9, 5000]))


def test_no_samples_are_an_empty_batch_and_none_lie_before_0(shards):
    stream = SampleStream(shards, 64)
    assert stream.read([]).tokens.shape == (0, 64)
    with pytest.raises(IndexError, match="samples count from 0; there is none of number -1"):
        stream.read([3, -1])


def test_settings_that_make_no_sense_are_named(shards, shards_of):
    with pytest.raises(ValueError, match="packing is one of"):
        SampleStream(shards, 64, packing="first_fit")
    with pytest.raises(ValueError, match="holds no tokens to train on"):
        SampleStream(shards_of([("en", "web", (), 0)] * 2), 64)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_block_is_raised_where_batches_are_taken(corpus, workers):
    """Bits flipped in the second of two shards: batches come until one needs it, and none after."""
    shards = corpus(40, seed=3)
    path = Path(shards.location, "part-1.bin")
    content = bytearray(path.read_bytes())
    content[8] ^= 4
    path.write_bytes(content)
    stream = SampleStream(open_shards(shards.location), 32)
    border = shards.document_offsets[20]
    batches = iter(data_loader(SampleDataset(stream, 1), workers))
    clean = 0
    with pytest.raises(ShardDamaged, match=r"part-1\.bin: block 0, bytes 0 to"):
        for arrays in batches:
            assert (shards.document_offsets[arrays["document"].numpy()] < border).all()
            clean += 1
    touched = [(stream.plan.document[stream.plan.bounds[w] : stream.plan.bounds[w + 1]] >= 20).any()
               for w in stream.windows(range(clean + 1))]  # fmt: skip
    assert touched == [False] * clean + [True]


def test_a_file_cut_after_opening_is_noticed(corpus):
    shards = corpus(40, seed=3)
    stream = SampleStream(shards, 32)
    path = Path(shards.location, "part-1.bin")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ShardDamaged, match=r"part-1\.bin: block 0"):
        stream.read(range(40))


def test_samples_are_read_without_torch(shards):
    """The NumPy interface: shards, plan and samples in a process where torch cannot be imported."""
    code = f"""
import sys
from pathlib import Path
sys.modules["torch"] = None
from tokenizer.shards.reader import open_shards
from trainer.data.samples import SampleStream
print(SampleStream(open_shards({shards.location!r}), 64, seed=3).read([9]).tokens.sum())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) == SampleStream(shards, 64, seed=3).read([9]).tokens.sum()

"""Training that goes on: from a checkpoint to the same bytes, and from the vocabulary of another tokenizer."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from tokenizer.bpe import trainer
from tokenizer.bpe.counts import PretokenCounter, count_table
from tokenizer.bpe.extension import extended, vocabulary_of
from tokenizer.bpe.trainer import Options, starting_vocabulary, train, train_exact
from tokenizer.bpe.vocabulary import Vocabulary
from tokenizer.bpe.words import apply_merges, merge_ranks
from tokenizer.export import export
from tokenizer.ids import vocabulary_size
from tokenizer.pretokens import CONTROL_TOKENS, build_pipeline, token_bytes

WORDS = st.one_of(st.text(alphabet="ab", min_size=1, max_size=12), st.text(alphabet="aé中ก🙂", min_size=1, max_size=6))
COUNTS = st.dictionaries(WORDS, st.integers(1, 5), min_size=1, max_size=8)


class Stopped(Exception):
    pass


def stop_after(merges: int) -> trainer.Progress:
    def progress(made: int, most: int) -> None:
        if made >= merges:
            raise Stopped

    return progress


@pytest.fixture
def counts(sample: dict[str, str]) -> pa.Table:
    counter = PretokenCounter()
    counter.add(pa.array(sample.values(), pa.large_string()))
    return counter.table()


def same(one: Vocabulary, other: Vocabulary) -> bool:
    arrays = np.array_equal(one.merges, other.merges) and np.array_equal(one.counts, other.counts)
    return arrays and (one.tokens, one.special_tokens, one.ids) == (other.tokens, other.special_tokens, other.ids)


@pytest.mark.parametrize("exact", [True, False])
def test_a_stopped_run_goes_on_to_the_same_result(
    exact: bool, counts: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "REPORT_EVERY", 10)
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY", 50)
    checkpoint = str(tmp_path / "merges.npz")

    def run(**arguments: object) -> Vocabulary:
        if exact:
            return train_exact(counts, 700, special_tokens=["<s>"], **arguments)
        return train(counts, 700, Options(min_frequency=1, seeds=(" brown", "狐狸")), **arguments)

    whole = run()
    for stop in (70, 170):
        with pytest.raises(Stopped):
            run(checkpoint=checkpoint, progress=stop_after(stop))
    first: list[int] = []
    assert same(run(checkpoint=checkpoint, progress=lambda made, most: first.append(made)), whole)
    assert first[0] == 160  # it went on from the checkpoint at 150


@settings(max_examples=50, deadline=None)
@given(COUNTS, st.integers(1, 8), st.booleans(), st.lists(st.sampled_from(["ab", "aba", "b"]), unique=True))
def test_random_runs_can_stop_anywhere(
    tmp_path_factory: pytest.TempPathFactory, counts: dict[str, int], stop: int, exact: bool, special: list[str]
) -> None:
    """Also where tokens are made in two ways, which the exact mode allows."""
    table = count_table([word.encode() for word in counts], list(counts.values()))
    checkpoint = str(tmp_path_factory.mktemp("checkpoint") / "merges.npz")

    def run(**arguments: object) -> Vocabulary:
        if exact:
            return train_exact(table, 285, special_tokens=special, **arguments)
        return train(table, 285, Options(min_frequency=1), **arguments)

    whole = run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "REPORT_EVERY", 1)
        patch.setattr(trainer, "CHECKPOINT_EVERY", 1)
        with suppress(Stopped):
            run(checkpoint=checkpoint, progress=stop_after(stop + 1))
        assert same(run(checkpoint=checkpoint), whole)


def test_checkpoints_of_other_runs_are_refused(
    counts: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "REPORT_EVERY", 10)
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY", 10)
    checkpoint = str(tmp_path / "merges.npz")
    train(counts, 300, checkpoint=checkpoint)
    with pytest.raises(ValueError, match="of other counts or settings"):
        train(counts, 301, checkpoint=checkpoint)
    with pytest.raises(ValueError, match="of other counts or settings"):
        train(counts.slice(1), 300, checkpoint=checkpoint)
    Path(checkpoint).write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="is not a checkpoint of BPE training"):
        train(counts, 300, checkpoint=checkpoint)


@settings(max_examples=200, deadline=None)
@given(COUNTS, st.text(alphabet="abé中ก🙂", max_size=30))
def test_applying_merges_encodes_as_tokenizers_does(counts: dict[str, int], text: str) -> None:
    """From this, resumed and extended training rebuild their words."""
    table = count_table([word.encode() for word in counts], list(counts.values()))
    trained = train_exact(table, 280)
    tokenizer = trained.tokenizer()
    tokenizer.normalizer, tokenizer.pre_tokenizer = None, build_pipeline().pre_tokenizer[1]
    positions = {token: i for i, token in enumerate(trained.tokens)}
    symbols = np.array([positions[bytes([byte])] for byte in text.encode()], np.int32)
    made_once = len(trained.merges) == len(trained.tokens) - 256  # else ranks differ from the order of merging
    if text and made_once:
        length = apply_merges(symbols, 0, symbols.size, merge_ranks(trained.merges), np.empty(symbols.size, np.int64))
        assert symbols[:length].tolist() == tokenizer.encode(text).ids


def test_a_vocabulary_extended_is_the_vocabulary_trained_at_once(counts: pa.Table) -> None:
    """On the same counts, growing 400 tokens to 600 finds what training 600 finds."""
    small, large = train(counts, 400), train(counts, 600)
    grown = train(counts, 600, base=small)
    assert grown.tokens == large.tokens
    np.testing.assert_array_equal(grown.merges, large.merges)


def test_a_tokenizer_in_use_is_extended_with_frozen_ids(trained: Tokenizer, counts: pa.Table) -> None:
    """Old tokens and control tokens keep their ids, new ones come after, old text without new tokens encodes alike."""
    counter = PretokenCounter()
    counter.add(pa.array(["Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich. " * 3]))
    base = vocabulary_of(trained)
    free = vocabulary_size(trained)
    grown = extended(trained, train(counter.table(), len(base.tokens) + 30, base=base, first_new_id=free))
    before, after = trained.get_vocab(), grown.get_vocab()
    assert {token: after[token] for token in before} == before
    assert sorted(set(after.values()) - set(before.values())) == list(range(free, free + 30))
    assert all(grown.token_to_id(token) == trained.token_to_id(token) for token in CONTROL_TOKENS)
    new = "Boxkämpfer jagen Viktor"
    assert len(grown.encode(new).ids) < len(trained.encode(new).ids) and grown.decode(grown.encode(new).ids) == new
    assert grown.encode("敏捷的<|im_end|>").ids == trained.encode("敏捷的<|im_end|>").ids
    assert json.loads(Tokenizer.from_str(grown.to_str()).to_str()) == json.loads(grown.to_str())


def test_control_tokens_that_a_base_lacks_come_last(counts: pa.Table, tmp_path: Path) -> None:
    """As GPT-2 has but an end of text: what is extended can be exported, and text after the last token is its own."""
    base = train(counts, 300).tokenizer(special_tokens=CONTROL_TOKENS[:1])
    grown = extended(base, train(counts, 330, base=vocabulary_of(base), first_new_id=vocabulary_size(base)))
    assert [grown.token_to_id(token) for token in CONTROL_TOKENS] == [300, 331, 332]
    assert base.get_vocab().items() <= grown.get_vocab().items()
    assert sorted(grown.get_vocab().values()) == list(range(333))
    assert Tokenizer.from_str(grown.to_str()).encode("a<|im_end|>").ids[-1] == 332
    export(grown, tmp_path)


def test_what_was_given_is_never_cut_off(counts: pa.Table) -> None:
    """Neither the base's tokens nor seeds; the smallest prefix has all of their merges."""
    base = vocabulary_of(train(counts, 300).tokenizer())
    start = starting_vocabulary(base, ["<unseen>"])
    grown = train(counts, len(start.tokens) + 20, Options(seeds=("<unseen>",)), base=base)
    prefix = grown.prefix(len(start.tokens))
    assert prefix.tokens == start.tokens
    np.testing.assert_array_equal(prefix.merges, start.merges)
    with pytest.raises(ValueError, match=f"can be cut to {len(start.tokens)} to"):
        grown.prefix(len(start.tokens) - 1)


def test_broken_tokens_of_a_base_are_left_alone(counts: pa.Table) -> None:
    """A base may hold tokens that mix characters and parts of them; nothing new is built on these."""
    base = train_exact(counts, 600)
    assert any("�" in token.decode(errors="replace") and len(token) > 3 for token in base.tokens)
    grown = train(counts, 700, Options(min_frequency=1), base=base)
    for token in grown.tokens[600:]:
        assert "�" not in token.decode(errors="replace") or len(token) < 4


def test_special_tokens_can_have_ids_of_their_own(counts: pa.Table) -> None:
    trained = train(counts, 300)
    tokenizer = trained.tokenizer(special_tokens=CONTROL_TOKENS, first_special_id=1000)
    assert [tokenizer.token_to_id(token) for token in CONTROL_TOKENS] == [1000, 1001, 1002]
    following = trained.tokenizer(special_tokens=CONTROL_TOKENS)
    assert [following.token_to_id(token) for token in CONTROL_TOKENS] == [300, 301, 302]
    assert Tokenizer.from_str(tokenizer.to_str()).encode("<|im_end|>").ids == [1002]
    with pytest.raises(ValueError, match="id 299 is a regular token"):
        trained.tokenizer(special_tokens=CONTROL_TOKENS, first_special_id=299)
    with pytest.raises(ValueError, match="is a regular token already"):
        trained.tokenizer(special_tokens=["a"], first_special_id=1000)


def test_what_cannot_be_extended_is_refused(counts: pa.Table, trained: Tokenizer) -> None:
    with pytest.raises(ValueError, match="stands for no byte"):
        vocabulary_of(Tokenizer(models.BPE({"a": 0, "中": 1}, [])))
    with pytest.raises(ValueError, match="Only byte-level BPE"):
        vocabulary_of(Tokenizer(models.WordLevel({"a": 0}, "a")))
    with pytest.raises(ValueError, match="no token for 255 of the 256 bytes"):
        train(counts, 300, base=vocabulary_of(Tokenizer(models.BPE({"a": 0}, []))))
    base = vocabulary_of(trained)
    with pytest.raises(ValueError, match="has tokens up to 696"):
        train(counts, 800, base=base, first_new_id=5)
    with pytest.raises(ValueError, match="first_new_id is for extending"):
        train(counts, 800, first_new_id=5)
    with pytest.raises(ValueError, match="697 are given"):
        train(counts, 300, base=base)
    assert base.tokens[256:258] == tuple(token_bytes(trained.id_to_token(i)) for i in (256, 257))

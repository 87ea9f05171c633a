"""Tokenizers of several kinds as subjects: what they encode, and the bytes of their tokens."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers

from tokenizer.encoding import plain_text_tokenizer
from tokenizer.evaluation.subject import load, subject_of
from tokenizer.export import RANKS_FILE


def _column(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def test_the_exported_folder_its_json_and_its_ranks_are_one_tokenizer(
    exported: Path, trained: Tokenizer, sample: dict[str, str]
) -> None:
    texts = [*sample.values(), "", "<|endoftext|>"]
    expected = [i for text in texts for i in plain_text_tokenizer(trained).encode(text).ids]
    for path, pattern in ((exported, None), (exported / "tokenizer.json", None), (exported / RANKS_FILE, "qwen2")):
        subject = load(str(path), pattern, "ours")
        ids, offsets = subject.encode(_column(texts))
        assert ids.tolist() == expected and offsets[-1] == len(expected) and subject.name == "ours"
        assert b"".join(subject.tokens[i] for i in ids[: offsets[1]]).decode() == texts[0]
        assert int(subject.regular.sum()) == 697


def test_names_are_those_of_folder_or_file(exported: Path) -> None:
    assert load(str(exported)).name == exported.name == load(str(exported / "tokenizer.json")).name
    assert load(str(exported / RANKS_FILE), "qwen2").name == "tokenizer"


def test_control_tokens_are_no_regular_tokens(trained: Tokenizer) -> None:
    subject = subject_of(trained)
    assert subject.tokens[697:] == (b"", b"", b"") and subject.lengths[697:].sum() == 0
    ids, _ = subject.encode(_column(["<|endoftext|>"]))
    assert (ids < 697).all()


def test_tokenizers_without_an_end_of_text_token_are_encoded_all_the_same(trained: Tokenizer) -> None:
    plain = plain_text_tokenizer(trained)
    ids, offsets = subject_of(plain).encode(_column(["a b", "", "c"]))
    assert offsets.tolist() == [0, 2, 2, 3] and ids.tolist() == plain.encode("a b").ids + plain.encode("c").ids


def test_sentencepiece_vocabularies_write_spaces_and_bytes_their_own_way() -> None:
    vocabulary = {"<unk>": 0, "\u2581": 1, "<0xE4>": 2, "a": 3, "\u2581a": 4}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("\u2581", "a")], byte_fallback=True))
    tokenizer.normalizer = normalizers.Prepend("\u2581")
    tokenizer.decoder = decoders.ByteFallback()
    tokenizer.add_special_tokens(["<unk>"])
    subject = subject_of(tokenizer)
    assert subject.tokens == (b"", b" ", b"\xe4", b"a", b" a")
    np.testing.assert_array_equal(subject.broken, [False, False, True, False, False])
    assert subject.encode(_column(["a"]))[0].tolist() == [4]


def test_what_cannot_be_loaded_is_explained(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="need a pattern"):
        load(str(exported / RANKS_FILE))
    with pytest.raises(ValueError, match="'p50k' was given"):
        load(str(exported / RANKS_FILE), "p50k")
    with pytest.raises(ValueError, match="one of their own"):
        load(str(exported), "qwen2")
    with pytest.raises(FileNotFoundError, match="name a tokenizer.json"):
        load(str(tmp_path))

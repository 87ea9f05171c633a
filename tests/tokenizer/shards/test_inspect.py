"""Summaries and statistics of token datasets, against plain counting; checks of what whole bytes mean; decoding."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tokenizer.decoding import Decoder
from tokenizer.shards.check import check
from tokenizer.shards.format import META_DTYPE
from tokenizer.shards.inspect import QUANTILES, describe, statistics
from tokenizer.shards.walk import walk
from tokenizer.shards.writer import write_manifest, write_shard


def test_statistics_are_those_of_counting_document_by_document(dataset: Any, tmp_path: Path) -> None:
    dataset.write(tmp_path, shards=7)
    found, lengths = statistics(tmp_path), np.diff(dataset.offsets)
    for field, names in (("language", ["en", "zh", "de"]), ("domain", ["web", "code"]), ("source", ["crawl"]),
                         ("tier", list("01234"))):  # fmt: skip
        expected: dict[str, dict[str, Any]] = {}
        for row, length in zip(dataset.meta, lengths.tolist(), strict=True):
            group = expected.setdefault(names[row[field]], {"documents": 0, "tokens": 0, "utf8_bytes": 0})
            group["documents"] += 1
            group["tokens"] += length
            group["utf8_bytes"] += int(row["utf8_bytes"])
        for group in expected.values():
            group["bytes_per_token"] = group["utf8_bytes"] / group["tokens"]
        assert found[f"by_{field}"] == expected
    ordered = sorted(lengths.tolist())
    for name, share in QUANTILES.items():
        within = [length for i, length in enumerate(ordered) if i + 1 >= share * len(ordered)]
        assert found["lengths"][name] == within[0]
    assert found["lengths"]["mean"] == pytest.approx(np.mean(lengths))
    assert sum(bar["tokens"] for bar in found["histogram"].values()) == dataset.tokens.size
    for lower, bar in found["histogram"].items():
        inside = [n for n in ordered if (n == 0 if lower == "0" else int(lower) <= n < 2 * int(lower))]
        assert bar == {"documents": len(inside), "tokens": sum(inside)}
    assert json.loads(json.dumps(found)) == found


def test_a_summary_is_what_the_manifest_says(dataset: Any, tmp_path: Path) -> None:
    manifest = dataset.write(tmp_path)
    found = describe(tmp_path)
    assert found["tokens_per_shard"] == [shard["tokens"] for shard in manifest["shards"]]
    assert found["disk_bytes"] == sum(p.stat().st_size for p in tmp_path.iterdir() if p.suffix != ".json")
    assert found["recipe"] == {"seed": 7} and found["tokens"] == dataset.tokens.size


def test_walking_gives_every_document_once(dataset: Any, tmp_path: Path) -> None:
    dataset.write(tmp_path, shards=5)
    shards = list(walk(tmp_path))
    np.testing.assert_array_equal(np.concatenate([shard.tokens for shard in shards]), dataset.tokens)
    np.testing.assert_array_equal(np.concatenate([shard.lengths for shard in shards]), np.diff(dataset.offsets))
    assert b"".join(shard.meta.tobytes() for shard in shards) == dataset.meta.tobytes()


END = {"fingerprint": "", "vocabulary_size": 100, "special_tokens": {"<|endoftext|>": 0}}


def _problems(folder: Path, change: dict[str, Any], **shard_change: Any) -> list[str]:
    """Of three documents, [5 6 0] [7 0] [8 9 0], with a change, whose shard record says something else."""
    meta = np.zeros(3, META_DTYPE)
    meta["source"][2] = change.get("source", 0)
    tokens = np.array([5, 6, 0, 7, 0, 8, 9, 0], np.uint32)
    offsets = np.array([0, 3, 5, 8])
    tokens[change.get("at", 0)] = change.get("token", tokens[change.get("at", 0)])
    record = write_shard(folder, "s", tokens, offsets, meta) | shard_change
    write_manifest(folder, [record], tokenizer=END, languages=["en"], domains=["web"], sources=["s"], recipe={},
                   parents=[])  # fmt: skip
    return list(check(folder))


def test_a_whole_dataset_has_no_problems(tmp_path: Path) -> None:
    assert _problems(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("change", "shard_change", "message"),
    [
        ({"at": 1, "token": 100}, {}, "s: token 1 is 100, outside the vocabulary of 100"),
        ({"at": 4, "token": 3}, {}, r"s: 1 documents do not end with <\|endoftext\|>, the first is 1"),
        (
            {"source": 4},
            {"tokens_by_source": {"0": 8}},
            "s: document 2 has source 4, but sources has 1 names",
        ),
        ({}, {"documents": 4}, "s: holds 3 documents, the manifest says 4"),
        ({}, {"tokens": 9}, "s: holds 8 tokens, the manifest says 9"),
        ({}, {"utf8_bytes": 1}, "s: holds 0 utf8_bytes, the manifest says 1"),
    ],
)
def test_whole_bytes_that_mean_something_else_are_found(
    tmp_path: Path, change: dict[str, Any], shard_change: dict[str, Any], message: str
) -> None:
    [problem] = _problems(tmp_path, change, **shard_change)
    assert re.search(message, problem)


def test_files_of_different_documents_are_found(tmp_path: Path) -> None:
    """An index that the manifest knows, but of other documents."""
    other = write_shard(tmp_path, "s", np.zeros(2, np.uint32), np.array([0, 2]), np.zeros(1, META_DTYPE))
    index = (tmp_path / "s.idx").read_bytes()
    offsets = np.array([0, 1, 2])
    record = write_shard(tmp_path, "s", np.zeros(2, np.uint32), offsets, np.zeros(2, META_DTYPE))
    (tmp_path / "s.idx").write_bytes(index)
    record["files"]["idx"] = other["files"]["idx"]
    write_manifest(tmp_path, [record], tokenizer=END, languages=["en"], domains=["web"], sources=["s"], recipe={},
                   parents=[])  # fmt: skip
    assert list(check(tmp_path)) == [
        "s: holds 1 documents, the manifest says 2", "s: its three files describe different documents",
    ]  # fmt: skip


def test_files_that_are_no_part_of_the_dataset_are_found(tmp_path: Path) -> None:
    (tmp_path / "old-00007.bin").write_bytes(b"1234")
    [problem] = _problems(tmp_path, {})
    assert "old-00007.bin is not in the manifest" in problem


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 699), max_size=30), max_size=8))
def test_decoding_is_that_of_tokenizers(trained: Tokenizer, exported: Path, documents: list[list[int]]) -> None:
    """Any ids, so that bytes that are no UTF-8 and control tokens occur."""
    tokens = np.array([token for document in documents for token in document], np.uint32)
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    decoded = Decoder(exported / "tokenizer.json").decode(tokens, offsets)
    assert decoded.to_pylist() == [trained.decode(document, skip_special_tokens=False) for document in documents]


def test_ids_outside_the_vocabulary_are_refused(exported: Path) -> None:
    with pytest.raises(ValueError, match="Token 1 is 700, but the tokenizer has 700 ids"):
        Decoder(exported / "tokenizer.json").decode(np.array([3, 700], np.uint16), np.array([0, 2]))


def test_ids_after_those_left_out_are_decoded(trained: Tokenizer, tmp_path: Path) -> None:
    settings_ = json.loads(trained.to_str())
    for token in settings_["added_tokens"]:
        token["id"] += 50
        settings_["model"]["vocab"][token["content"]] = token["id"]
    gaps = Tokenizer.from_str(json.dumps(settings_))
    gaps.save(str(tmp_path / "tokenizer.json"))
    decoder, last = Decoder(tmp_path / "tokenizer.json"), gaps.token_to_id("<|im_end|>")
    tokens = np.array([*gaps.encode("a text").ids, last, 720], np.uint32)
    assert last == 749 and decoder.decode(tokens, np.array([0, tokens.size]))[0].as_py() == "a text<|im_end|>\ufffd"
    with pytest.raises(ValueError, match="has 750 ids"):
        decoder.decode(np.array([750], np.uint16), np.array([0, 1]))

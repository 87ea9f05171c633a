"""Token shards: what is written is what is read, in the documented bytes."""

import hashlib
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.encoding import Encoder
from tokenizer.export import tokenizer_info
from tokenizer.shards.format import META_DTYPE, index_bytes
from tokenizer.shards.inspect import decode_document, statistics
from tokenizer.shards.reader import open_shards, verify
from tokenizer.shards.writer import write_manifest, write_shard


def _megatron_index(lengths: list[int], itemsize: int, code: int) -> bytes:
    """The byte table of the Megatron index, field by field."""
    data = b"MMIDIDX\x00\x00" + struct.pack("<Q", 1) + struct.pack("<B", code)
    data += struct.pack("<Q", len(lengths)) + struct.pack("<Q", len(lengths) + 1)
    data += b"".join(struct.pack("<i", length) for length in lengths)
    position = 0
    for length in lengths:
        data += struct.pack("<q", position)
        position += length * itemsize
    return data + b"".join(struct.pack("<q", number) for number in range(len(lengths) + 1))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**31 - 1), max_size=20))
def test_index_has_the_documented_bytes(lengths: list[int]) -> None:
    """Against an independent writer of the byte table; lengths past 4 GiB of tokens included."""
    array = np.array(lengths, np.int64)
    assert index_bytes(array, "uint32") == _megatron_index(lengths, 4, 4)
    assert index_bytes(array, "uint16") == _megatron_index(lengths, 2, 8)


@pytest.mark.parametrize("dtype", ["uint32", "uint16"])
def test_megatron_reads_the_shards(dataset: Any, tmp_path: Path, dtype: str) -> None:
    """megatron-core's own reader sees the documents, and its own builder writes the same two files."""
    megatron = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    dataset.write(tmp_path, shards=1, dtype=dtype)
    theirs = megatron.IndexedDataset(str(tmp_path / "train-00000"))
    assert len(theirs) == dataset.meta.size
    builder = megatron.IndexedDatasetBuilder(
        str(tmp_path / "built.bin"), dtype={"uint32": np.int32, "uint16": np.uint16}[dtype]
    )
    for i in range(len(theirs)):
        expected = dataset.tokens[dataset.offsets[i] : dataset.offsets[i + 1]]
        np.testing.assert_array_equal(theirs[i], expected)
        builder.add_document(expected.astype(np.int64), [expected.size])
    builder.finalize(str(tmp_path / "built.idx"))
    for suffix in ("bin", "idx"):
        assert (tmp_path / f"built.{suffix}").read_bytes() == (tmp_path / f"train-00000.{suffix}").read_bytes()


@pytest.mark.parametrize("dtype", ["uint32", "uint16"])
@pytest.mark.parametrize("shards", [1, 3, 240])
def test_what_is_written_is_read(dataset: Any, tmp_path: Path, dtype: str, shards: int) -> None:
    """Every document, the meta, and ranges over shard borders, empty shards and empty documents included."""
    dataset.write(tmp_path, shards, dtype)
    opened = open_shards(tmp_path)
    assert (opened.num_documents, opened.num_tokens) == (dataset.meta.size, dataset.tokens.size)
    assert (opened.languages, opened.domains, opened.sources) == (["en", "zh", "de"], ["web", "code"], ["crawl"])
    np.testing.assert_array_equal(opened.document_offsets, dataset.offsets)
    assert opened.document_offsets.dtype == np.int64
    assert opened.meta.dtype == META_DTYPE and opened.meta.tobytes() == dataset.meta.tobytes()
    for i in range(0, opened.num_documents, 7):
        np.testing.assert_array_equal(opened.document(i), dataset.tokens[dataset.offsets[i] : dataset.offsets[i + 1]])
    whole = opened.read(0, opened.num_tokens)
    assert whole.dtype == np.uint32
    np.testing.assert_array_equal(whole, dataset.tokens)
    for start, stop in np.random.default_rng(3).integers(0, opened.num_tokens + 1, (50, 2)):
        start, stop = min(start, stop), max(start, stop)
        np.testing.assert_array_equal(opened.read(start, stop), dataset.tokens[start:stop])
    assert verify(tmp_path) == []


def test_bin_is_headerless_little_endian(dataset: Any, tmp_path: Path) -> None:
    """A plain memory map reads it, and the record's checksums are those of its bytes."""
    manifest = dataset.write(tmp_path, shards=1)
    data = (tmp_path / "train-00000.bin").read_bytes()
    assert data == struct.pack(f"<{dataset.tokens.size}I", *dataset.tokens.tolist())
    record = manifest["shards"][0]
    assert record["files"]["bin"] == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    mebibyte = 1 << 20
    expected = [xxhash.xxh3_64(data[i : i + mebibyte]).hexdigest() for i in range(0, len(data), mebibyte)]
    assert record["blocks"] == expected and len(expected) == 3


def test_meta_records_are_40_documented_bytes(tmp_path: Path) -> None:
    meta = np.zeros(1, META_DTYPE)
    meta[0] = (2**33 + 1, bytes(range(16)), 12, 1, 2, 3, 4, 99)
    write_shard(tmp_path, "s", np.zeros(2, np.uint32), np.array([0, 2]), meta)
    expected = struct.pack("<Q16sQHHHBB", 2**33 + 1, bytes(range(16)), 12, 1, 2, 3, 4, 0)
    assert (tmp_path / "s.meta").read_bytes() == expected and len(expected) == 40


def test_counts_by_language_domain_and_source(dataset: Any, tmp_path: Path) -> None:
    manifest = dataset.write(tmp_path)
    lengths = np.diff(dataset.offsets)
    for field, names in (("language", ["en", "zh", "de"]), ("domain", ["web", "code"]), ("source", ["crawl"])):
        expected = {name: int(lengths[dataset.meta[field] == i].sum()) for i, name in enumerate(names)}
        assert manifest[f"tokens_by_{field}"] == expected
    assert (manifest["documents"], manifest["tokens"]) == (240, dataset.tokens.size)
    assert manifest["utf8_bytes"] == 4 * dataset.tokens.size


def test_bytes_and_fingerprint_are_a_function_of_the_data(dataset: Any, tmp_path: Path) -> None:
    """Written twice: every file equal. One token changed: another fingerprint. Same data, other recipe: the same."""
    first, second = dataset.write(tmp_path / "a"), dataset.write(tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(["manifest.json"] + [f"train-0000{i}.{s}" for i in range(3) for s in ("bin", "idx", "meta")])
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    assert first == second == json.loads((tmp_path / "a" / "manifest.json").read_bytes())
    other = write_manifest(
        tmp_path / "a", first["shards"], tokenizer=first["tokenizer"], languages=["en", "zh", "de"],
        domains=["web", "code"], sources=["crawl"], recipe={"seed": 8}, parents={},
    )  # fmt: skip
    assert other["fingerprint"] == first["fingerprint"] and other["checksum"] != first["checksum"]
    dataset.tokens[5] += 1
    assert dataset.write(tmp_path / "c")["fingerprint"] != first["fingerprint"]


def test_datasets_without_tokens_or_documents(tmp_path: Path) -> None:
    """An empty shard beside a shard of empty documents: opens, reads nothing, is whole."""
    none, offsets = np.zeros(0, np.uint32), np.zeros(1, np.int64)
    shards = [
        write_shard(tmp_path, "nothing", none, offsets, np.zeros(0, META_DTYPE)),
        write_shard(tmp_path, "empty", none, np.zeros(4, np.int64), np.zeros(3, META_DTYPE)),
    ]
    tokenizer = {"fingerprint": "", "vocabulary_size": 300, "special_tokens": {}}
    write_manifest(
        tmp_path, shards, tokenizer=tokenizer, languages=["en"], domains=["web"], sources=["s"], recipe={}, parents=[]
    )
    opened = open_shards(tmp_path)
    assert opened.document_offsets.tolist() == [0, 0, 0, 0] and opened.read(0, 0).size == 0
    assert opened.document(2).size == 0 and opened.meta.size == 3
    assert verify(tmp_path) == [] and statistics(tmp_path)["lengths"]["max"] == 0


def test_reads_outside_the_dataset_are_refused(dataset: Any, tmp_path: Path) -> None:
    dataset.write(tmp_path)
    opened = open_shards(tmp_path)
    for start, stop in ((-1, 5), (5, 4), (0, opened.num_tokens + 1)):
        with pytest.raises(IndexError, match="not within the dataset"):
            opened.read(start, stop)
    for i in (-1, opened.num_documents):
        with pytest.raises(IndexError, match="not among"):
            opened.document(i)


def test_a_set_of_shards_travels_to_workers(dataset: Any, tmp_path: Path) -> None:
    dataset.write(tmp_path)
    copy = pickle.loads(pickle.dumps(open_shards(tmp_path)))
    np.testing.assert_array_equal(copy.read(10, 100_000), dataset.tokens[10:100_000])
    assert len(pickle.dumps(copy)) < 1_000


def test_from_text_to_shards_and_back(exported: Path, sample: dict[str, str], tmp_path: Path) -> None:
    """Encoded documents decode to their text, with the right tokenizer only."""
    texts = [*sample.values(), "", "says <|endoftext|> inside"]
    encoder = Encoder(exported / "tokenizer.json")
    tokens, offsets = encoder.encode(pa.array(texts, pa.large_string()), append_end=True)
    meta = np.zeros(len(texts), META_DTYPE)
    meta["utf8_bytes"] = [len(text.encode()) for text in texts]
    shard = write_shard(tmp_path, "t", tokens, offsets, meta, dtype="uint16")
    write_manifest(
        tmp_path, [shard], tokenizer=tokenizer_info(exported), languages=["mul"], domains=["web"], sources=["s"],
        recipe={}, parents=[],
    )  # fmt: skip
    decoded = [decode_document(tmp_path, exported / "tokenizer.json", i) for i in range(len(texts))]
    assert decoded == texts
    summary = statistics(tmp_path)
    assert summary["by_language"]["mul"]["bytes_per_token"] == sum(meta["utf8_bytes"].tolist()) / tokens.size
    assert json.loads(json.dumps(summary)) == summary
    (tmp_path / "other.json").write_bytes((exported / "tokenizer.json").read_bytes() + b" ")
    with pytest.raises(ValueError, match="is not the tokenizer of"):
        decode_document(tmp_path, tmp_path / "other.json", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a/b"}, "plain file name"),
        ({"dtype": "int32"}, "not one of"),
        ({"tokens": np.zeros(3, np.int64)}, "flat unsigned"),
        ({"offsets": np.array([0, 2])}, "from 0 to the 3 tokens"),
        ({"offsets": np.array([0, 4, 3])}, "must not decrease"),
        ({"meta": np.zeros(1, META_DTYPE)}, "one record per document"),
        ({"tokens": np.array([1, 70_000, 2], np.uint32), "dtype": "uint16"}, "token 1 is 70,000"),
        ({"tokens": np.array([1, 2, 2**31], np.uint32)}, "token 2 is 2,147,483,648"),
    ],
)
def test_shards_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    given_arguments = {
        "name": "s",
        "tokens": np.zeros(3, np.uint32),
        "offsets": np.array([0, 1, 3]),
        "meta": np.zeros(2, META_DTYPE),
    } | change
    with pytest.raises(ValueError, match=message):
        write_shard(tmp_path, **given_arguments)
    assert list(tmp_path.iterdir()) == []


def test_manifests_that_disagree_are_refused(dataset: Any, tmp_path: Path) -> None:
    manifest = dataset.write(tmp_path)
    shards = manifest["shards"]
    good = {
        "tokenizer": manifest["tokenizer"], "languages": ["en", "zh", "de"], "domains": ["web", "code"],
        "sources": ["crawl"], "recipe": {}, "parents": [],
    }  # fmt: skip
    mixed = [shards[0], shards[1] | {"dtype": "uint16"}]
    narrow = [shard | {"dtype": "uint16"} for shard in shards]
    cases: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
        ([], {}, "no shards"),
        ([shards[0], shards[0]], {}, "must be unique"),
        (mixed, {}, "one dtype"),
        (narrow, {"tokenizer": {"vocabulary_size": 65_537}}, "exceeds"),
        (shards, {"languages": ["en", "zh"]}, "uses language 2, but languages has 2 names"),
    ]
    for records, change, message in cases:
        with pytest.raises(ValueError, match=message):
            write_manifest(tmp_path, records, **(good | change))

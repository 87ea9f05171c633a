"""Parquet of token ids and JSON lines of text: every document with what is known of it."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tokenizer.shards.data.build import documents
from tokenizer.encoding import Encoder
from tokenizer.export import tokenizer_info
from tokenizer.shards.export import columns
from tokenizer.shards.export.columns import write_jsonl, write_parquet
from tokenizer.shards.format import META_DTYPE
from tokenizer.shards.writer import write_manifest, write_shard


@pytest.mark.parametrize("dtype", ["uint32", "uint16"])
def test_parquet_holds_ids_and_facts(written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    """Row groups of a few hundred tokens included: batches smaller than a document."""
    monkeypatch.setattr(columns, "BATCH_TOKENS", 200)
    exported = write_parquet(written(dtype, shards=2), str(tmp_path / "out"))
    table = pl.read_parquet(str(tmp_path / "out" / "*.parquet"))
    assert pq.read_schema(tmp_path / "out" / "shard-00000.parquet").field("input_ids").type == pa.list_(pa.int32())
    assert table["input_ids"].to_list() == [document.tolist() for document in documents(dtype)]
    assert table["language"].to_list() == ["en", "zh"] * 6 and set(table["tier"]) == {3}
    assert table["address"].to_list() == list(range(12))
    assert table["content_hash"][5] == np.full(2, 5, "<u8").tobytes()
    assert (exported.samples, exported.tokens) == (12, 1460)


def test_huggingface_datasets_reads_it(written, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    write_parquet(written(), str(tmp_path / "out"))
    loaded = datasets.Dataset.from_parquet(str(tmp_path / "out" / "*.parquet"), cache_dir=str(tmp_path / "cache"))
    assert loaded["input_ids"][:] == [document.tolist() for document in documents("uint32")]


def test_jsonl_is_the_text_that_was_encoded(
    exported: Path, sample: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty texts, quotes, line ends and control tokens in text included; batches smaller than a document."""
    monkeypatch.setattr(columns, "BATCH_TOKENS", 30)
    texts = [*sample.values(), "", 'a "quoted" \\ back\nslash\u2028\x00', "says <|endoftext|> inside"]
    tokens, offsets = Encoder(exported / "tokenizer.json").encode(pa.array(texts, pa.large_string()), append_end=True)
    meta = np.zeros(len(texts), META_DTYPE)
    meta["content_hash"] = np.arange(2 * len(texts), dtype="<u8").view("V16")
    shard = write_shard(tmp_path / "in", "t", tokens, offsets, meta)
    write_manifest(tmp_path / "in", [shard], tokenizer=tokenizer_info(exported), languages=["mul"], domains=["web"],
                   sources=["s"], recipe={}, parents=[])  # fmt: skip
    write_jsonl(tmp_path / "in", str(tmp_path / "out"), exported / "tokenizer.json")
    lines = [json.loads(line) for line in (tmp_path / "out" / "t.chunk.00.jsonl").read_bytes().split(b"\n")[:-1]]
    assert [line["text"] for line in lines] == texts
    assert [line["content_hash"] for line in lines] == [value.tobytes().hex() for value in meta["content_hash"]]
    assert {line["language"] for line in lines} == {"mul"}
    assert (tmp_path / "out" / "_SUCCESS").exists()
    (tmp_path / "other.json").write_bytes((exported / "tokenizer.json").read_bytes() + b" ")
    with pytest.raises(ValueError, match="is not the tokenizer of"):
        write_jsonl(tmp_path / "in", str(tmp_path / "again"), tmp_path / "other.json")

"""Export to Parquet (Hugging Face ``datasets``) and to JSON lines of text (lingua, torchtitan), a file a shard.

Beside ``input_ids`` or ``text`` each document has its language, domain, source, quality tier and content hash.
``_SUCCESS`` is written last: without it an export is not whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curation import storage
from tokenizer.decoding import Decoder
from tokenizer.pretokens import END_OF_TEXT
from tokenizer.shards.export.links import Exported, mark_whole, require_empty
from tokenizer.shards.format import TABLES, load_manifest
from tokenizer.shards.inspect import check_tokenizer
from tokenizer.shards.walk import Shard, walk

BATCH_TOKENS = 1 << 24  # in memory at a time, and in a row group


def write_parquet(directory: str | Path, out: str) -> Exported:
    """Write ``NAME.parquet`` with ``input_ids``, list<int32>, for each shard to ``out``, which holds nothing yet.

    Raises ValueError for an ``out`` in use; else as ``walk``.
    """
    require_empty(out)
    manifest, exported = load_manifest(directory), Exported()
    facts = _facts_schema()
    schema = pa.schema([pa.field("input_ids", pa.list_(pa.int32())), *facts])
    for shard in walk(directory):
        url = storage.join(out, f"{shard.name}.parquet")
        with storage.atomic_file(url) as local, pq.ParquetWriter(local, schema, compression="zstd") as writer:
            for batch in shard.batches(BATCH_TOKENS):
                ids = pa.ListArray.from_arrays(batch.offsets.astype(np.int32), pa.array(batch.tokens.astype(np.int32)))
                columns = [ids, *_facts(batch.meta, manifest).columns]
                writer.write_table(pa.table(columns, schema=schema), row_group_size=batch.meta.size)
        _count(exported, shard)
    mark_whole(out, manifest, exported)
    return exported


def write_jsonl(directory: str | Path, out: str, tokenizer_json: str | Path) -> Exported:
    """Write ``NAME.chunk.NN.jsonl`` with ``text`` for each shard to ``out``, which holds nothing yet.

    Texts are decoded, without the end-of-text token that closes them. Raises ValueError for an ``out`` in use or
    another tokenizer than the dataset's; else as ``walk``.
    """
    require_empty(out)
    manifest, exported = load_manifest(directory), Exported()
    check_tokenizer(directory, manifest, tokenizer_json)
    decoder, end = Decoder(tokenizer_json), manifest["tokenizer"]["special_tokens"].get(END_OF_TEXT, -1)
    for number, shard in enumerate(walk(directory)):
        url = storage.join(out, f"{shard.name}.chunk.{number:02d}.jsonl")
        with storage.atomic_file(url) as local, open(local, "wb") as file:
            for batch in shard.batches(BATCH_TOKENS):
                text = decoder.decode(*_without_ends(batch.tokens, batch.offsets, end))
                frame = pl.from_arrow(_facts(batch.meta, manifest).add_column(0, "text", text))
                assert isinstance(frame, pl.DataFrame)
                frame.with_columns(pl.col("content_hash").bin.encode("hex")).write_ndjson(file)
        _count(exported, shard)
    mark_whole(out, manifest, exported)
    return exported


def _without_ends(tokens: NDArray[Any], offsets: NDArray[np.int64], end: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The documents without the token that closes them, where it is ``end``."""
    last = np.maximum(offsets[1:] - 1, 0)
    closed = np.diff(offsets) > 0
    closed[closed] = tokens[last[closed]] == end
    kept = np.ones(tokens.size, np.bool_)
    kept[last[closed]] = False
    return tokens[kept], offsets - np.concatenate([[0], np.cumsum(closed)])


def _facts_schema() -> list[pa.Field]:
    names = [pa.field(field, pa.dictionary(pa.int32(), pa.string())) for field in TABLES]
    numbers = [
        ("tier", pa.uint8()),
        ("utf8_bytes", pa.uint64()),
        ("content_hash", pa.binary(16)),
        ("address", pa.uint64()),
    ]
    return names + [pa.field(name, type_) for name, type_ in numbers]


def _facts(meta: NDArray[np.void], manifest: dict[str, Any]) -> pa.Table:
    """What the records say of the documents, with names in place of numbers."""
    columns: list[pa.Array] = [
        pa.DictionaryArray.from_arrays(pa.array(meta[field].astype(np.int32)), pa.array(manifest[table], pa.string()))
        for field, table in TABLES.items()
    ]
    columns += [pa.array(np.ascontiguousarray(meta[name])) for name in ("tier", "utf8_bytes")]
    content = pa.py_buffer(np.ascontiguousarray(meta["content_hash"]).tobytes())
    columns += [pa.Array.from_buffers(pa.binary(16), meta.size, [None, content])]
    columns += [pa.array(np.ascontiguousarray(meta["address"]))]
    return pa.table(columns, schema=pa.schema(_facts_schema()))


def _count(exported: Exported, shard: Shard) -> None:
    exported.copied += 1
    exported.samples += shard.lengths.size
    exported.tokens += shard.tokens.size

"""Training reads the shards that the tokenizer package writes, and stops at a damaged one."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenizer.shards.format import META_DTYPE, ShardDamaged  # noqa: E402
from tokenizer.shards.reader import open_shards  # noqa: E402
from tokenizer.shards.writer import write_manifest, write_shard  # noqa: E402
from trainer.train import train  # noqa: E402


def write(source, directory):
    """The same documents as two shards on disk."""
    half, count = source.num_documents // 2, source.num_documents
    records = []
    for number, (first, last) in enumerate([(0, half), (half, count)]):
        offsets = source.document_offsets[first : last + 1]
        meta = np.zeros(last - first, META_DTYPE)
        for field in ("language", "domain", "utf8_bytes"):
            meta[field] = source.meta[field][first:last]
        tokens = source.read(int(offsets[0]), int(offsets[-1]))
        records.append(write_shard(directory, f"part-{number}", tokens, offsets - offsets[0], meta))
    tables = {"languages": source.languages, "domains": source.domains, "sources": ["test"]}
    write_manifest(directory, records, tokenizer=source.manifest["tokenizer"], **tables, recipe={}, parents=[])
    return open_shards(directory)


def test_shards_on_disk_train_like_the_same_documents_in_memory(tiny_run, corpus, tmp_path):
    memory = corpus(60, seed=1), corpus(9, seed=2)
    disk = write(memory[0], tmp_path / "train"), write(memory[1], tmp_path / "validation")
    expected = [entry.loss for entry in train(tiny_run, *memory, tmp_path / "from memory")]
    assert [entry.loss for entry in train(tiny_run, *disk, tmp_path / "from disk")] == expected
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("from memory", "from disk")]
    assert weights[0] == weights[1]


def test_a_flipped_bit_stops_training(tiny_run, corpus, tmp_path):
    write(corpus(60, seed=1), tmp_path / "train")
    validation = write(corpus(9, seed=2), tmp_path / "validation")
    file = tmp_path / "train" / "part-1.bin"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    config = dataclasses.replace(tiny_run, steps=100)
    with pytest.raises(ShardDamaged, match=r"part-1\.bin: block 0"):
        list(train(config, open_shards(tmp_path / "train"), validation, tmp_path / "model"))


def test_shards_without_end_of_text_are_refused_at_once(tiny_run, source_of, tmp_path):
    source = source_of(("en", "web", "text " * 20))
    source = dataclasses.replace(source, end_of_text=None)
    with pytest.raises(ValueError, match=r"gives no id for <\|endoftext\|>"):
        train(tiny_run, source, source, tmp_path)

"""Training stops at a damaged shard, and at one that cannot be trained on."""

import dataclasses
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tokenizer.shards.format import ShardDamaged  # noqa: E402
from tokenizer.shards.reader import open_shards  # noqa: E402
from trainer.train import train  # noqa: E402


@pytest.mark.parametrize("workers", [0, 2])
def test_a_flipped_bit_stops_training(tiny_run, corpus, tmp_path, workers):
    source = corpus(60, seed=1)
    file = Path(source.location, "part-1.bin")
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    config = dataclasses.replace(tiny_run, steps=100, workers=workers)
    with pytest.raises(ShardDamaged, match=r"part-1\.bin: block 0, bytes 0 to"):
        list(train(config, open_shards(source.location), corpus(9, seed=2), tmp_path / "model"))


def test_shards_without_end_of_text_are_refused_at_once(tiny_run, shards_of, tmp_path):
    source = shards_of([("en", "web", tuple(b"text " * 20), 100)] * 3, end_of_text=None)
    with pytest.raises(ValueError, match=r"gives no id for <\|endoftext\|>"):
        train(tiny_run, source, source, tmp_path)


def test_a_token_outside_the_vocabulary_stops_training(tiny_run, shards_of, corpus, tmp_path):
    source = shards_of([("en", "web", (1, 2, 256), 2), ("en", "web", (3, 999, 256), 2)])
    message = r"token 999 at position 4 of the shards \(document 1, its token 1, address 0\) is outside .* of 257"
    with pytest.raises(ValueError, match=message):
        list(train(tiny_run, source, corpus(9, seed=2), tmp_path))

"""No flipped bit, truncation or missing file goes unnoticed, and no token of a damaged block is ever returned."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from tokenizer.shards.check import check
from tokenizer.shards.format import BLOCK_BYTES, ShardDamaged, parse_index
from tokenizer.shards.reader import ShardSet, open_shards, verify
from tokenizer.shards.writer import write_shard


def _flip(path: Path, position: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ (1 << bit)]))


def _read_all(directory: Path) -> ShardSet:
    opened = open_shards(directory)
    assert opened.meta.size == opened.num_documents
    opened.read(0, opened.num_tokens)
    return opened


@pytest.mark.parametrize("dtype", ["uint32", "uint16"])
def test_every_flipped_bit_is_detected(dataset: Any, tmp_path: Path, dtype: str) -> None:
    """50 random flips over all files, the manifest included: reading raises, verify names the file."""
    dataset.write(tmp_path, shards=2, dtype=dtype)
    files = sorted(tmp_path.iterdir())
    chosen = random.Random(dtype)
    for trial in range(50):
        path = files[trial % len(files)]
        position, bit = chosen.randrange(path.stat().st_size), chosen.randrange(8)
        _flip(path, position, bit)
        with pytest.raises(ShardDamaged, match=path.name):
            _read_all(tmp_path)
        assert any(path.name in problem for problem in verify(tmp_path))
        _flip(path, position, bit)
    assert verify(tmp_path) == []
    _read_all(tmp_path)


def test_every_truncation_is_detected(dataset: Any, tmp_path: Path) -> None:
    """Cut by a byte, a token, 4,000 bytes or to nothing, any file: opening raises with both sizes."""
    dataset.write(tmp_path, shards=2)
    for path in sorted(tmp_path.glob("train-*")):
        data = path.read_bytes()
        for kept in (len(data) - 1, len(data) - 4, max(len(data) - 4_000, 1), 0):
            path.write_bytes(data[:kept])
            with pytest.raises(ShardDamaged, match=f"{path.name} has {kept:,} bytes, the manifest says {len(data):,}"):
                open_shards(tmp_path)
            assert len(verify(tmp_path)) == 1
        path.write_bytes(data + b"\x00")
        with pytest.raises(ShardDamaged, match=path.name):
            open_shards(tmp_path)
        path.unlink()
        with pytest.raises(ShardDamaged, match=f"{path.name} is missing"):
            open_shards(tmp_path)
        path.write_bytes(data)
    assert verify(tmp_path) == []


def test_the_message_names_shard_block_and_bytes(dataset: Any, tmp_path: Path) -> None:
    """Blocks that are whole stay readable; the damaged one raises every time, for any of its tokens."""
    dataset.write(tmp_path, shards=1)
    _flip(tmp_path / "train-00000.bin", BLOCK_BYTES + 17, 3)
    opened, block = open_shards(tmp_path), BLOCK_BYTES // 4
    np.testing.assert_array_equal(opened.read(0, block), dataset.tokens[:block])
    np.testing.assert_array_equal(opened.read(2 * block, 2 * block + 9), dataset.tokens[2 * block : 2 * block + 9])
    for start, stop in (
        (block, block + 1),
        (block - 1, block + 1),
        (2 * block - 1, 2 * block + 1),
        (block + 4, block + 5),
    ):
        with pytest.raises(ShardDamaged, match=r"train-00000\.bin: block 1, bytes 1,048,576 to 2,097,151,"):
            opened.read(start, stop)
    problems = verify(tmp_path)
    assert len(problems) == 2 and "block 1, bytes 1,048,576 to 2,097,151" in problems[0]


def test_blocks_are_verified_when_first_touched(dataset: Any, tmp_path: Path) -> None:
    dataset.write(tmp_path, shards=1)
    opened = open_shards(tmp_path)
    assert not opened._addresses.any()
    opened.read(BLOCK_BYTES // 4, BLOCK_BYTES // 4 + 1)
    assert (opened._addresses != 0).tolist() == [False, True, False]


def test_swapped_shards_are_detected(dataset: Any, tmp_path: Path) -> None:
    """Files of equal size under each other's names: sizes agree, checksums do not."""
    dataset.write(tmp_path / "a", shards=1)
    dataset.tokens[:] = dataset.tokens[::-1]
    dataset.write(tmp_path / "b", shards=1)
    shutil.copy(tmp_path / "b" / "train-00000.bin", tmp_path / "a" / "train-00000.bin")
    with pytest.raises(ShardDamaged, match="block 0"):
        _read_all(tmp_path / "a")


def test_edited_manifests_are_detected(dataset: Any, tmp_path: Path) -> None:
    manifest = dataset.write(tmp_path)
    path = tmp_path / "manifest.json"
    for change in ({"tokens": 1}, {"languages": ["zh", "en", "de"]}, {"shards": manifest["shards"][:2]}):
        path.write_text(json.dumps(manifest | change))
        with pytest.raises(ShardDamaged, match="does not match its own checksum"):
            open_shards(tmp_path)
    for text in ("", "[]", '{"format_version": 1}', "{"):
        path.write_text(text)
        with pytest.raises(ShardDamaged, match="is not a shard manifest"):
            open_shards(tmp_path)
        assert len(verify(tmp_path)) == 1


def test_a_directory_without_a_manifest_is_no_dataset(tmp_path: Path) -> None:
    for function in (open_shards, verify):
        with pytest.raises(FileNotFoundError, match="no token dataset"):
            function(tmp_path)


@pytest.mark.parametrize("data", [b"", b"MMIDIDX\x00\x00", b"\x00" * 42, b"\x00" * 62])
def test_other_bytes_are_no_index(data: bytes) -> None:
    with pytest.raises(ShardDamaged, match="is not a Megatron index"):
        parse_index(data, "uint32", "x.idx")


def test_a_failed_write_leaves_the_old_file(dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails before the rename, the finished files stay and no temporary file is left."""
    dataset.write(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full_disk(descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_shard(tmp_path, "train-00000", dataset.tokens[:0], np.zeros(1, np.int64), dataset.meta[:0])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_checking_a_dataset_hashes_every_block_once(
    dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a second time when what the tokens mean is checked."""
    dataset.write(tmp_path, shards=2)
    blocks = sum(len(shard["blocks"]) for shard in open_shards(tmp_path).manifest["shards"])
    hashed: list[int] = []
    digest = xxhash.xxh3_64_hexdigest
    monkeypatch.setattr(xxhash, "xxh3_64_hexdigest", lambda data: hashed.append(len(data)) or digest(data))
    assert list(check(tmp_path)) == []
    assert len(hashed) == blocks > 1

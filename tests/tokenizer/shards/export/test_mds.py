"""MDS: byte for byte what mosaicml-streaming's writer makes, and what its reader makes of it."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.shards.data.build import SIZE_LIMIT, WINDOW, documents, stub_torchvision
from tokenizer.shards.export.mds import _encode_documents, write_mds


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_documents_are_written_as_by_mdswriter(written, official: Path, tmp_path: Path, shards: int) -> None:
    """Whatever native shards they lie in: MDS shards are filled greedily over all documents."""
    exported = write_mds(written(shards=shards), str(tmp_path / "out"), size_limit=SIZE_LIMIT)
    assert _files(tmp_path / "out") == _files(official / "mds" / "documents")
    assert (exported.samples, exported.tokens, exported.left_out) == (12, 1460, 0)


@pytest.mark.parametrize("shards", [1, 4])
def test_windows_are_written_as_by_mdswriter(written, official: Path, tmp_path: Path, shards: int) -> None:
    exported = write_mds(written("uint16", shards), str(tmp_path / "out"), WINDOW, SIZE_LIMIT)
    assert _files(tmp_path / "out") == _files(official / "mds" / "windows")
    assert (exported.samples, exported.tokens, exported.left_out) == (22, 1408, 52)


def test_documents_without_tokens_are_left_out(written, official: Path, tmp_path: Path) -> None:
    """The format refuses empty arrays."""
    write_mds(written(empty=True), str(tmp_path / "out"), size_limit=SIZE_LIMIT)
    assert _files(tmp_path / "out") == _files(official / "mds" / "documents")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, 255, 256, 65_535, 65_536, 70_000]), max_size=4), st.sampled_from([2, 4]))
def test_samples_have_the_documented_bytes(lengths: list[int], itemsize: int) -> None:
    """Against struct, sample by sample; lengths around what fits into one and two bytes."""
    tokens = np.arange(sum(lengths)).astype(f"<u{itemsize}")
    expected, start = [], 0
    for length in lengths:
        if length:
            shape = (
                struct.pack("<B", length) if length < 256 else struct.pack("<H" if length < 65_536 else "<I", length)
            )
            kind = {1: 0, 2: 1, 4: 2}[len(shape)]
            column = bytes([1 << 2 | kind]) + shape + tokens[start : start + length].tobytes()
            expected.append(struct.pack("<I", len(column)) + column)
        start += length
    sizes, samples, counts = _encode_documents(tokens, np.array(lengths, np.int64))
    assert sizes.tolist() == [len(sample) for sample in expected]
    assert samples.tobytes() == b"".join(expected)
    assert counts.tolist() == [length for length in lengths if length]


def test_the_index_counts_all_samples(written, tmp_path: Path) -> None:
    write_mds(written(shards=3), str(tmp_path / "out"))
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [shard["samples"] for shard in index["shards"]] == [12]


def test_mosaicmls_reader_sees_the_documents(written, tmp_path: Path) -> None:
    stub_torchvision()
    pytest.importorskip("streaming", reason="mosaicml-streaming is not installed")
    from streaming import StreamingDataset

    write_mds(written(), str(tmp_path / "out"), size_limit=SIZE_LIMIT)
    reader = StreamingDataset(local=str(tmp_path / "out"), shuffle=False, batch_size=1)
    for ours, theirs in zip(documents("uint32"), reader, strict=True):
        np.testing.assert_array_equal(ours, theirs["tokens"])

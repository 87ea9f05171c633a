"""litdata: chunks as its writer makes them, and what its ``TokensLoader`` makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.tokenizer.shards.data.build import WINDOW, windows
from tokenizer.shards.export.litdata import write_litdata


@pytest.mark.parametrize("shards", [1, 4])
def test_chunks_are_those_of_litdatas_writer(written, official: Path, tmp_path: Path, shards: int) -> None:
    """The index too, but for keys that say nothing of these chunks and that only newer versions write."""
    exported = write_litdata(written(shards=shards), str(tmp_path / "out"), WINDOW, chunk_bytes=1 << 20)
    ours, theirs = tmp_path / "out", official / "litdata"
    assert (ours / "chunk-0-0.bin").read_bytes() == (theirs / "chunk-0-0.bin").read_bytes()
    our_index, their_index = (json.loads((folder / "index.json").read_text()) for folder in (ours, theirs))
    assert our_index["chunks"] == their_index["chunks"]
    newer = {"compression_batch_size": None, "compression_level": None, "ipc_compression": None, "types": "tensor"}
    assert our_index["config"] | newer == their_index["config"]
    assert (exported.samples, exported.tokens, exported.left_out) == (22, 1408, 52)


def test_every_chunk_holds_whole_blocks(written, tmp_path: Path) -> None:
    """So that a loader of blocks misses none; 5 blocks of 128 bytes fit into a chunk here."""
    write_litdata(written("uint16", 3), str(tmp_path / "out"), WINDOW, chunk_bytes=700)
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [chunk["chunk_size"] for chunk in index["chunks"]] == [5, 5, 5, 5, 2]
    assert index["config"]["data_format"] == ["no_header_tensor:20"]
    found = []
    for chunk in index["chunks"]:
        data = (tmp_path / "out" / chunk["filename"]).read_bytes()
        offsets = np.frombuffer(data, "<u4", chunk["chunk_size"] + 1, 4)
        assert chunk["dim"] % WINDOW == 0 and len(data) == chunk["chunk_bytes"]
        found += [np.frombuffer(data[a:b], "<u2") for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    np.testing.assert_array_equal(np.stack(found), windows("uint16"))


def test_litdatas_reader_sees_the_blocks(written, tmp_path: Path) -> None:
    litdata = pytest.importorskip("litdata")
    from litdata.streaming.item_loader import TokensLoader

    write_litdata(written(), str(tmp_path / "out"), WINDOW, chunk_bytes=2_000)
    reader = litdata.StreamingDataset(str(tmp_path / "out"), item_loader=TokensLoader(WINDOW))
    np.testing.assert_array_equal(np.stack([reader[i].numpy() for i in range(len(reader))]), windows("uint32"))

"""Layouts that copy no token: the bytes that other projects' writers make, and what their readers make of them."""

import gzip
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.tokenizer.shards.data.build import documents
from tokenizer.shards.export.columns import write_parquet
from tokenizer.shards.export.links import LAYOUTS, Exported, _human, link
from tokenizer.shards.format import ShardDamaged, load_manifest


def _same_documents(found: list[np.ndarray], dtype: str = "uint32") -> None:
    expected = documents(dtype)
    assert len(found) == len(expected)
    for ours, theirs in zip(expected, found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["uint32", "uint16"])
def test_megatron_files_are_those_of_megatrons_builder(written, official: Path, tmp_path: Path, dtype: str) -> None:
    exported = link(written(dtype), str(tmp_path / "out"), "megatron")
    assert (exported.linked, exported.copied, exported.samples, exported.tokens) == (2, 0, 12, 1460)
    for suffix in ("bin", "idx"):
        ours = (tmp_path / "out" / f"shard-00000.{suffix}").read_bytes()
        assert ours == (official / "megatron" / f"{dtype}.{suffix}").read_bytes()


def test_datatrove_files_are_those_of_datatroves_writer(written, official: Path, tmp_path: Path) -> None:
    link(written(), str(tmp_path / "out"), "datatrove")
    for suffix in ("ds", "ds.index", "ds.metadata"):
        ours = (tmp_path / "out" / f"shard-00000.{suffix}").read_bytes()
        assert ours == (official / "datatrove" / f"uint32.{suffix}").read_bytes()


def test_olmo_has_lines_of_first_and_last_tokens(written, tmp_path: Path) -> None:
    link(written(shards=3), str(tmp_path / "out"), "olmo")
    found = []
    for path in sorted((tmp_path / "out").glob("*.npy")):
        tokens = np.memmap(path, np.uint32, mode="r")
        for line in gzip.decompress(path.with_suffix(".csv.gz").read_bytes()).splitlines():
            start, end = map(int, line.split(b","))
            found.append(tokens[start:end])
    _same_documents(found)


def test_torchtitan_reads_documents_by_offsets(written, tmp_path: Path) -> None:
    """As the source in its README does."""
    link(written(shards=3), str(tmp_path / "out"), "torchtitan")
    found = []
    for folder in sorted((tmp_path / "out").glob("shard-*")):
        tokens = np.memmap(folder / "tokens.bin", dtype=np.uint32, mode="r")
        offsets = np.load(folder / "document_offsets.npy")
        found += [np.asarray(tokens[offsets[i] : offsets[i + 1]], np.int64) for i in range(len(offsets) - 1)]
    _same_documents(found)
    with pytest.raises(ValueError, match="torchtitan reads uint32"):
        link(written("uint16"), str(tmp_path / "narrow"), "torchtitan")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_token_files_are_the_same_inodes(written, tmp_path: Path, layout: str) -> None:
    folder = written(shards=2)
    link(folder, str(tmp_path / "out"), layout)
    inodes = {path.stat().st_ino for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {path.stat().st_ino for path in folder.glob("*.bin")} <= inodes


def test_on_another_disk_files_are_copied(written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def other_disk(source: object, target: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", other_disk)
    folder = written()
    exported = link(folder, str(tmp_path / "out"), "megatron")
    assert (exported.linked, exported.copied) == (0, 2)
    assert (tmp_path / "out" / "shard-00000.bin").read_bytes() == (folder / "shard-00000.bin").read_bytes()


def test_damaged_shards_are_not_handed_on(written, tmp_path: Path) -> None:
    folder = written()
    data = bytearray((folder / "shard-00000.bin").read_bytes())
    data[100] ^= 1
    (folder / "shard-00000.bin").write_bytes(data)
    with pytest.raises(ShardDamaged, match="block 0"):
        link(folder, str(tmp_path / "out"), "olmo")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("write", [partial(link, layout=layout) for layout in LAYOUTS] + [write_parquet])
def test_the_last_file_says_that_an_export_is_whole(written, tmp_path: Path, write: Callable[..., Exported]) -> None:
    """Killed before the last shard, an export lacks it; so do damaged shards' exports."""
    folder = written(shards=2)
    exported = write(folder, str(tmp_path / "out"))
    said = json.loads((tmp_path / "out" / "_SUCCESS").read_text())
    assert said == {"dataset": load_manifest(folder)["fingerprint"], "documents": 12, "tokens": exported.tokens}
    (folder / "shard-00001.bin").write_bytes(b"")
    with pytest.raises(ShardDamaged):
        write(folder, str(tmp_path / "half"))
    assert any((tmp_path / "half").iterdir()) and not (tmp_path / "half" / "_SUCCESS").exists()


def test_a_folder_in_use_is_refused(written, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"is not empty \(.*mine.txt\)"):
        link(written(), str(tmp_path / "out"), "megatron")


@pytest.mark.parametrize(("tokens", "said"), [(7, "7 T"), (1460, "1.46 kT"), (51_100_000, "51.1 MT"), (10**12, "1 TT")])
def test_sizes_for_people(tokens: int, said: str) -> None:
    assert _human(tokens) == said


def test_megatrons_reader_sees_the_documents(written, tmp_path: Path) -> None:
    megatron = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    link(written(), str(tmp_path / "out"), "megatron")
    reader = megatron.IndexedDataset(str(tmp_path / "out" / "shard-00000"))
    _same_documents([np.array(reader[i]) for i in range(len(reader))])  # copies: its views do not outlive it


def test_datatroves_reader_sees_the_windows(written, tmp_path: Path) -> None:
    datatrove = pytest.importorskip("datatrove.utils.dataset")
    link(written(), str(tmp_path / "out"), "datatrove")
    reader = datatrove.DatatroveFileDataset(str(tmp_path / "out" / "shard-00000.ds"), 63, token_size=4)
    tokens = np.concatenate([reader[i]["input_ids"].numpy() for i in range(len(reader))])
    np.testing.assert_array_equal(tokens, np.concatenate(documents("uint32"))[: tokens.size])
    assert tokens.size == 1408


def test_olmo_cores_reader_sees_the_documents(written, tmp_path: Path) -> None:
    utils = pytest.importorskip("olmo_core.data.utils")
    link(written(), str(tmp_path / "out"), "olmo")
    path = tmp_path / "out" / "shard-00000.npy"
    tokens = np.memmap(path, np.uint32, mode="r")
    _same_documents([tokens[a:b] for a, b in utils.iter_document_indices(path, use_array_if_local=False)])

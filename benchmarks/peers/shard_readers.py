"""Read exports of a token dataset with the readers of the projects they are for; one JSON line for each layout.

    python shard_readers.py FOLDER SEQUENCE_LENGTH DTYPE

FOLDER holds one export in each subfolder. A line gives the reader, the samples and tokens it saw, the sha256 over
them (for each, its length and its tokens as int64), seconds, and where there is an official writer that is fed with
the same samples, whether its files are the same bytes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np

warnings.simplefilter("ignore")


class Stub(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for suffix in ("", ".transforms", ".transforms.functional", ".datasets"):  # of no use to text, but imported
    stub = Stub(f"torchvision{suffix}")
    stub.__spec__, stub.__path__ = ModuleSpec(stub.__name__, None), []
    sys.modules[stub.__name__] = stub


def megatron(folder: Path) -> Iterator[np.ndarray]:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    for path in sorted(folder.glob("*.idx")):
        reader = IndexedDataset(str(path.with_suffix("")))
        for i in range(len(reader)):
            yield np.array(reader[i])


def megatron_writes(folder: Path, samples: Iterable[np.ndarray]) -> bool:
    """The whole dataset in one shard against all of ours joined; only for a dataset of one shard."""
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    [ours] = sorted(folder.glob("*.idx"))
    kind = np.uint16 if DTYPE == "uint16" else np.int32
    with tempfile.TemporaryDirectory() as made:
        builder = IndexedDatasetBuilder(f"{made}/a.bin", dtype=kind)
        for sample in samples:
            builder.add_document(sample.astype(np.int64), [len(sample)])
        builder.finalize(f"{made}/a.idx")
        pairs = ((ours.with_suffix(f".{x}"), Path(made, f"a.{x}")) for x in ("bin", "idx"))
        return all(a.read_bytes() == b.read_bytes() for a, b in pairs)


def datatrove(folder: Path) -> Iterator[np.ndarray]:
    from datatrove.utils.dataset import DatatroveFileDataset

    for path in sorted(folder.glob("*.ds")):
        reader = DatatroveFileDataset(str(path), LENGTH - 1, token_size=np.dtype(DTYPE).itemsize)
        for i in range(len(reader)):
            yield reader[i]["input_ids"].numpy()


def olmo(folder: Path) -> Iterator[np.ndarray]:
    from olmo_core.data.utils import iter_document_indices, load_array_slice

    for path in sorted(folder.glob("*.npy")):
        for start, end in iter_document_indices(path, use_array_if_local=False):
            yield load_array_slice(path, start, end, np.dtype(DTYPE).type)


def torchtitan(folder: Path) -> Iterator[np.ndarray]:
    """As the source in torchtitan's README reads it; the package itself needs a GPU build of PyTorch."""
    for path in sorted(folder.iterdir()):
        tokens = np.memmap(path / "tokens.bin", dtype=np.uint32, mode="r")
        offsets = np.load(path / "document_offsets.npy")
        for index in range(len(offsets) - 1):
            start, end = offsets[index : index + 2]
            yield np.asarray(tokens[start:end], dtype=np.int64)


def mds(folder: Path) -> Iterator[np.ndarray]:
    from streaming import StreamingDataset

    for sample in StreamingDataset(local=str(folder), shuffle=False, batch_size=1):
        yield sample["tokens"]


def _mds_writes(folder: Path, samples: Iterable[np.ndarray], encoding: str) -> bool:
    from streaming import MDSWriter

    with tempfile.TemporaryDirectory() as made:
        with MDSWriter(out=f"{made}/a", columns={"tokens": encoding}) as writer:
            for sample in samples:
                writer.write({"tokens": sample})
        theirs = {path.name: path.read_bytes() for path in Path(made, "a").iterdir()}
        return theirs == {path.name: path.read_bytes() for path in folder.iterdir()}


def mds_writes(folder: Path, samples: Iterable[np.ndarray]) -> bool:
    return _mds_writes(folder, samples, f"ndarray:{DTYPE}")


def mds_windows_write(folder: Path, samples: Iterable[np.ndarray]) -> bool:
    return _mds_writes(folder, samples, f"ndarray:{DTYPE}:{LENGTH}")


def litdata(folder: Path) -> Iterator[np.ndarray]:
    from litdata import StreamingDataset
    from litdata.streaming.item_loader import TokensLoader

    reader = StreamingDataset(str(folder), item_loader=TokensLoader(LENGTH))
    for i in range(len(reader)):
        yield reader[i].numpy()


def parquet(folder: Path) -> Iterator[np.ndarray]:
    from datasets import Dataset

    with tempfile.TemporaryDirectory() as cache:
        files = [str(path) for path in sorted(folder.glob("*.parquet"))]
        for batch in Dataset.from_parquet(files, cache_dir=cache).with_format("numpy").iter(1000):
            yield from batch["input_ids"]


READERS: dict[str, tuple[str, Callable[[Path], Iterator[np.ndarray]], Any]] = {
    "megatron": ("megatron-core", megatron, None),
    "megatron-one": ("megatron-core", megatron, megatron_writes),
    "datatrove": ("datatrove", datatrove, None),
    "olmo": ("ai2-olmo-core", olmo, None),
    "torchtitan": ("numpy", torchtitan, None),
    "mds": ("mosaicml-streaming", mds, mds_writes),
    "mds-windows": ("mosaicml-streaming", mds, mds_windows_write),
    "litdata": ("litdata", litdata, None),
    "parquet": ("datasets", parquet, None),
}


def digest(samples: Iterable[np.ndarray]) -> dict[str, Any]:
    sha256, count, tokens = hashlib.sha256(), 0, 0
    for sample in samples:
        values = np.asarray(sample).astype(np.int64)
        sha256.update(np.int64(values.size).tobytes() + values.tobytes())
        count, tokens = count + 1, tokens + values.size
    return {"samples": count, "tokens": tokens, "sha256": sha256.hexdigest()}


if __name__ == "__main__":
    LENGTH, DTYPE = int(sys.argv[2]), sys.argv[3]
    for name, (package, read, write) in READERS.items():
        folder = Path(sys.argv[1], name)
        if folder.exists():
            started = time.process_time()
            row = {"layout": name, "reader": f"{package} {importlib.metadata.version(package)}"} | digest(read(folder))
            row |= {"seconds": time.process_time() - started, "same_bytes": write and write(folder, read(folder))}
            print(json.dumps(row), flush=True)

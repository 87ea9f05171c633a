"""Write the files beside this one with the writers of other projects; see README.md."""

from __future__ import annotations

import json
import sys
import types
from importlib.machinery import ModuleSpec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
LENGTHS = [1, 3, 255, 256, 300, 40, 2, 257, 1, 1, 90, 254]
"""Tokens of the documents; one longer than an MDS shard, and lengths around what fits into a byte."""
WINDOW = 64
SIZE_LIMIT = 1_200  # bytes of an MDS shard


def documents(dtype: str) -> list[np.ndarray]:
    """Ids below 2**16 for "uint16", below 151,936 for "uint32"."""
    count = sum(LENGTHS)
    ids = (np.arange(count, dtype=np.uint64) * np.uint64(2_654_435_761) >> np.uint64(7)) % np.uint64(151_936)
    tokens = ids.astype(dtype) if dtype == "uint32" else (ids % np.uint64(65_536)).astype(dtype)
    return [tokens[a:b] for a, b in pairwise(np.cumsum([0, *LENGTHS]).tolist())]


def windows(dtype: str) -> np.ndarray:
    tokens = np.concatenate(documents(dtype))
    return tokens[: tokens.size // WINDOW * WINDOW].reshape(-1, WINDOW)


def stub_torchvision() -> None:
    """mosaicml-streaming imports torchvision, which its text formats do not need."""

    class Stub(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

    for name in (
        "torchvision",
        *(f"torchvision.{part}" for part in ("transforms", "transforms.functional", "datasets")),
    ):
        module = Stub(name)
        module.__spec__, module.__path__ = ModuleSpec(name, None), []
        sys.modules.setdefault(name, module)


def build_megatron(folder: Path) -> None:
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    for name, dtype in (("uint32", np.int32), ("uint16", np.uint16)):
        builder = IndexedDatasetBuilder(str(folder / f"{name}.bin"), dtype=dtype)
        for document in documents(name):
            builder.add_document(document.astype(np.int64), [document.size])
        builder.finalize(str(folder / f"{name}.idx"))


def build_mds(folder: Path) -> None:
    from streaming import MDSWriter

    made = {
        "documents": ("ndarray:uint32", documents("uint32")),
        "windows": (f"ndarray:uint16:{WINDOW}", windows("uint16")),
    }
    for name, (encoding, samples) in made.items():
        with MDSWriter(out=str(folder / name), columns={"tokens": encoding}, size_limit=SIZE_LIMIT) as writer:
            for sample in samples:
                writer.write({"tokens": sample})


def build_litdata(folder: Path) -> None:
    import torch
    from litdata.streaming.item_loader import TokensLoader
    from litdata.streaming.writer import BinaryWriter

    writer = BinaryWriter(str(folder), chunk_bytes=1 << 20, item_loader=TokensLoader(WINDOW))
    for number, block in enumerate(windows("uint32")):
        writer[number] = torch.from_numpy(block.astype(np.int32))
    writer.done()
    writer.merge()
    index = json.loads((folder / "index.json").read_text())
    del index["updated_at"]
    (folder / "index.json").write_text(json.dumps(index, sort_keys=True))


def build_datatrove(folder: Path) -> None:
    from datatrove.pipeline.tokens.tokenizer import TokenizedFile

    file = TokenizedFile(
        str(folder), "uint32.ds", save_final_metadata=True, tokenizer_name_or_path="sha256:0", token_size=4
    )
    for document in documents("uint32"):
        file.write(document.tolist(), None)
    file.close()


if __name__ == "__main__":
    stub_torchvision()
    for build in (build_megatron, build_mds, build_litdata, build_datatrove):
        made = FOLDER / build.__name__.removeprefix("build_")
        made.mkdir(exist_ok=True)
        build(made)

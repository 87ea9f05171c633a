"""The documents of `data/build.py` as native shards, and what official writers made of them."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.tokenizer.shards.data.build import documents
from tokenizer.shards.format import META_DTYPE
from tokenizer.shards.writer import write_manifest, write_shard

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A dataset of the documents in so many shards, in a folder of its own."""

    def write(dtype: str = "uint32", shards: int = 1, empty: bool = False) -> Path:
        folder, records = tmp_path / f"{dtype}-{shards}-{empty}", []
        tokens = documents(dtype)
        tokens = [*tokens[:4], tokens[0][:0], *tokens[4:]] if empty else tokens
        for number, (first, stop) in enumerate(pairwise(np.linspace(0, len(tokens), shards + 1).astype(int))):
            mine = tokens[first:stop]
            meta = np.zeros(len(mine), META_DTYPE)
            meta["content_hash"] = np.arange(first, stop, dtype="<u8").repeat(2).view("V16")
            meta["utf8_bytes"], meta["address"], meta["tier"] = 7, np.arange(first, stop), 3
            meta["language"] = np.arange(first, stop) % 2
            offsets = np.cumsum([0, *map(len, mine)])
            flat = np.concatenate([np.zeros(0, tokens[0].dtype), *mine])
            records.append(write_shard(folder, f"shard-{number:05d}", flat, offsets, meta, dtype=dtype))
        size = 151_936 if dtype == "uint32" else 65_536
        tokenizer = {"fingerprint": "0", "vocabulary_size": size, "special_tokens": {}}
        write_manifest(folder, records, tokenizer=tokenizer, languages=["en", "zh"], domains=["web"], sources=["s"],
                       recipe={}, parents=[])  # fmt: skip
        return folder

    return write


@pytest.fixture
def official() -> Path:
    return Path(__file__).parents[1] / "data"

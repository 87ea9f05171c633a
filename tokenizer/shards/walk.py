"""Going through a token dataset shard by shard, every byte verified before it is used; memory is that of one shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer.shards.format import (
    BLOCK_BYTES,
    META_DTYPE,
    TOKEN_DTYPES,
    ShardDamaged,
    block_problem,
    checked_file,
    load_manifest,
    offsets_of,
    parse_index,
)


@dataclass(frozen=True)
class Batch:
    """Documents that follow each other: ``tokens`` uint16/uint32[total], ``offsets`` int64[n+1], META_DTYPE[n]."""

    tokens: NDArray[np.unsignedinteger[Any]]
    offsets: NDArray[np.int64]
    meta: NDArray[np.void]


@dataclass(frozen=True)
class Shard:
    """One shard: ``lengths`` int64[n], ``meta`` META_DTYPE[n], ``tokens`` uint16/uint32[total], a memory map."""

    directory: Path
    record: dict[str, Any]  # its entry in the manifest
    lengths: NDArray[np.int64]
    meta: NDArray[np.void]
    tokens: NDArray[np.unsignedinteger[Any]]

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where documents begin and end among the tokens: int64[n+1]."""
        return offsets_of(self.lengths)

    def batches(self, most_tokens: int) -> Iterator[Batch]:
        """The documents in order, ``most_tokens`` at a time; a longer document is a batch by itself."""
        offsets, first = self.offsets, 0
        while first < self.lengths.size:
            stop = max(first + 1, int(np.searchsorted(offsets, offsets[first] + most_tokens, side="right")) - 1)
            tokens = self.tokens[offsets[first] : offsets[stop]]
            yield Batch(tokens, offsets[first : stop + 1] - offsets[first], self.meta[first:stop])
            first = stop

    def path(self, suffix: str) -> Path:
        return self.directory / f"{self.name}.{suffix}"


def walk(
    directory: str | Path, with_tokens: bool = True, only: str | None = None, verify: bool = True
) -> Iterator[Shard]:
    """The shards of the dataset in a local folder, in order, or ``only`` the one of this name.

    Without ``with_tokens`` their token files are not read; without ``verify``, after `reader.verify`, tokens are not
    compared with their checksums.

    Raises FileNotFoundError without a manifest, ShardDamaged for a file that does not match it, naming the bytes.
    """
    folder = Path(directory)
    for record in load_manifest(directory)["shards"]:
        if only not in (None, record["name"]):
            continue
        index, meta = (checked_file(folder, record, suffix) for suffix in ("idx", "meta"))
        lengths = parse_index(index, record["dtype"], f"{record['name']}.idx")
        tokens = _tokens(folder, record, verify) if with_tokens else np.zeros(0, TOKEN_DTYPES[record["dtype"]])
        yield Shard(folder, record, lengths, np.frombuffer(meta, META_DTYPE), tokens)


def _tokens(folder: Path, record: dict[str, Any], verify: bool) -> NDArray[Any]:
    path, size = folder / f"{record['name']}.bin", record["files"]["bin"]["bytes"]
    found = path.stat().st_size if path.is_file() else -1
    if found != size:
        state = "is missing" if found < 0 else f"has {found:,} bytes, its manifest says {size:,}"
        raise ShardDamaged(f"{path} {state}: copy or write the shard again.")
    dtype = TOKEN_DTYPES[record["dtype"]]
    if not size:
        return np.zeros(0, dtype)
    tokens = np.memmap(path, dtype, mode="r")
    step = BLOCK_BYTES // dtype.itemsize
    for block in range(len(record["blocks"]) if verify else 0):
        if problem := block_problem(path, record, block, tokens[block * step : (block + 1) * step].data):
            raise ShardDamaged(problem)
    return tokens

"""Reading token shards: random access by token or document, every block verified before its tokens are returned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from tokenizer.shards.format import (
    BLOCK_BYTES,
    META_DTYPE,
    SUFFIXES,
    TOKEN_DTYPES,
    ShardDamaged,
    dataset_fingerprint,
    load_manifest,
    parse_index,
)


def open_shards(directory: str | Path) -> ShardSet:
    """The token dataset in ``directory``.

    Checks the manifest, the size of every file and the checksum of every index; the tokens are checked when read.
    Raises FileNotFoundError without a manifest and ShardDamaged, naming file and sizes, for what does not match it.
    """
    return ShardSet(Path(directory), load_manifest(directory))


class ShardSet:
    """All shards of a dataset as one array of tokens, in manifest order. Open with ``open_shards``.

    ``num_documents``, ``num_tokens``; ``document_offsets`` int64[num_documents+1], documents' borders in tokens;
    ``languages``, ``domains``, ``sources``: the names that ``meta`` numbers; ``manifest``; ``fingerprint``.
    Pickles as its directory, so workers of any start method open it anew.
    """

    def __init__(self, directory: Path, manifest: dict[str, Any]) -> None:
        self.directory = directory
        self.manifest = manifest
        self.fingerprint: str = manifest["fingerprint"]
        self.num_documents: int = manifest["documents"]
        self.num_tokens: int = manifest["tokens"]
        self.languages: list[str] = manifest["languages"]
        self.domains: list[str] = manifest["domains"]
        self.sources: list[str] = manifest["sources"]
        self._dtype = TOKEN_DTYPES[manifest["dtype"]]
        problems = [problem for shard in manifest["shards"] for problem in _size_problems(directory, shard)]
        if problems:
            raise ShardDamaged("; ".join(problems) + ": copy or write these shards again.")
        shards = manifest["shards"]
        self._starts = np.cumsum([0] + [shard["tokens"] for shard in shards], dtype=np.int64)
        self.document_offsets = np.zeros(self.num_documents + 1, np.int64)
        np.cumsum(np.concatenate([self._lengths(shard) for shard in shards]), out=self.document_offsets[1:])
        self._maps: list[NDArray[Any] | None] = [None] * len(shards)
        self._verified = [np.zeros(len(shard["blocks"]), np.bool_) for shard in shards]

    def __reduce__(self) -> tuple[Callable[[Path], ShardSet], tuple[Path]]:
        return open_shards, (self.directory,)

    def read(self, start: int, stop: int) -> NDArray[np.uint32]:
        """Tokens ``start`` to ``stop`` (exclusive) of the whole dataset, a new uint32[stop-start].

        Raises IndexError outside the dataset, and ShardDamaged (shard, block, byte range) when a touched block does
        not match its checksum: no token of such a block is ever returned.
        """
        if not 0 <= start <= stop <= self.num_tokens:
            raise IndexError(f"Tokens {start:,} to {stop:,} are not within the dataset's {self.num_tokens:,} tokens.")
        result = np.empty(stop - start, np.uint32)
        shard = int(np.searchsorted(self._starts, start, side="right")) - 1
        position = start
        while position < stop:
            first, end = int(self._starts[shard]), int(self._starts[shard + 1])
            upto = min(stop, end)
            if upto > position:
                result[position - start : upto - start] = self._read_shard(shard, position - first, upto - first)
            position, shard = upto, shard + 1
        return result

    def document(self, i: int) -> NDArray[np.uint32]:
        """The tokens of document ``i``, a new uint32 array. Raises as ``read``."""
        if not 0 <= i < self.num_documents:
            raise IndexError(f"Document {i:,} is not among the dataset's {self.num_documents:,} documents.")
        return self.read(int(self.document_offsets[i]), int(self.document_offsets[i + 1]))

    @cached_property
    def meta(self) -> NDArray[np.void]:
        """One record per document, ``META_DTYPE``[num_documents]; read and verified on first use."""
        return np.concatenate(
            [np.frombuffer(self._checked(shard, "meta"), META_DTYPE) for shard in self.manifest["shards"]]
        )

    def _lengths(self, shard: dict[str, Any]) -> NDArray[np.int64]:
        return parse_index(self._checked(shard, "idx"), shard["dtype"], f"{shard['name']}.idx")

    def _checked(self, shard: dict[str, Any], suffix: str) -> bytes:
        """The bytes of one of a shard's small files, or ShardDamaged."""
        path = self.directory / f"{shard['name']}.{suffix}"
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != shard["files"][suffix]["sha256"]:
            raise ShardDamaged(f"{path} does not match its sha256 in the manifest: copy or write the shard again.")
        return data

    def _read_shard(self, shard: int, start: int, stop: int) -> NDArray[Any]:
        """Verified tokens of one shard (a view of its memory map)."""
        tokens = self._maps[shard]
        if tokens is None:
            path = self.directory / f"{self.manifest['shards'][shard]['name']}.bin"
            tokens = self._maps[shard] = np.memmap(path, self._dtype, mode="r")
        size = self._dtype.itemsize
        for block in range(start * size // BLOCK_BYTES, (stop * size - 1) // BLOCK_BYTES + 1):
            if not self._verified[shard][block]:
                self._verify_block(shard, block, tokens)
        return tokens[start:stop]

    def _verify_block(self, shard: int, block: int, tokens: NDArray[Any]) -> None:
        step = BLOCK_BYTES // self._dtype.itemsize
        data = tokens[block * step : (block + 1) * step]
        record = self.manifest["shards"][shard]
        if xxhash.xxh3_64_hexdigest(data.tobytes()) != record["blocks"][block]:
            raise ShardDamaged(
                f"{self.directory / record['name']}.bin: block {block}, bytes {_byte_range(block, record)}, does not "
                "match its checksum: copy or write the shard again."
            )
        self._verified[shard][block] = True


def verify(directory: str | Path) -> list[str]:
    """All problems of the dataset in ``directory``, each naming its file; empty when every byte is as written.

    Reads everything. Raises FileNotFoundError without a manifest.
    """
    try:
        manifest = load_manifest(directory)
    except ShardDamaged as error:
        return [str(error)]
    problems = []
    if dataset_fingerprint(manifest["shards"]) != manifest["fingerprint"]:
        problems.append(f"{directory}: the manifest's fingerprint does not follow from its shard records")
    for shard in manifest["shards"]:
        problems += _size_problems(Path(directory), shard)
        for suffix in SUFFIXES:
            problems += _content_problems(Path(directory) / f"{shard['name']}.{suffix}", shard, suffix)
    return problems


def _size_problems(directory: Path, shard: dict[str, Any]) -> list[str]:
    """Missing files of a shard and files whose size is not the recorded one."""
    problems = []
    for suffix in SUFFIXES:
        path, expected = directory / f"{shard['name']}.{suffix}", shard["files"][suffix]["bytes"]
        if not path.is_file():
            problems.append(f"{path} is missing")
        elif path.stat().st_size != expected:
            problems.append(f"{path} has {path.stat().st_size:,} bytes, the manifest says {expected:,}")
    return problems


def _content_problems(path: Path, shard: dict[str, Any], suffix: str) -> list[str]:
    """Differences between a present file and its checksums; for ``.bin``, one for each damaged block."""
    if not path.is_file() or path.stat().st_size != shard["files"][suffix]["bytes"]:
        return []  # reported by size
    sha256, problems, block = hashlib.sha256(), [], 0
    with path.open("rb") as file:
        while data := file.read(BLOCK_BYTES):
            sha256.update(data)
            if suffix == "bin" and xxhash.xxh3_64_hexdigest(data) != shard["blocks"][block]:
                problems.append(f"{path}: block {block}, bytes {_byte_range(block, shard)}, has another checksum")
            block += 1
    if sha256.hexdigest() != shard["files"][suffix]["sha256"]:
        problems.append(f"{path} does not match its sha256 in the manifest")
    return problems


def _byte_range(block: int, shard: dict[str, Any]) -> str:
    """First and last byte of a block of ``NAME.bin``."""
    return f"{block * BLOCK_BYTES:,} to {min((block + 1) * BLOCK_BYTES, shard['files']['bin']['bytes']) - 1:,}"

"""Reading token shards: random access by token or document, every block verified before its tokens are returned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation import storage
from tokenizer.shards.format import (
    BLOCK_BYTES,
    META_DTYPE,
    SUFFIXES,
    TOKEN_DTYPES,
    ShardDamaged,
    block_problem,
    checked_file,
    dataset_fingerprint,
    load_manifest,
    offsets_of,
    parse_index,
)
from tokenizer.shards.gather import gather, unread_blocks

DEFAULT_CACHE_BYTES = 64 << 30


def open_shards(
    directory: str | Path, cache: str | Path | None = None, cache_bytes: int = DEFAULT_CACHE_BYTES
) -> ShardSet:
    """The token dataset in ``directory``, or at a URL: ``s3://``, ``gs://``, ``http://``, ``https://``.

    Checks the manifest, the size of every file and the checksum of every index; the tokens are checked when read. What
    is at a URL is fetched by blocks of 1 MiB into the folder ``cache``, which any number of processes and datasets may
    share, and which keeps the ``cache_bytes`` touched last.
    Raises FileNotFoundError without a manifest and ShardDamaged, naming file and sizes, for what does not match it;
    ValueError for a URL without a cache; when a server fails in several attempts ConnectionError, for an object store
    StorageError.
    """
    if storage.is_remote(str(directory)):
        from tokenizer.shards.remote import open_remote  # which builds on this module

        if cache is None:
            raise ValueError(f"{directory} is remote: give a local folder as cache")
        return open_remote(str(directory), cache, cache_bytes)
    directory = str(directory).removeprefix("file://")
    manifest = load_manifest(directory)
    problems = [problem for shard in manifest["shards"] for problem in _size_problems(Path(directory), shard)]
    if problems:
        raise ShardDamaged("; ".join(problems) + ": copy or write these shards again.")
    return ShardSet(directory, manifest)


class ShardSet:
    """All shards of a dataset as one array of tokens, in manifest order. Open with ``open_shards``.

    ``num_documents``, ``num_tokens``; ``document_offsets`` int64[num_documents+1], documents' borders in tokens;
    ``languages``, ``domains``, ``sources``: the names that ``meta`` numbers; ``manifest``; ``fingerprint``.
    ``location``: the directory or URL, as which it pickles, so that workers of any start method open it anew;
    ``fetches``: whether ``prefetch`` has something to do.
    """

    fetches = False

    def __init__(self, location: str, manifest: dict[str, Any]) -> None:
        self.location = location
        self.manifest = manifest
        self.fingerprint: str = manifest["fingerprint"]
        self.num_documents: int = manifest["documents"]
        self.num_tokens: int = manifest["tokens"]
        self.languages: list[str] = manifest["languages"]
        self.domains: list[str] = manifest["domains"]
        self.sources: list[str] = manifest["sources"]
        self._dtype = TOKEN_DTYPES[manifest["dtype"]]
        shards = manifest["shards"]
        self._starts = offsets_of([shard["tokens"] for shard in shards])
        self._first_blocks = offsets_of([len(shard["blocks"]) for shard in shards])
        self.document_offsets = np.zeros(self.num_documents + 1, np.int64)
        np.cumsum(np.concatenate([self._lengths(shard) for shard in shards]), out=self.document_offsets[1:])
        self._files: dict[int, NDArray[Any]] = {}  # memory maps by shard number
        self._addresses = np.zeros(self._first_blocks[-1], np.uint64)  # of each verified block; 0 before

    def __reduce__(self) -> tuple[Callable[..., ShardSet], tuple[Any, ...]]:
        return open_shards, (self.location,)

    def read(self, start: int, stop: int) -> NDArray[np.uint32]:
        """Tokens ``start`` to ``stop`` (exclusive) of the whole dataset, a new uint32[stop-start].

        Raises IndexError outside the dataset, and ShardDamaged (shard, block, byte range) when a touched block does
        not match its checksum: no token of such a block is ever returned. A block is verified when first touched.
        """
        return self.gather(np.array([start]), np.array([stop]))

    def gather(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The tokens of many ranges [starts, stops), int64[n] each, one range after the other, in a new uint32 array.

        Raises as ``read``.
        """
        if len(starts) and not (starts.min() >= 0 and (starts <= stops).all() and stops.max() <= self.num_tokens):
            wrong = int(np.flatnonzero((starts < 0) | (starts > stops) | (stops > self.num_tokens))[0])
            raise IndexError(f"Tokens {starts[wrong]:,} to {stops[wrong]:,} are not within the dataset's "
                             f"{self.num_tokens:,} tokens.")  # fmt: skip
        out = np.empty(int((stops - starts).sum()), np.uint32)
        layout, step = (self._starts, self._first_blocks), BLOCK_BYTES // self._dtype.itemsize
        while not gather(self._addresses, *layout, step, self._dtype.itemsize, starts, stops, out):
            self._load(unread_blocks(self._addresses, *layout, step, starts, stops))
        return out

    def prefetch(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        """Have the blocks of these ranges fetched in the background: the system does so for files on a local disk."""

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
        return checked_file(self.location, shard, suffix)

    def _load(self, blocks: NDArray[np.int64]) -> None:
        """Verify these blocks and note where they lie in memory, or raise ShardDamaged."""
        shards = np.searchsorted(self._first_blocks, blocks, side="right") - 1
        for shard, number in zip(shards.tolist(), blocks.tolist(), strict=True):
            if shard not in self._files:
                path = Path(self.location, f"{self.manifest['shards'][shard]['name']}.bin")
                self._files[shard] = np.memmap(path, np.uint8, mode="r")
            block = number - int(self._first_blocks[shard])
            data = self._files[shard][block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]
            problem = self._block_problem(shard, block, data)
            if problem:
                raise ShardDamaged(problem)
            self._addresses[number] = data.ctypes.data

    def _block_problem(self, shard: int, block: int, data: NDArray[np.uint8]) -> str:
        """What is wrong with these bytes as a block, or ""."""
        record = self.manifest["shards"][shard]
        return block_problem(storage.join(self.location, f"{record['name']}.bin"), record, block, data.data)


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
            if suffix == "bin" and (problem := block_problem(path, shard, block, data)):
                problems.append(problem)
            block += 1
    if sha256.hexdigest() != shard["files"][suffix]["sha256"]:
        problems.append(f"{path} does not match its sha256 in the manifest")
    return problems

"""Token shards on an object store or a web server, read block by block through a cache on the local disk.

Random access needs single blocks of a shard, so the unit that is fetched, verified, kept and removed is the block of
1 MiB that has a checksum in the manifest. A block is verified when it arrives, before any process sees it, and again
when a process first touches it, as the local disk is no safer than any other.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation import storage
from tokenizer.shards.cache import FileCache
from tokenizer.shards.format import BLOCK_BYTES, MANIFEST, ShardDamaged, load_manifest
from tokenizer.shards.gather import unread_blocks
from tokenizer.shards.reader import ShardSet

THREADS = 16
ATTEMPTS = 6
FIRST_PAUSE = 0.25  # seconds before the second attempt; twice as long before each further one
LEAST_CACHE = 64 * BLOCK_BYTES
MAPPED_BLOCKS = 16_384  # a process may have 65,530 memory maps


def open_remote(url: str, cache: str | Path, cache_bytes: int) -> RemoteShardSet:
    """The token dataset at ``url``; see ``tokenizer.shards.reader.open_shards``."""
    if cache_bytes < LEAST_CACHE:
        raise ValueError(f"cache_bytes is {cache_bytes:,}; the cache needs at least {LEAST_CACHE:,}")
    with tempfile.TemporaryDirectory(prefix="glotmill-") as folder:
        Path(folder, MANIFEST).write_bytes(read_with_retries(storage.join(url, MANIFEST)))
        manifest = load_manifest(folder)
    return RemoteShardSet(url, FileCache(Path(cache), cache_bytes), manifest)


class RemoteShardSet(ShardSet):
    """A ``ShardSet`` whose files are fetched when they are needed, or before, after ``prefetch``."""

    fetches = True

    def __init__(self, url: str, cache: FileCache, manifest: dict[str, Any]) -> None:
        self._cache, self._folder = cache, manifest["fingerprint"]
        self._pool: ThreadPoolExecutor | None = None
        self._owner = 0
        self._fetching: dict[int, Future[Path]] = {}
        self._mapped: dict[int, tuple[Path, NDArray[np.uint8]]] = {}
        self._evictions = cache.evictions
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda shard: self._small_file(url, shard, "idx"), manifest["shards"]))
        super().__init__(url, manifest)

    def __reduce__(self) -> tuple[Callable[..., ShardSet], tuple[Any, ...]]:
        return open_remote, (self.location, self._cache.directory, self._cache.limit)

    def gather(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.uint32]:
        self._forget_removed()
        return super().gather(starts, stops)

    def prefetch(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        """Have the blocks of these ranges fetched in the background. What fails is tried again by ``gather``."""
        step = BLOCK_BYTES // self._dtype.itemsize
        for number in unread_blocks(self._addresses, self._starts, self._first_blocks, step, starts, stops).tolist():
            self._fetch(number)

    def _load(self, blocks: NDArray[np.int64]) -> None:
        """Fetch these blocks, many at a time, verify them and note where they lie in memory."""
        fetches = [self._fetch(number) for number in blocks.tolist()]
        try:
            for number, fetch in zip(blocks.tolist(), fetches, strict=True):
                path = fetch.result()
                data = self._map(number, path)
                self._mapped[number] = path, data
                self._addresses[number] = data.ctypes.data
        finally:
            for fetch in fetches:
                fetch.cancel()

    def _fetch(self, number: int) -> Future[Path]:
        """Have a block in the cache; several calls while it is under way are one."""
        if self._pool is None or self._owner != os.getpid():  # threads do not survive a fork
            self._pool, self._owner, self._fetching = ThreadPoolExecutor(THREADS), os.getpid(), {}
        if number not in self._fetching:
            future = self._pool.submit(self._cached_block, number)
            self._fetching[number] = future
            future.add_done_callback(lambda _: self._fetching.pop(number, None))
            return future
        return self._fetching[number]

    def _cached_block(self, number: int) -> Path:
        return self._cache.get(self._block_name(number), partial(self._download_block, number))

    def _map(self, number: int, path: Path) -> NDArray[np.uint8]:
        """A cached block in memory, verified; fetched again where it was removed or damaged meanwhile."""
        shard, block = self._place(number)
        for _ in range(ATTEMPTS):
            try:
                with pa.memory_map(str(path)) as file:  # unlike mmap, keeps no file open
                    data = np.frombuffer(file.read_buffer(), np.uint8)
                os.utime(path)
            except FileNotFoundError:
                path = self._cached_block(number)
                continue
            if not self._block_problem(shard, block, data):
                return data
            self._cache.discard(self._block_name(number))
            path = self._cached_block(number)
        raise ShardDamaged(f"{path}: the cache damages what is written to it; the disk may be failing.")

    def _download_block(self, number: int) -> bytes:
        shard, block = self._place(number)
        record = self.manifest["shards"][shard]
        start = block * BLOCK_BYTES
        size = min(BLOCK_BYTES, record["files"]["bin"]["bytes"] - start)
        url = storage.join(self.location, f"{record['name']}.bin")

        def problem(data: bytes) -> str:
            return self._block_problem(shard, block, np.frombuffer(data, np.uint8))

        return read_with_retries(url, start, size, problem)

    def _checked(self, shard: dict[str, Any], suffix: str) -> bytes:
        return self._small_file(self.location, shard, suffix)

    def _small_file(self, location: str, shard: dict[str, Any], suffix: str) -> bytes:
        """An index or the documents' records, whole and as the manifest says."""
        url, expected = storage.join(location, f"{shard['name']}.{suffix}"), shard["files"][suffix]
        name = f"{self._folder}/{shard['name']}.{suffix}"

        def problem(data: bytes) -> str:
            if hashlib.sha256(data).hexdigest() == expected["sha256"]:
                return ""
            return f"{url} does not match its sha256 in the manifest: copy or write the shard again."

        for _ in range(ATTEMPTS):
            path = self._cache.get(name, lambda: read_with_retries(url, 0, expected["bytes"], problem))
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # removed from the cache before it was read
            if not problem(data):
                return data
            self._cache.discard(name)
        raise ShardDamaged(f"{name}: the cache damages what is written to it; the disk may be failing.")

    def _forget_removed(self) -> None:
        """Give back the memory maps of blocks that the cache has removed, so that their disk space is freed."""
        if self._evictions != self._cache.evictions or len(self._mapped) > MAPPED_BLOCKS:
            self._evictions = self._cache.evictions
            full = len(self._mapped) > MAPPED_BLOCKS
            for number in [n for n, (path, _) in self._mapped.items() if full or not path.exists()]:
                self._addresses[number] = 0
                del self._mapped[number]

    def _place(self, number: int) -> tuple[int, int]:
        """Shard of a block of the dataset, and its number in the shard."""
        shard = int(np.searchsorted(self._first_blocks, number, side="right")) - 1
        return shard, number - int(self._first_blocks[shard])

    def _block_name(self, number: int) -> str:
        shard, block = self._place(number)
        return f"{self._folder}/{self.manifest['shards'][shard]['name']}.bin/{block:06d}"


def read_with_retries(
    url: str, start: int = 0, size: int | None = None, problem: Callable[[bytes], str] = lambda data: ""
) -> bytes:
    """Bytes [start, start + size) of a file, tried again where reading fails, stops short or ``problem`` finds one.

    Raises FileNotFoundError, PermissionError and, as an object store's client has tried again already, StorageError at
    once; ShardDamaged when the last attempt is short or has a problem, and ConnectionError when it failed.
    """
    failure: Exception = ConnectionError(url)
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            data = storage.read_bytes(url, start, size)
        except (FileNotFoundError, PermissionError, storage.StorageError):
            raise
        except (OSError, http.client.HTTPException) as error:
            failure = ConnectionError(f"{url}: not read in {ATTEMPTS} attempts, the last of which said: {error}")
            continue
        short = size is not None and len(data) != size
        found = f"{url}: bytes {start:,} on are {len(data):,}, not {size:,}: copy it again." if short else problem(data)
        if not found:
            return data
        failure = ShardDamaged(found)
    raise failure

"""Keys and edges: documents that share a 64-bit key are candidates. A key is a band's hash, the first half of the
content hash, or the hash of a URL, so that exact copies and revisits are edges like any others."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curation.text import utf8
from curation.text.scan import mix
from curation.text.utf8 import njit

SETTLED = np.uint64(1 << 63)
"""Bit of the addresses of documents of earlier runs, whose keepers are known and stay."""

KEYS = pa.schema([("key", pa.uint64()), ("address", pa.uint64()), ("keeper", pa.uint64())])
"""``keeper``: the document that a document of an earlier run was merged into; its own address otherwise."""
EDGES = pa.schema([("left", pa.uint64()), ("right", pa.uint64())])

EMPTY_KEY = np.frombuffer(xxhash.xxh3_128_digest(b""), np.uint64)[0]
"""First half of the content hash of empty text."""


def key_lists(bands: pa.Array, content_hash: pa.Array, url_hash: np.ndarray | None = None) -> pa.ListArray:
    """The keys of n documents, list<uint64>[n]: bands, then content, then URL.

    Empty documents have no key of their content: they are equal, but no duplicates of anything.

    Args:
        bands: list<uint64>[n]; empty for documents without units.
        content_hash: binary of 16 bytes [n].
        url_hash: uint64[n] as of `url_hashes`, 0 for none; null where URLs do not count.
    """
    count = pc.list_value_length(bands).to_numpy(zero_copy_only=False).astype(np.int64)
    exact = content_halves(content_hash)[:, 0]
    columns = [exact] if url_hash is None else [exact, url_hash]
    filled = [exact != EMPTY_KEY] if url_hash is None else [exact != EMPTY_KEY, url_hash != 0]
    ends = np.concatenate([[0], np.cumsum(count + sum(flags.astype(np.int64) for flags in filled))])
    out = np.empty(ends[-1], np.uint64)
    at = np.repeat(ends[:-1], count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    out[at] = bands.flatten().to_numpy()
    place = ends[:-1] + count
    for column, flags in zip(columns, filled, strict=True):
        out[place[flags]] = column[flags]
        place = place + flags
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(out))


def keys_of(address: pa.Array, keeper: pa.Array, keys: pa.ListArray) -> pa.RecordBatch:
    """KEYS of n documents, one row for each key."""
    count = pc.list_value_length(keys).to_numpy(zero_copy_only=False)
    columns = [keys.flatten(), np.repeat(address.to_numpy(), count), np.repeat(keeper.to_numpy(), count)]
    return pa.record_batch([pa.array(column) for column in columns], schema=KEYS)


def content_halves(content_hash: pa.Array) -> np.ndarray:
    """The two halves of hashes of 16 bytes: uint64[n, 2]."""
    fixed = content_hash.cast(pa.binary(16))
    halves = np.frombuffer(fixed.buffers()[1], np.uint64).reshape(-1, 2)
    return halves[fixed.offset : fixed.offset + len(fixed)]


def url_hashes(url: pa.Array) -> np.ndarray:
    """A hash of each URL, uint64[n], 0 where there is none.

    Scheme, ``www.``, fragment and a slash at the end do not count, nor the case of the host.
    """
    bare = pl.from_arrow(url).cast(pl.String).str.strip_chars()  # type: ignore[union-attr]
    bare = bare.str.replace(r"^(?i)[a-z][a-z0-9+.-]*://", "").str.replace("#.*$", "").str.replace("/+$", "")
    host = bare.str.extract("^([^/?]*)").str.to_lowercase().str.replace(r"^www\.", "")
    whole = (host + bare.str.replace("^[^/?]*", "")).fill_null("")
    hashes = hash_strings(whole.to_arrow())
    return np.where((whole == "").to_numpy(), np.uint64(0), np.maximum(hashes, 1))


def hash_strings(text: pa.Array) -> np.ndarray:
    """A 64-bit hash of each string, the same on every machine: uint64[n]."""
    offsets, data = utf8.buffers(text)
    return _hash_strings(offsets, utf8.frozen(data))


def partition_of(keys: np.ndarray, partitions: int) -> np.ndarray:
    """Partition int64[n] of uint64[n] hashes by their high bits, evenly for any number of partitions."""
    numbers: np.ndarray = ((keys >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)).astype(np.int64)
    return numbers


def spread(addresses: np.ndarray) -> np.ndarray:
    """Hashes uint64[n] of addresses, for `partition_of`."""
    mixed = addresses * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(29)) ^ (mixed << np.uint64(32))


def star_edges(key: np.ndarray, address: np.ndarray, keeper: np.ndarray) -> pa.RecordBatch:
    """EDGES from every document to the smallest with the same key, in the order of the rows; some come twice.

    Stars suffice: documents of one bucket are connected through its smallest. Buckets of settled documents alone
    give none; a settled document that shares a bucket with a new one is tied to its keeper as well.
    """
    left, right = _stars(key, address, keeper)
    return pa.record_batch([pa.array(left), pa.array(right)], schema=EDGES)


@njit
def _stars(key, address, keeper):  # type: ignore[no-untyped-def]
    n = len(key)
    size = 16
    while size < 2 * n:
        size *= 2
    mask = np.uint64(size - 1)
    smallest = np.empty(size, np.int64)  # a row
    smallest[:] = -1
    slot_of = np.empty(n, np.int64)
    for i in range(n):
        slot = mix(key[i]) & mask
        while smallest[slot] >= 0 and key[smallest[slot]] != key[i]:
            slot = (slot + np.uint64(1)) & mask
        slot_of[i] = slot
        if smallest[slot] < 0 or address[i] < address[smallest[slot]]:
            smallest[slot] = i
    count = 0
    for i in range(n):
        first = address[smallest[slot_of[i]]]
        if first < SETTLED:
            count += (address[i] != first) + (keeper[i] != address[i])
    left, right = np.empty(count, np.uint64), np.empty(count, np.uint64)
    count = 0
    for i in range(n):
        first = address[smallest[slot_of[i]]]
        if first < SETTLED:
            if address[i] != first:
                left[count], right[count] = address[i], first
                count += 1
            if keeper[i] != address[i]:
                left[count], right[count] = address[i], keeper[i]
                count += 1
    return left, right


@njit
def _hash_strings(offsets, data):  # type: ignore[no-untyped-def]
    out = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(out)):
        key = np.uint64(0xCBF29CE484222325)
        for at in range(offsets[i], offsets[i + 1]):
            key = (key ^ np.uint64(data[at])) * np.uint64(0x100000001B3)  # FNV-1a
        out[i] = mix(key)
    return out

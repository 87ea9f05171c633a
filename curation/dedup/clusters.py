"""Clusters of duplicates: edges from equal keys, connected components, and the document each cluster keeps.

All functions are pure and work on columns; the job `dedup` wires them. Keys are 64-bit: a band's hash, or the first
half of the content hash, so that exact duplicates are edges like any others.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curation.dedup.minhash import sketch_similarity
from curation.schema import ADDRESS_ROW_BITS, DUPLICATES, addresses
from curation.text.utf8 import njit

KEYS = pa.schema([("key", pa.uint64()), ("address", pa.uint64())])
EDGES = pa.schema([("address", pa.uint64()), ("smallest", pa.uint64())])
MEMBERS = pa.schema([("address", pa.uint64()), ("candidates", pa.uint64())])


CANDIDATES = pa.schema(
    [
        *MEMBERS,
        ("failing", pa.uint32()),  # policy rules the document fails; fewer is better
        ("characters", pa.uint32()),
        ("id", pa.string()),
        ("content_hash", pa.binary(16)),
        ("sketch", pa.binary()),
    ]
)
"""What the choice of a keeper needs of every member of a cluster."""

EMPTY_KEY = np.frombuffer(xxhash.xxh3_128_digest(b""), np.uint64)[0]
"""First half of the content hash of empty text."""


def keys_of(address: pa.Array, bands: pa.Array, content_hash: pa.Array) -> pa.RecordBatch:
    """KEYS of n documents: one row per band and document (documents without units have none), one per content hash.

    Empty documents have no key: they are equal, but no duplicates of anything.
    """
    owner = address.to_numpy()
    counts = pc.list_value_length(bands).to_numpy(zero_copy_only=False)
    band_keys = bands.flatten().to_numpy()
    exact = np.frombuffer(pc.cast(content_hash, pa.binary(16)).buffers()[1], np.uint64)
    exact = exact.reshape(-1, 2)[content_hash.offset : content_hash.offset + len(content_hash), 0]
    filled = exact != EMPTY_KEY
    keys = np.concatenate([band_keys, exact[filled]])
    owners = np.concatenate([np.repeat(owner, counts), owner[filled]])
    return pa.record_batch([pa.array(keys), pa.array(owners)], schema=KEYS)


def partition_of(keys: np.ndarray, partitions: int) -> np.ndarray:
    """Partition int64[n] of uint64[n] hashes by their high bits, evenly for any number of partitions."""
    numbers: np.ndarray = ((keys >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)).astype(np.int64)
    return numbers


def star_edges(keys: np.ndarray, addresses: np.ndarray) -> pa.RecordBatch:
    """EDGES from every document to the smallest address with the same key, without repeats, sorted.

    Stars suffice: documents of one bucket are connected through its smallest.
    """
    order = np.lexsort((addresses, keys))
    keys, addresses = keys[order], addresses[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.empty(0, np.int64)
    smallest = np.repeat(addresses[starts], np.diff(np.r_[starts, len(keys)]))
    edges = np.stack([addresses, smallest], 1)[addresses != smallest]
    edges = np.unique(edges, axis=0) if len(edges) else edges.reshape(0, 2)
    return pa.record_batch([pa.array(edges[:, 0].copy()), pa.array(edges[:, 1].copy())], schema=EDGES)


def components(address: np.ndarray, smallest: np.ndarray) -> pa.RecordBatch:
    """MEMBERS of all components of the graph, sorted by address; a component's number is its smallest address."""
    nodes, index = np.unique(np.concatenate([address, smallest]), return_inverse=True)
    roots = _union_find(index[: len(address)], index[len(address) :], len(nodes))
    return pa.record_batch([pa.array(nodes), pa.array(nodes[roots])], schema=MEMBERS)


@njit
def _union_find(left: np.ndarray, right: np.ndarray, n: int) -> np.ndarray:
    """Smallest node of each node's component: int64[n]. Path halving; the smaller root wins."""
    parent = np.arange(n)
    for i in range(len(left)):
        a, b = left[i], right[i]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b
    for i in range(n):
        parent[i] = parent[parent[i]]  # parents come first, and theirs are final
    return parent


def parts_of(addresses: np.ndarray) -> np.ndarray:
    """Part ordinals int64[n] of addresses uint64[n]."""
    parts: np.ndarray = (addresses >> np.uint64(ADDRESS_ROW_BITS)).astype(np.int64)
    return parts


def choose_keepers(candidates: pa.Table, least_similarity: float) -> pa.RecordBatch:
    """Verified clusters and their kept documents, one row per member: `curation.schema.DUPLICATES` sorted by address.

    ``candidates`` (CANDIDATES) holds whole components of the LSH graph. In each, the best document (fewest failing
    rules, then longest, then smallest id, then address) is kept, and the documents that equal it or are estimated at
    least ``least_similarity`` similar to it form its cluster; the best of the rest keeps the next, and so on. So no
    document is removed for its likeness to something that is itself only like the kept one.
    """
    if not candidates.num_rows:
        return pa.RecordBatch.from_pylist([], schema=DUPLICATES)
    ordered = candidates.sort_by(
        [("candidates", "ascending"), ("failing", "ascending"), ("characters", "descending"), ("id", "ascending"),
         ("address", "ascending")]
    ).combine_chunks()  # fmt: skip
    component = ordered["candidates"].to_numpy()
    address = ordered["address"].to_numpy()
    n = len(component)
    sketches = np.frombuffer(b"".join(ordered["sketch"].to_pylist()), np.uint8).reshape(n, -1 if n else 1)
    content = np.frombuffer(b"".join(ordered["content_hash"].to_pylist()), np.uint64).reshape(n, 2)
    starts = np.flatnonzero(np.r_[True, component[1:] != component[:-1]])
    keeper_row, equal_bytes = _leaders(np.append(starts, n), sketches, content, least_similarity)

    is_keeper = keeper_row == np.arange(n)
    exact = (content == content[keeper_row]).all(1)
    similarity = np.where(exact, 1.0, sketch_similarity(equal_bytes, sketches.shape[1])).astype(np.float32)
    smallest = np.full(n, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, keeper_row, address)
    sizes = np.bincount(keeper_row, minlength=n).astype(np.uint32)
    columns = [
        pa.array(address),
        pa.array(component),
        pa.array(smallest[keeper_row]),
        pa.array(sizes[keeper_row]),
        pa.array(address[keeper_row]),
        pa.array(np.where(exact, "exact", "near"), pa.string(), mask=is_keeper),
        pa.array(similarity, mask=is_keeper),
    ]
    return pa.record_batch(columns, schema=DUPLICATES).take(pa.array(np.argsort(address, kind="stable")))


@njit
def _leaders(starts, sketches, content, least_similarity):  # type: ignore[no-untyped-def]
    """Row of each document's keeper and their equal sketch bytes: int64[n] each. Rows are in order of preference."""
    n, width = sketches.shape
    keeper = np.full(n, -1, np.int64)
    equal_bytes = np.zeros(n, np.int64)
    for c in range(len(starts) - 1):
        for leader in range(starts[c], starts[c + 1]):
            if keeper[leader] >= 0:
                continue
            keeper[leader], equal_bytes[leader] = leader, width
            for row in range(leader + 1, starts[c + 1]):
                if keeper[row] >= 0:
                    continue
                equal = 0
                for i in range(width):
                    equal += sketches[leader, i] == sketches[row, i]
                same = content[leader, 0] == content[row, 0] and content[leader, 1] == content[row, 1]
                similarity = max(0.0, (equal / width - 1 / 256) / (1 - 1 / 256))  # as minhash.sketch_similarity
                if same or similarity >= least_similarity:
                    keeper[row], equal_bytes[row] = leader, equal
    return keeper, equal_bytes


def fill_part(members: pa.Table, part: int, rows: int) -> pa.RecordBatch:
    """DUPLICATES of a whole part: its members of clusters, and every other document as a cluster of its own."""
    own = addresses(part, rows).to_numpy()
    at = (members["address"].to_numpy() & np.uint64((1 << ADDRESS_ROW_BITS) - 1)).astype(np.int64)
    numbers = {name: own.copy() for name in ("address", "candidates", "cluster", "keeper")}
    numbers["cluster_size"] = np.ones(rows, np.uint32)
    for name, column in numbers.items():
        column[at] = members[name].to_numpy()
    source = np.full(rows, -1, np.int64)
    source[at] = np.arange(len(at))
    lookup = pa.array(source, mask=source < 0)
    taken = {name: members[name].combine_chunks().take(lookup) for name in ("match", "similarity")}
    columns = {name: pa.array(column) for name, column in numbers.items()} | taken
    return pa.record_batch([columns[field.name] for field in DUPLICATES], schema=DUPLICATES)

"""Clusters of duplicates: edges from equal keys, connected components, and the document each cluster keeps.

All functions are pure and work on columns; the job `dedup` wires them. Keys are 64-bit: a band's hash, or the first
half of the content hash, so that exact duplicates are edges like any others.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.dedup.minhash import similarity_from_bands
from curation.schema import ADDRESS_ROW_BITS, DUPLICATES, addresses
from curation.text.utf8 import njit

KEYS = pa.schema([("key", pa.uint64()), ("address", pa.uint64())])
EDGES = pa.schema([("address", pa.uint64()), ("smallest", pa.uint64())])
MEMBERS = pa.schema([("address", pa.uint64()), ("cluster", pa.uint64())])


CANDIDATES = pa.schema(
    [
        *MEMBERS,
        ("failing", pa.uint32()),  # policy rules the document fails; fewer is better
        ("characters", pa.uint32()),
        ("id", pa.string()),
        ("content_hash", pa.binary(16)),
        ("bands", pa.list_(pa.uint64())),
    ]
)
"""What the choice of a keeper needs of every member of a cluster."""


def keys_of(address: pa.Array, bands: pa.Array, content_hash: pa.Array) -> pa.RecordBatch:
    """KEYS of n documents: one row per band and document (documents without units have none), one per content hash."""
    owner = address.to_numpy()
    counts = pc.list_value_length(bands).to_numpy(zero_copy_only=False)
    band_keys = bands.flatten().to_numpy()
    exact = np.frombuffer(pc.cast(content_hash, pa.binary(16)).buffers()[1], np.uint64)
    exact = exact.reshape(-1, 2)[content_hash.offset : content_hash.offset + len(content_hash), 0]
    keys = np.concatenate([band_keys, exact])
    owners = np.concatenate([np.repeat(owner, counts), owner])
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
    """MEMBERS of all clusters of the graph, sorted by address; a cluster's number is its smallest address."""
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


def choose_keepers(candidates: pa.Table, bands: int, rows: int) -> pa.RecordBatch:
    """The kept document of every cluster: fewest failing rules, then longest, then smallest id, then address.

    ``candidates`` (CANDIDATES) holds whole clusters; ``bands`` and ``rows`` are those of the signatures. Returns one
    row per member, of the schema `curation.schema.DUPLICATES`, sorted by address.
    """
    ordered = candidates.sort_by(
        [("cluster", "ascending"), ("failing", "ascending"), ("characters", "descending"), ("id", "ascending"),
         ("address", "ascending")]
    ).combine_chunks()  # fmt: skip
    cluster = ordered["cluster"].to_numpy()
    starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
    sizes = np.diff(np.r_[starts, len(cluster)])
    keeper_row = np.repeat(starts, sizes)
    address = ordered["address"].to_numpy()
    is_keeper = keeper_row == np.arange(len(cluster))

    hashes = ordered["content_hash"]
    exact = pc.equal(hashes, hashes.take(pa.array(keeper_row))).to_numpy(zero_copy_only=False)
    similarity = np.where(exact, 1.0, _shared_band_similarity(ordered["bands"], keeper_row, bands, rows)).astype(
        np.float32
    )
    match = np.where(exact, "exact", "near")
    columns = [
        pa.array(address),
        pa.array(cluster),
        pa.array(np.repeat(sizes, sizes).astype(np.uint32)),
        pa.array(address[keeper_row]),
        pa.array(match, pa.string(), mask=is_keeper),
        pa.array(similarity, mask=is_keeper),
    ]
    batch = pa.record_batch(columns, schema=DUPLICATES)
    return batch.take(pa.array(np.argsort(address, kind="stable")))


def _shared_band_similarity(column: pa.ChunkedArray, keeper_row: np.ndarray, width: int, rows: int) -> np.ndarray:
    bands = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    known = pc.list_value_length(bands).to_numpy(zero_copy_only=False) == width
    values = np.zeros((len(bands), width), np.uint64)
    values[known] = bands.filter(pa.array(known)).flatten().to_numpy().reshape(-1, width)
    shared = (values == values[keeper_row]).sum(1) * (known & known[keeper_row])
    return similarity_from_bands(shared, width, rows)


def fill_part(members: pa.Table, part: int, rows: int) -> pa.RecordBatch:
    """DUPLICATES of a whole part: its members of clusters, and every other document as a cluster of its own."""
    own = addresses(part, rows).to_numpy()
    at = (members["address"].to_numpy() & np.uint64((1 << ADDRESS_ROW_BITS) - 1)).astype(np.int64)
    cluster, keeper, size = own.copy(), own.copy(), np.ones(rows, np.uint32)
    cluster[at], keeper[at] = members["cluster"].to_numpy(), members["keeper"].to_numpy()
    size[at] = members["cluster_size"].to_numpy()
    source = np.full(rows, -1, np.int64)
    source[at] = np.arange(len(at))
    lookup = pa.array(source, mask=source < 0)
    taken = {name: members[name].combine_chunks().take(lookup) for name in ("match", "similarity")}
    columns = [own, cluster, size, keeper]
    return pa.record_batch([*map(pa.array, columns), taken["match"], taken["similarity"]], schema=DUPLICATES)

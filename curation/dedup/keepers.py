"""Verified clusters: which document each duplicate is merged into, and in what order documents are preferred.

Documents are taken in order of preference. Each is compared with the keepers of the earlier documents it shares a key
with: where it equals one, has its URL, or is similar enough to it, it is merged into the most preferred of these;
else it is a keeper itself. So no document is removed for its likeness to something that is only like the kept one, and
a later document never changes what became of an earlier one: documents of earlier runs, which come first, keep theirs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.dataset import Record
from curation.dedup.components import MEMBERS
from curation.dedup.keys import SETTLED, content_halves
from curation.schema import ADDRESS_ROW_BITS, DUPLICATES, addresses
from curation.text.scan import mix
from curation.text.utf8 import njit

KEEPERS_A_KEY = 128
"""Keepers that a key leads to; further ones with this key are found by their other keys only. It bounds the work where
very many unlike documents share a passage that fills a band."""

_KINDS = ("exact", "near", "url")
_EXACT, _NEAR, _URL = 0, 1, 2


def candidates_schema(preferences: int) -> pa.Schema:
    """What the choice of keepers needs of every member of a component, with a number of columns of preference."""
    return pa.schema(
        [
            *MEMBERS,
            ("keeper", pa.uint64()),  # of a settled document: the one it was merged into; else its own address
            ("cluster_size", pa.uint32()),  # of a settled keeper's cluster; else 0
            *((f"preference_{i}", pa.float64()) for i in range(preferences)),  # smaller is better, null last
            ("id", pa.string()),
            ("content_hash", pa.binary(16)),
            ("url_hash", pa.uint64()),  # 0: none
            ("sketch", pa.binary()),
            ("keys", pa.list_(pa.uint64())),
            ("shingles", pa.list_(pa.uint32())),  # sorted set; null where signatures decide
        ]
    )


class Chosen(NamedTuple):
    duplicates: pa.RecordBatch  # curation.schema.DUPLICATES of the members that are not settled, by address
    facts: Record  # components, members, largest component, pairs compared and confirmed


def choose_keepers(candidates: pa.Table, least_similarity: float) -> Chosen:
    """Clusters of whole components of the graph of candidates (`candidates_schema`), in any order of rows.

    Settled documents come first; order is by the columns of preference, id, content and address. A pair is
    similar by the exact Jaccard similarity of its sets of shingles where both are given, by its sketches elsewhere.
    """
    n = candidates.num_rows
    if not n:
        empty = dict.fromkeys(("members", "components", "largest_component", "compared", "confirmed"), 0)
        return Chosen(pa.RecordBatch.from_pylist([], schema=DUPLICATES), empty)
    ordered = _in_order(candidates)
    address, keeper = ordered["address"].to_numpy(), ordered["keeper"].to_numpy()
    component = ordered["candidates"].to_numpy()
    settled = address >= SETTLED
    sketches = np.frombuffer(b"".join(ordered["sketch"].to_pylist()), np.uint8).reshape(n, -1)
    content = content_halves(ordered["content_hash"].combine_chunks())
    key_bounds, keys = _lists(ordered["keys"])
    exact = ordered["shingles"].null_count < n
    shingle_bounds, shingles = (
        _lists(ordered["shingles"]) if exact else (np.zeros(n + 1, np.int64), np.empty(0, np.uint32))
    )
    into = _rows_of(keeper, address, settled)
    row, match, similarity, compared, confirmed = _assign(
        content, ordered["url_hash"].to_numpy(), sketches, key_bounds, keys.astype(np.uint64),
        shingle_bounds, shingles.astype(np.uint32), into, least_similarity, exact,
    )  # fmt: skip

    new = np.where(settled, 0, 1)
    earlier = ordered["cluster_size"].to_numpy()[row].astype(np.int64)
    size = np.bincount(row, new, n).astype(np.int64)[row] + earlier
    by_keeper = np.lexsort((np.arange(n), row))
    first = np.concatenate([[0], np.cumsum(np.bincount(row, new, n))])[:-1].astype(np.int64)
    rank = np.empty(n, np.int64)
    rank[by_keeper] = np.cumsum(new[by_keeper]) - new[by_keeper] - first[row[by_keeper]]
    smallest = np.full(n, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, row, address)
    is_keeper = row == np.arange(n)
    columns = {
        "address": pa.array(address),
        "candidates": pa.array(component),
        "cluster": pa.array(smallest[row]),
        "cluster_size": pa.array(size.astype(np.uint32)),
        "keeper": pa.array(address[row]),
        "rank": pa.array((rank + earlier).astype(np.uint32)),
        "match": pa.array(np.array(_KINDS)[match], pa.string(), mask=is_keeper),
        "similarity": pa.array(similarity.astype(np.float32), mask=is_keeper),
        "earlier_id": pc.if_else(pa.array(settled[row]), ordered["id"].combine_chunks().take(pa.array(row)), None),
    }
    batch = pa.record_batch([columns[field.name] for field in DUPLICATES], schema=DUPLICATES)
    kept = np.flatnonzero(~settled)
    sizes = np.unique(component[kept], return_counts=True)[1]
    facts = {"members": len(kept), "components": len(sizes), "largest_component": int(sizes.max(initial=0)),
             "compared": int(compared), "confirmed": int(confirmed)}  # fmt: skip
    return Chosen(batch.take(pa.array(kept[np.argsort(address[kept], kind="stable")])), facts)


def _in_order(candidates: pa.Table) -> pa.Table:
    """Settled documents, then all others, each in order of preference, with one chunk a column."""
    table = candidates.append_column("new", pa.array(candidates["address"].to_numpy() < SETTLED))
    preferences = [name for name in table.column_names if name.startswith("preference_")]
    names = ("new", *preferences, "id", "content_hash", "address")
    order = pc.sort_indices(table.select(names), [(name, "ascending") for name in names])
    return table.take(order).combine_chunks()


def _lists(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds int64[n+1] and values of a column of lists."""
    lists = column.combine_chunks()
    count = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.concatenate([[0], np.cumsum(count)]), lists.flatten().to_numpy()


def _rows_of(keeper: np.ndarray, address: np.ndarray, settled: np.ndarray) -> np.ndarray:
    """Row of each settled document's keeper, -1 for other documents: int64[n]."""
    order = np.argsort(address)
    found = order[np.minimum(np.searchsorted(address, keeper, sorter=order), len(address) - 1)]
    if (address[found] != keeper)[settled].any():
        raise ValueError("the keeper of a document of an earlier run is missing; is its duplicates/ of another run?")
    return np.where(settled, found, -1)


@njit
def _assign(content, url, sketches, key_bounds, keys, shingle_bounds, shingles, into, least, exact):  # type: ignore[no-untyped-def]
    """Row of each document's keeper, kind of match, similarity; pairs compared and confirmed. Rows in preference."""
    n, width = sketches.shape
    keeper, match, similarity = np.empty(n, np.int64), np.zeros(n, np.int64), np.ones(n, np.float64)
    size = 16
    while size < 2 * len(keys):
        size *= 2
    mask = np.uint64(size - 1)
    table_key, head = np.zeros(size, np.uint64), np.full(size, -1, np.int64)
    length = np.zeros(size, np.int64)
    chain_keeper, chain_next = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
    used = 0
    seen = np.full(n, -1, np.int64)
    compared = confirmed = 0
    for row in range(n):
        best = into[row]
        if best < 0:
            for k in range(key_bounds[row], key_bounds[row + 1]):
                slot = mix(keys[k]) & mask
                while head[slot] >= 0 and table_key[slot] != keys[k]:
                    slot = (slot + np.uint64(1)) & mask
                link = head[slot]
                while link >= 0:
                    other = chain_keeper[link]
                    link = chain_next[link]
                    if seen[other] == row:
                        continue
                    seen[other] = row
                    compared += 1
                    kind, value = -1, 1.0
                    if content[other, 0] == content[row, 0] and content[other, 1] == content[row, 1]:
                        kind = 0
                    else:
                        equal = 0
                        for i in range(width):
                            equal += sketches[other, i] == sketches[row, i]
                        value = max(0.0, (equal / width - 1 / 256) / (1 - 1 / 256))  # as minhash.sketch_similarity
                        known = (shingle_bounds[row + 1] > shingle_bounds[row]
                                 and shingle_bounds[other + 1] > shingle_bounds[other])  # fmt: skip
                        if exact and known and value >= least - 0.25:
                            value = _jaccard(shingles, shingle_bounds[other], shingle_bounds[other + 1],
                                             shingle_bounds[row], shingle_bounds[row + 1])  # fmt: skip
                        if value >= least:
                            kind = 1
                        elif url[row] != 0 and url[row] == url[other]:
                            kind = 2
                    if kind >= 0:
                        confirmed += 1
                        if best < 0 or other < best:
                            best, match[row], similarity[row] = other, kind, value
        if best < 0:
            best = row
        keeper[row] = best
        for k in range(key_bounds[row], key_bounds[row + 1]):
            slot = mix(keys[k]) & mask
            while head[slot] >= 0 and table_key[slot] != keys[k]:
                slot = (slot + np.uint64(1)) & mask
            table_key[slot] = keys[k]
            link = head[slot]
            while link >= 0 and chain_keeper[link] != best:
                link = chain_next[link]
            if link < 0 and length[slot] < KEEPERS_A_KEY:
                chain_keeper[used], chain_next[used] = best, head[slot]
                head[slot] = used
                used += 1
                length[slot] += 1
    return keeper, match, similarity, compared, confirmed


@njit
def _jaccard(values, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    """Jaccard similarity of two sorted sets that lie in one array."""
    total = a_end - a + b_end - b
    shared = 0
    while a < a_end and b < b_end:
        if values[a] == values[b]:
            shared += 1
            a += 1
            b += 1
        elif values[a] < values[b]:
            a += 1
        else:
            b += 1
    return shared / max(total - shared, 1)


def parts_of(addresses: np.ndarray) -> np.ndarray:
    """Part ordinals int64[n] of addresses uint64[n]."""
    parts: np.ndarray = (addresses >> np.uint64(ADDRESS_ROW_BITS)).astype(np.int64)
    return parts


def rows_of(addresses: np.ndarray) -> np.ndarray:
    """Rows in their parts int64[n] of addresses uint64[n]."""
    rows: np.ndarray = (addresses & np.uint64((1 << ADDRESS_ROW_BITS) - 1)).astype(np.int64)
    return rows


def fill_part(members: pa.Table, part: int, rows: int) -> pa.RecordBatch:
    """DUPLICATES of a whole part: its members of clusters, and every other document as a cluster of its own."""
    own = addresses(part, rows).to_numpy()
    at = rows_of(members["address"].to_numpy())
    numbers = {name: own.copy() for name in ("address", "candidates", "cluster", "keeper")}
    numbers |= {"cluster_size": np.ones(rows, np.uint32), "rank": np.zeros(rows, np.uint32)}
    for name, column in numbers.items():
        column[at] = members[name].to_numpy()
    source = np.full(rows, -1, np.int64)
    source[at] = np.arange(len(at))
    lookup = pa.array(source, mask=source < 0)
    texts = ("match", "similarity", "earlier_id")
    taken = {name: members[name].combine_chunks().take(lookup) for name in texts}
    columns = {name: pa.array(column) for name, column in numbers.items()} | taken
    return pa.record_batch([columns[field.name] for field in DUPLICATES], schema=DUPLICATES)

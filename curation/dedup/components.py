"""Connected components of the graph of candidates: on one worker by union-find, or in rounds of stars on many.

Both give the same: every document of a component of two or more, and the smallest address in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from curation.dedup.keys import EDGES
from curation.schema import ADDRESS_ROW_BITS
from curation.text.utf8 import njit

MEMBERS = pa.schema([("address", pa.uint64()), ("candidates", pa.uint64())])
BLOCK_ROWS = 1 << 20
_ROW = np.uint64((1 << ADDRESS_ROW_BITS) - 1)


class UnionFind:
    """Components of documents in memory: 4 bytes a document (8 from 2**31 of them on), edges in any number of calls."""

    def __init__(self, rows: dict[int, int]) -> None:
        """``rows``: documents of each part, which may be numbered with gaps."""
        self._parts = np.array(sorted(rows), np.uint64)
        self._base = np.concatenate([[0], np.cumsum([rows[part] for part in sorted(rows)])]).astype(np.int64)
        total = int(self._base[-1])
        self._parent = np.arange(total, dtype=np.int32 if total < 2**31 else np.int64)

    def add(self, left: np.ndarray, right: np.ndarray) -> None:
        """Join documents by their addresses, uint64[edges] each."""
        _join(self._parent, self._number(left), self._number(right))

    def members(self) -> Iterator[pa.RecordBatch]:
        """MEMBERS of all components, by address."""
        has_child = _flatten(self._parent)
        for start in range(0, len(self._parent), BLOCK_ROWS):
            roots = self._parent[start : start + BLOCK_ROWS].astype(np.int64)
            own = np.arange(start, start + len(roots))
            found = (roots != own) | has_child[own]
            if found.any():
                columns = [pa.array(self._address(numbers[found])) for numbers in (own, roots)]
                yield pa.record_batch(columns, schema=MEMBERS)

    def _number(self, address: np.ndarray) -> np.ndarray:
        part = np.searchsorted(self._parts, address >> np.uint64(ADDRESS_ROW_BITS))
        number: np.ndarray = self._base[part] + (address & _ROW).astype(np.int64)
        return number

    def _address(self, number: np.ndarray) -> np.ndarray:
        part = np.searchsorted(self._base, number, side="right") - 1
        row = (number - self._base[part]).astype(np.uint64)
        address: np.ndarray = (self._parts[part] << np.uint64(ADDRESS_ROW_BITS)) | row
        return address


def large_star(edges: pa.Table) -> pa.RecordBatch:
    """Large-star of every document u whose edges are all here, in both directions (left = u): EDGES without repeats.

    Each neighbour larger than u is tied to the smallest of u and its neighbours (Kiveris et al. 2014, Connected
    Components in MapReduce and Beyond, algorithm 2).
    """
    left, right = _sorted(edges)
    starts = _starts(left)
    smallest = np.repeat(np.minimum(left[starts], right[starts]), np.diff(np.append(starts, len(left))))
    larger = right > left
    return _edges(right[larger], smallest[larger])


def small_star(edges: pa.Table) -> pa.RecordBatch:
    """Small-star of every document u with all its smaller neighbours here (left = u > right): EDGES without repeats.

    u and these are tied to the smallest of them (Kiveris et al. 2014, algorithm 3).
    """
    left, right = _sorted(edges)
    starts = _starts(left)
    smallest = right[starts]
    each = np.repeat(smallest, np.diff(np.append(starts, len(left))))
    other = right != each
    return _edges(np.concatenate([left[starts], right[other]]), np.concatenate([smallest, each[other]]))


def both_ways(edges: pa.RecordBatch) -> pa.RecordBatch:
    """The edges in both directions, as `large_star` wants them."""
    left, right = edges["left"].to_numpy(), edges["right"].to_numpy()
    return _edges(np.concatenate([left, right]), np.concatenate([right, left]))


def checksum(edges: pa.Table) -> int:
    """A sum over the set of edges, the same in any order and partition; equal after a round that changed nothing."""
    left, right = _sorted(edges)
    return int(_checksum(left, right))


def star_members(edges: pa.Table) -> pa.RecordBatch:
    """MEMBERS of components that are stars: edges from every document (left) to its smallest (right)."""
    left, right = _sorted(edges)
    centres = np.unique(right)
    address, smallest = np.concatenate([left, centres]), np.concatenate([right, centres])
    order = np.argsort(address, kind="stable")
    return pa.record_batch([pa.array(address[order]), pa.array(smallest[order])], schema=MEMBERS)


def _sorted(edges: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """The set of edges, ordered by left, then right."""
    left, right = edges["left"].to_numpy(), edges["right"].to_numpy()
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    first = np.ones(len(left), bool)
    first[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return left[first], right[first]


def _starts(left: np.ndarray) -> np.ndarray:
    starts: np.ndarray = np.flatnonzero(np.append(True, left[1:] != left[:-1])) if len(left) else np.zeros(0, np.int64)
    return starts


def _edges(left: np.ndarray, right: np.ndarray) -> pa.RecordBatch:
    return pa.record_batch([pa.array(left), pa.array(right)], schema=EDGES)


@njit
def _checksum(left, right):  # type: ignore[no-untyped-def]
    total = np.uint64(0)
    for i in range(len(left)):
        pair = (left[i] * np.uint64(0x9E3779B97F4A7C15)) ^ (right[i] + np.uint64(0x632BE59BD9B4E019))
        pair = (pair ^ (pair >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        total += pair ^ (pair >> np.uint64(32))
    return total


@njit
def _join(parent, left, right):  # type: ignore[no-untyped-def]
    """Union-find with path halving; the smaller root wins, so that a root is the smallest of its component."""
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


@njit
def _flatten(parent):  # type: ignore[no-untyped-def]
    """Make every parent the root; whether each document is the root of another: bool[n]."""
    has_child = np.zeros(len(parent), np.bool_)
    for i in range(len(parent)):
        parent[i] = parent[parent[i]]  # parents come first, and theirs are final
        if parent[i] != i:
            has_child[parent[i]] = True
    return has_child

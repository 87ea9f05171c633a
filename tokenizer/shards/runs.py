"""Runs: the encoded documents of one work unit, sorted by key, of which any range of keys can be read by itself.

Shards are made by an external sort. Each work unit leaves a sorted run for each split; when the tokens of all runs are
counted, the keys are cut into ranges of about equally many tokens; each shard then takes its range out of every run and
merges. So a shard is a pure function of the runs and its number, memory is that of one work unit or one shard, and
what is read of a run is one stretch of its file.

A run is one little-endian file:

    rows       uint64                   of the table of fences
    fences     FENCE_DTYPE[rows]        documents and tokens before a fence; fences are evenly spaced keys
    documents  DOCUMENT_DTYPE[n]        in the order of their keys
    tokens     uint32 or uint16         of the documents, one after the other

The table has fence 0 and those fences before which lie other documents than before the last: with many runs, few of
all fences, and never more rows than documents and one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from curation import storage
from tokenizer.shards.format import META_DTYPE, TOKEN_DTYPES, TOKEN_LIMITS, offsets_of

FENCE_DTYPE = np.dtype([("fence", "<u8"), ("documents", "<u8"), ("tokens", "<u8")])
DOCUMENT_DTYPE = np.dtype([("key", "<u8"), ("tokens", "<u4"), ("copy", "<u4"), ("meta", META_DTYPE)])
FENCES_A_SHARD = 256  # the sizes of shards then differ by less than a hundredth, and by the length of a document
MOST_FENCES = 1 << 20


def fence_count(shards: float) -> int:
    """Fences, a power of two, for about so many shards of all splits."""
    return min(MOST_FENCES, 1 << int(np.ceil(np.log2(max(1.0, shards) * FENCES_A_SHARD))))


@dataclass(frozen=True)
class Documents:
    """Some documents: their records, DOCUMENT_DTYPE[n], and their tokens one after the other."""

    records: NDArray[np.void]
    tokens: NDArray[np.unsignedinteger[Any]]

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where documents begin and end among the tokens: int64[n+1]."""
        return offsets_of(self.records["tokens"])


def write_run(url: str, documents: Documents, fences: int, dtype: str) -> None:
    """Write the run of ``documents``, in whatever order they come.

    ``fences`` is a power of two, 2 or more. Raises ValueError for an id that ``dtype`` cannot hold.
    """
    if documents.tokens.size and int(documents.tokens.max()) >= TOKEN_LIMITS[dtype]:
        raise ValueError(f"{url}: token {int(documents.tokens.max()):,} does not fit {dtype} shards; set shards.dtype")
    documents = merge([documents])
    records, tokens = documents.records, documents.tokens.astype(TOKEN_DTYPES[dtype], copy=False)
    before = records["key"] >> np.uint64(65 - fences.bit_length())  # the last fence before each document
    last = np.flatnonzero(np.diff(before, append=np.uint64(fences)))  # documents before the next fence
    table = np.zeros(1 + last.size, FENCE_DTYPE)
    table["fence"][1:] = before[last] + np.uint64(1)
    table["documents"][1:] = last + 1
    table["tokens"] = documents.offsets[table["documents"].astype(np.int64)]
    with storage.atomic_file(url) as local, open(local, "wb") as file:
        for array in (np.array([table.size], "<u8"), table, records, tokens):
            array.tofile(file)


def read_fences(url: str) -> NDArray[np.void]:
    """The table of fences of a run: FENCE_DTYPE[rows]."""
    with storage.open_file(url) as file:
        rows = int.from_bytes(file.read(8), "little")
        return np.frombuffer(file.read(rows * FENCE_DTYPE.itemsize), FENCE_DTYPE)


def tokens_before_fences(urls: Iterable[str], fences: int) -> NDArray[np.int64]:
    """Tokens of all these runs before each fence: int64[fences + 1]."""
    tokens = np.zeros(fences + 1, np.int64)
    for url in urls:
        table = read_fences(url)
        before = table["tokens"].astype(np.int64)
        tokens[table["fence"][1:].astype(np.int64)] += before[1:] - before[:-1]
    return np.cumsum(tokens)


def places(url: str, fences: NDArray[np.int64], dtype: str) -> NDArray[np.int64]:
    """Where in a run's file the documents and the tokens behind these fences begin, in bytes: int64[n, 2]."""
    table = read_fences(url)
    rows = table[np.searchsorted(table["fence"], fences.astype(np.uint64), side="right") - 1]
    documents_at = 8 + table.nbytes
    tokens_at = documents_at + int(table["documents"][-1]) * DOCUMENT_DTYPE.itemsize
    return np.stack(
        [
            documents_at + rows["documents"].astype(np.int64) * DOCUMENT_DTYPE.itemsize,
            tokens_at + rows["tokens"].astype(np.int64) * TOKEN_DTYPES[dtype].itemsize,
        ],
        axis=1,
    )


def read_range(url: str, start: NDArray[np.int64], stop: NDArray[np.int64], dtype: str) -> Documents:
    """The documents of a run between two of its `places`, int64[2] each."""
    with storage.open_file(url) as file:
        records, tokens = (file.read_at(int(end - begin), int(begin)) for begin, end in zip(start, stop, strict=True))
    return Documents(np.frombuffer(records, DOCUMENT_DTYPE), np.frombuffer(tokens, TOKEN_DTYPES[dtype]))


def merge(pieces: Sequence[Documents]) -> Documents:
    """All documents of the pieces in the order of their keys; equal keys by address, then copy."""
    records = np.concatenate([piece.records for piece in pieces])
    order = np.lexsort((records["copy"], records["meta"]["address"], records["key"]))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    lengths = records["tokens"][order]
    starts = offsets_of(lengths)[:-1][place]
    tokens = np.empty(int(lengths.sum(dtype=np.int64)), np.result_type(*(piece.tokens for piece in pieces)))
    first = 0
    for piece in pieces:
        stop = first + len(piece.records)
        _copy(piece.tokens, piece.offsets[:-1], records["tokens"][first:stop], starts[first:stop], tokens)
        first = stop
    return Documents(records[order], tokens)


def take(documents: Documents, rows: NDArray[np.int64]) -> Documents:
    """The documents of these rows, some perhaps several times."""
    records = documents.records[rows]
    ends = offsets_of(records["tokens"])
    tokens = np.empty(ends[-1], documents.tokens.dtype)
    _copy(documents.tokens, documents.offsets[rows], records["tokens"], ends[:-1], tokens)
    return Documents(records, tokens)


def cut(tokens: Iterable[int] | NDArray[Any], shard_tokens: int) -> list[tuple[int, int]]:
    """Ranges of fences that hold about ``shard_tokens`` tokens or fewer, all about equally many.

    Args:
        tokens: before each fence, over all runs, int64[fences + 1].
    """
    before = np.asarray(tokens, np.int64)
    total = int(before[-1])
    shards = -(-total // shard_tokens)
    wanted = np.arange(1, shards, dtype=np.float64) * total / max(1, shards)
    above = np.searchsorted(before, wanted)
    nearer = above - (wanted - before[above - 1] < before[above] - wanted)
    inner = nearer[(before[nearer] > 0) & (before[nearer] < total)]
    _, kept = np.unique(before[inner], return_index=True)  # no shard is empty
    bounds = [0, *inner[kept].tolist(), len(before) - 1]
    return list(pairwise(bounds)) if total else []


@njit(cache=True, nogil=True)
def _copy(tokens, starts, lengths, places, out):  # type: ignore[no-untyped-def]
    """Copy stretch i, tokens[starts[i]:starts[i] + lengths[i]], to out[places[i]:]."""
    for i in range(starts.size):
        length = np.int64(lengths[i])
        out[places[i] : places[i] + length] = tokens[starts[i] : starts[i] + length]

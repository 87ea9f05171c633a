"""What tells two token datasets apart: settings, and documents by the hash of their content.

Datasets of any size are compared in memory that is bounded: documents are taken in as many passes as it needs, each
over those whose hash falls into its share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tokenizer.shards.format import load_manifest
from tokenizer.shards.walk import walk

DOCUMENT_DTYPE = np.dtype([("content", "<u8", 2), ("tokens", "<u8"), ("row", "<i8"), ("side", "u1")])
PASS_DOCUMENTS = 1 << 23  # of both datasets; about 100 bytes each while they are sorted
KINDS = {
    "only_a": "only in the first",
    "only_b": "only in the second",
    "tokens": "in both, with other tokens",
    "copies": "in both, more often in one",
    "same": "in both, the same",
}
NOT_SETTINGS = {"shards", "documents", "tokens", "utf8_bytes", "fingerprint", "checksum"}
NOT_SETTINGS |= {"tokens_by_language", "tokens_by_domain", "tokens_by_source"}


@dataclass
class Difference:
    """``settings``: (key, value of the first, of the second) where they differ, None where there is no such key.

    ``texts``: distinct texts by KINDS; ``samples``: of each kind, some (content hash, document of the first or -1,
    document of the second or -1).
    """

    settings: list[tuple[str, Any, Any]]
    same_bytes: bool  # of all shard files
    texts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    samples: dict[str, list[tuple[str, int, int]]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    @property
    def same_documents(self) -> bool:
        return not any(count for kind, count in self.texts.items() if kind != "same")


def diff(a: str | Path, b: str | Path, samples: int = 5) -> Difference:
    """Compare the datasets in two local folders. Raises as ``walk``."""
    first, second = load_manifest(a), load_manifest(b)
    found = Difference(list(_settings(first, second)), first["fingerprint"] == second["fingerprint"])
    passes = 1 + (first["documents"] + second["documents"]) // PASS_DOCUMENTS
    for number in range(passes):
        sides = [_documents(folder, side, number, passes) for side, folder in enumerate((a, b))]
        _compare(np.concatenate(sides), found, samples)
    return found


def _settings(a: dict[str, Any], b: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    one, other = (dict(_flat("", {k: v for k, v in m.items() if k not in NOT_SETTINGS})) for m in (a, b))
    for key in sorted(one.keys() | other.keys()):
        if one.get(key) != other.get(key):
            yield key, one.get(key), other.get(key)


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of a JSON value by their path, such as ``recipe.shards.dtype``."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield prefix, value
        return
    for key, inner in items:
        yield from _flat(f"{prefix}.{key}" if prefix else str(key), inner)


def _documents(folder: str | Path, side: int, number: int, passes: int) -> NDArray[np.void]:
    """The documents of one pass: DOCUMENT_DTYPE[n]."""
    pieces, row = [np.zeros(0, DOCUMENT_DTYPE)], 0
    for shard in walk(folder):
        content = np.ascontiguousarray(shard.meta["content_hash"]).view("<u8").reshape(-1, 2)
        rows = np.flatnonzero(content[:, 1] % np.uint64(passes) == number)
        piece = np.zeros(rows.size, DOCUMENT_DTYPE)
        piece["content"], piece["row"], piece["side"] = content[rows], rows + row, side
        piece["tokens"] = _token_hashes(shard.tokens, shard.offsets[rows], shard.lengths[rows])
        pieces.append(piece)
        row += shard.lengths.size
    return np.concatenate(pieces)


def _compare(documents: NDArray[np.void], found: Difference, samples: int) -> None:
    """Count the texts of one pass by kind."""
    if not documents.size:
        return
    content = documents["content"]
    order = np.lexsort((documents["row"], documents["side"], content[:, 0], content[:, 1]))
    documents = documents[order]
    content = documents["content"]
    starts = np.flatnonzero(np.concatenate([[True], (content[1:] != content[:-1]).any(axis=1)]))
    in_b = np.add.reduceat(documents["side"].astype(np.int64), starts)
    in_a = np.diff(np.append(starts, documents.size)) - in_b
    last = starts + in_a + in_b - 1
    kind = np.select(
        [in_b == 0, in_a == 0, _token_sets_differ(documents, starts), in_a != in_b],
        ["only_a", "only_b", "tokens", "copies"],
        "same",
    )
    for name, count in zip(*np.unique(kind, return_counts=True), strict=True):
        found.texts[str(name)] += int(count)
    for name, listed in found.samples.items():
        for group in np.flatnonzero(kind == name)[: max(0, samples - len(listed))]:
            row_a = int(documents["row"][starts[group]]) if in_a[group] else -1
            row_b = int(documents["row"][last[group] - in_b[group] + 1]) if in_b[group] else -1
            listed.append((documents["content"][starts[group]].tobytes().hex(), row_a, row_b))


def _token_sets_differ(documents: NDArray[np.void], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the least or the greatest hash of a text's tokens differs between the sides: bool[texts]."""
    differ = np.zeros(starts.size, np.bool_)
    for reduce, outside in ((np.minimum, np.uint64((1 << 64) - 1)), (np.maximum, np.uint64(0))):
        a, b = (
            reduce.reduceat(np.where(documents["side"] == side, documents["tokens"], outside), starts)
            for side in (0, 1)
        )
        differ |= a != b
    return differ


@njit(cache=True, nogil=True)
def _token_hashes(tokens, starts, lengths):  # type: ignore[no-untyped-def]
    """A hash of each document's ids, uint64[n]: FNV-1a (Fowler, Noll and Vo) with 32-bit steps."""
    hashes = np.empty(starts.size, np.uint64)
    for i in range(starts.size):
        value = np.uint64(0xCBF29CE484222325)
        for k in range(starts[i], starts[i] + lengths[i]):
            value = (value ^ np.uint64(tokens[k])) * np.uint64(0x100000001B3)
        hashes[i] = value ^ (value >> np.uint64(32))
    return hashes

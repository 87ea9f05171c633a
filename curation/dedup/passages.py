"""Passages that documents share: lines and paragraphs by their hashes, across all documents of a language.

The first ``keep`` documents with a passage, by address, keep it, and where more than ``more_than`` have it the others
lose it: CCNet's rule with 1 and 1 (Wenzek et al. 2020, arXiv:1911.00359, section 3.1: paragraphs seen before), Llama
3's with 0 and 6 (Grattafiori et al. 2024, arXiv:2407.21783, section 3.1.1: lines seen more than six times).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.text.scan import mix
from curation.text.utf8 import njit

PASSAGES = pa.schema([("key", pa.uint64()), ("address", pa.uint64())])
"""One row for each passage of a document."""
_PARAGRAPH = np.uint64(0x8CB92BA72F3D8DD7)


class Repeated(NamedTuple):
    rows: pa.RecordBatch  # PASSAGES that documents lose
    passages: int  # different ones that some document loses


def passage_keys(line_hash: np.ndarray, group: np.ndarray, salt: np.ndarray) -> np.ndarray:
    """One key for each run of lines of one group: uint64[groups].

    Args:
        line_hash: uint64[lines].
        group: int64[lines], 0, 1, 2 ... in order; ``arange`` for a key a line.
        salt: uint64[groups]; passages with different salts are never the same.
    """
    out = _PARAGRAPH ^ salt
    _fold(line_hash, group, out)
    return out


def distinct(key: np.ndarray, address: np.ndarray) -> pa.RecordBatch:
    """PASSAGES with each passage of a document once, in order."""
    order = np.lexsort((address, key))
    key, address = key[order], address[order]
    first = np.ones(len(key), bool)
    first[1:] = (key[1:] != key[:-1]) | (address[1:] != address[:-1])
    return pa.record_batch([pa.array(key[first]), pa.array(address[first])], schema=PASSAGES)


def repeated(passages: pa.Table, keep: int, more_than: int) -> Repeated:
    """Which documents lose a passage. ``passages``: all rows of the keys in it, each document once, in any order."""
    key, address = passages["key"].to_numpy(), passages["address"].to_numpy()
    order = np.lexsort((address, key))
    key, address = key[order], address[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, np.int64)
    count = np.diff(np.append(starts, len(key)))
    rank = np.arange(len(key)) - np.repeat(starts, count)
    lost = (np.repeat(count, count) > more_than) & (rank >= keep)
    rows = pa.record_batch([pa.array(key[lost]), pa.array(address[lost])], schema=PASSAGES)
    return Repeated(rows, int(((count > more_than) & (count > keep)).sum()))


def is_lost(key: np.ndarray, address: np.ndarray, lost: pa.Table) -> np.ndarray:
    """Whether each passage is among the rows ``lost`` (PASSAGES): bool[n]."""
    wanted = np.zeros(len(lost), [("key", np.uint64), ("address", np.uint64)])
    wanted["key"], wanted["address"] = lost["key"].to_numpy(), lost["address"].to_numpy()
    given = np.zeros(len(key), wanted.dtype)
    given["key"], given["address"] = key, address
    found: np.ndarray = np.isin(given, wanted)
    return found


@njit
def _fold(line_hash, group, out):  # type: ignore[no-untyped-def]
    for i in range(len(line_hash)):
        out[group[i]] = mix((out[group[i]] * np.uint64(0x9E3779B97F4A7C15)) ^ line_hash[i])

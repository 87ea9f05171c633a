"""Export to MDS, the format of mosaicml-streaming (LLM Foundry, Composer), byte for byte as its ``MDSWriter`` writes.

``shard.00000.mds``, little-endian (streaming/base/format/mds/writer.py):

    u32 N | u32 offsets[N + 1], absolute | configuration as JSON | samples

A sample has one column, ``tokens``: of documents ``ndarray:uint32``, of windows of T tokens ``ndarray:uint32:T``. The
former is a u32 size, the byte ``1 << 2 | k``, the number of tokens as k = 0: u8, 1: u16, 2: u32, and the tokens; the
latter is the tokens alone. ``index.json`` lists the shards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from curation import storage
from curation.text.utf8 import frozen
from tokenizer.shards.export.links import Exported, require_empty
from tokenizer.shards.export.windows import windows
from tokenizer.shards.format import load_manifest
from tokenizer.shards.walk import walk

SIZE_LIMIT = 1 << 26  # bytes of a shard, as MDSWriter has it by default
COLUMN = "tokens"  # that LLM Foundry reads


@dataclass(frozen=True)
class Layout:
    """The one column: its encoding, and the size of a sample in bytes, None where samples differ."""

    encoding: str
    sample_bytes: int | None
    size_limit: int

    def columns(self) -> dict[str, Any]:
        return {
            "column_encodings": [self.encoding], "column_names": [COLUMN], "column_sizes": [self.sample_bytes],
            "compression": None, "format": "mds", "hashes": [], "size_limit": self.size_limit, "version": 2,
        }  # fmt: skip

    def config(self) -> bytes:
        return json.dumps(self.columns(), sort_keys=True).encode()


def write_mds(
    directory: str | Path, out: str, sequence_length: int | None = None, size_limit: int = SIZE_LIMIT
) -> Exported:
    """Write the dataset in a local folder to ``out``, a folder or URL that holds nothing yet.

    A sample is a document, or a window of ``sequence_length`` tokens; the tokens that fill no window are left out.
    MDS cannot hold empty samples: documents without tokens are left out. Raises ValueError for an ``out`` in use;
    else as ``walk``.
    """
    require_empty(out)
    dtype = load_manifest(directory)["dtype"]
    if sequence_length is None:
        layout = Layout(f"ndarray:{dtype}", None, size_limit)
        shards = _of_documents(directory, layout)
    else:
        size = sequence_length * np.dtype(dtype).itemsize
        layout = Layout(f"ndarray:{dtype}:{sequence_length}", size, size_limit)
        shards = _of_windows(directory, sequence_length, layout)
    exported = Exported()
    listed = []
    for number, (sizes, samples, tokens) in enumerate(shards):
        name = f"shard.{number:05d}.mds"
        listed.append(_write_shard(storage.join(out, name), name, sizes, samples, layout))
        exported.copied += 1
        exported.samples += sizes.size
        exported.tokens += tokens
    storage.write_bytes(
        storage.join(out, "index.json"), json.dumps({"shards": listed, "version": 2}, sort_keys=True).encode()
    )
    exported.left_out = load_manifest(directory)["tokens"] - exported.tokens
    return exported


Samples = tuple[NDArray[np.int64], NDArray[np.uint8], int]
"""Sizes of the samples of a shard in bytes, their bytes, and how many tokens they hold."""


def _write_shard(url: str, name: str, sizes: NDArray[np.int64], samples: NDArray[Any], layout: Layout) -> Any:
    """Write one shard and return its entry in the index."""
    config = layout.config()
    offsets = np.zeros(sizes.size + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    offsets += 4 + 4 * offsets.size + len(config)
    with storage.atomic_file(url) as local, open(local, "wb") as file:
        file.write(np.uint32(sizes.size).tobytes() + offsets.astype("<u4").tobytes() + config)
        file.write(samples.data)
    raw = {"basename": name, "bytes": int(offsets[-1]), "hashes": {}}
    return layout.columns() | {"raw_data": raw, "samples": int(sizes.size), "zip_data": None}


def _of_windows(directory: str | Path, length: int, layout: Layout) -> Iterator[Samples]:
    assert layout.sample_bytes is not None
    most = max(1, (layout.size_limit - 8 - len(layout.config())) // (layout.sample_bytes + 4))
    for batch in windows(directory, length, most):
        samples = np.ascontiguousarray(batch).view(np.uint8).ravel()
        yield np.full(len(batch), layout.sample_bytes, np.int64), samples, batch.size


def _of_documents(directory: str | Path, layout: Layout) -> Iterator[Samples]:
    """Greedily, as MDSWriter does: a sample that would exceed the limit begins the next shard."""
    room = layout.size_limit - 8 - len(layout.config())
    waiting = _encode_documents(np.zeros(0, np.uint32), np.zeros(0, np.int64))
    for shard in walk(directory):
        for batch in shard.batches(layout.size_limit // 4):
            new = _encode_documents(batch.tokens, np.diff(batch.offsets))
            sizes, samples, tokens = (np.concatenate([waiting[i], new[i]]) for i in range(3))
            ends, first = np.concatenate([[0], np.cumsum(sizes)]), 0
            taken = ends + 4 * np.arange(ends.size)  # each sample has an offset of four bytes
            while taken[-1] - taken[first] > room and first < sizes.size - 1:
                stop = max(first + 1, int(np.searchsorted(taken, taken[first] + room, side="right")) - 1)
                yield sizes[first:stop], samples[ends[first] : ends[stop]], int(tokens[first:stop].sum())
                first = stop
            waiting = sizes[first:], samples[ends[first] :], tokens[first:]
    sizes, samples, tokens = waiting
    if sizes.size:
        yield sizes, samples, int(tokens.sum())


def _encode_documents(
    tokens: NDArray[Any], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    """Sizes in bytes, bytes and numbers of tokens of the samples of those documents that have tokens."""
    lengths = lengths[lengths > 0]
    kinds = np.searchsorted([1 << 8, 1 << 16], lengths, side="right")
    shape_bytes = np.array([1, 2, 4])[kinds]
    sizes = 4 + 1 + shape_bytes + lengths * tokens.dtype.itemsize
    out = np.empty(int(sizes.sum()), np.uint8)
    _write_samples(frozen(tokens.view(np.uint8)), lengths, tokens.dtype.itemsize, kinds, shape_bytes, sizes, out)
    return sizes, out, lengths


@njit(cache=True, nogil=True)
def _write_samples(data, lengths, itemsize, kinds, shape_bytes, sizes, out):  # type: ignore[no-untyped-def]
    at, source = np.int64(0), np.int64(0)
    for i in range(lengths.size):
        size = sizes[i] - 4
        for k in range(4):
            out[at + k] = (size >> (8 * k)) & 0xFF
        out[at + 4] = 1 << 2 | kinds[i]
        for k in range(shape_bytes[i]):
            out[at + 5 + k] = (lengths[i] >> (8 * k)) & 0xFF
        values = lengths[i] * itemsize
        at += sizes[i]
        out[at - values : at] = data[source : source + values]
        source += values

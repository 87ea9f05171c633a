"""The layout of a token dataset on disk.

A dataset is a directory of shards and one ``manifest.json``. A shard NAME is three files, all little-endian:

``NAME.bin``   The token ids of its documents, one after the other, nothing else: uint32, or uint16 for vocabularies of
               at most 65,536. No header, so Megatron, nanotron, OLMo-core and ``numpy.memmap`` read it as it is.
``NAME.idx``   The Megatron-LM index, one sequence per document (megatron/core/datasets/indexed_dataset.py):
               0       9 bytes  magic ``MMIDIDX\\0\\0``
               9       u64      version 1
               17      u8       dtype code: 4 = int32 (the bytes of uint32 for ids below 2**31), 8 = uint16
               18      u64      S, the number of sequences
               26      u64      D = S + 1, the length of the document array
               34      i32[S]   tokens of each sequence
               34+4S   i64[S]   where each sequence begins in ``NAME.bin``, in bytes
               34+12S  i64[D]   sequences before each document, and at the end: 0, 1, ..., S
``NAME.meta``  One 40-byte record per document, ``META_DTYPE``.

``manifest.json`` names the shards with counts, sha256 of every file and xxh3-64 of every 1 MiB block of ``NAME.bin``,
the tokenizer, and the tables that the record's language, domain and source numbers point into.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
SUFFIXES = ("idx", "meta", "bin")
BLOCK_BYTES = 1 << 20  # a multiple of both token sizes, so that no token crosses a block's border

TOKEN_DTYPES: dict[str, np.dtype[Any]] = {"uint32": np.dtype("<u4"), "uint16": np.dtype("<u2")}
# Megatron has no code for uint32; int32 has the same bytes for ids below 2**31.
TOKEN_LIMITS = {"uint32": 2**31, "uint16": 2**16}
MEGATRON_CODES = {"uint32": 4, "uint16": 8}
MEGATRON_MAGIC = b"MMIDIDX\x00\x00"
MEGATRON_HEADER = struct.Struct("<9sQBQQ")

META_DTYPE = np.dtype(
    [
        ("address", "<u8"),  # part ordinal << 32 | row of the document in the run that wrote it
        ("content_hash", "V16"),  # xxh3-128 of the normalised text
        ("utf8_bytes", "<u8"),  # of the text
        ("language", "<u2"),  # into the manifest's ``languages``
        ("domain", "<u2"),  # into ``domains``
        ("source", "<u2"),  # into ``sources``
        ("tier", "u1"),  # quality tier: 0 where there is none, then 1 for the lowest; bounds in the recipe
        ("padding", "u1"),  # 0; makes the record 40 bytes
    ]
)
TABLES = {"language": "languages", "domain": "domains", "source": "sources"}


class ShardDamaged(RuntimeError):
    """A shard's bytes are not the ones its manifest describes."""


def offsets_of(lengths: NDArray[Any] | Sequence[int]) -> NDArray[np.int64]:
    """Where things of these lengths begin and end, one after the other: cumulative sums from 0, int64[n+1]."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def block_problem(path: object, shard: dict[str, Any], block: int, data: bytes | memoryview) -> str:
    """What is wrong with these bytes as a block of the file at ``path``, a shard's ``NAME.bin``; "" for nothing."""
    if xxhash.xxh3_64_hexdigest(data) == shard["blocks"][block]:
        return ""
    start, stop = block * BLOCK_BYTES, min((block + 1) * BLOCK_BYTES, shard["files"]["bin"]["bytes"])
    return (
        f"{path}: block {block}, bytes {start:,} to {stop - 1:,}, does not match its checksum: copy or write the shard "
        "again."
    )


def index_bytes(lengths: NDArray[np.int64], dtype: str) -> bytes:
    """The Megatron index of documents with ``lengths`` tokens, int64[S], stored as ``dtype`` ("uint32", "uint16")."""
    pointers = offsets_of(lengths * TOKEN_DTYPES[dtype].itemsize).astype("<i8", copy=False)
    header = MEGATRON_HEADER.pack(MEGATRON_MAGIC, 1, MEGATRON_CODES[dtype], lengths.size, lengths.size + 1)
    documents = np.arange(lengths.size + 1, dtype="<i8")
    return b"".join([header, lengths.astype("<i4").tobytes(), pointers[:-1].tobytes(), documents.tobytes()])


def parse_index(data: bytes, dtype: str, name: str) -> NDArray[np.int64]:
    """Document lengths in tokens, int64[S], of an index of ``dtype``; raises ShardDamaged unless all of it agrees."""
    count = (len(data) - MEGATRON_HEADER.size - 8) // 20
    if count >= 0:
        lengths = np.frombuffer(data, "<i4", count, MEGATRON_HEADER.size).astype(np.int64)
        if index_bytes(lengths, dtype) == data:
            return lengths
    raise ShardDamaged(f"{name} is not a Megatron index of {dtype} documents: rebuild the shard or copy it again.")


def checked_file(directory: str | Path, record: dict[str, Any], suffix: str) -> bytes:
    """The bytes of one of the small files of a shard, ``record`` in the manifest.

    Raises ShardDamaged when it is missing or not as the manifest says.
    """
    path = Path(directory, f"{record['name']}.{suffix}")
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != record["files"][suffix]["sha256"]:
        raise ShardDamaged(
            f"{path} is missing or does not match its sha256 in the manifest: copy or write the shard again."
        )
    return data


def canonical_json(content: Any) -> bytes:
    """One byte string per JSON value: sorted keys, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def dataset_fingerprint(shards: list[dict[str, Any]]) -> str:
    """The sha256 (hex) over the names, sizes and checksums of all shard files, in order."""
    return hashlib.sha256(canonical_json([[shard["name"], shard["files"]] for shard in shards])).hexdigest()


def manifest_checksum(manifest: dict[str, Any]) -> str:
    """The sha256 (hex) over a manifest without its own ``checksum``."""
    return hashlib.sha256(canonical_json({k: v for k, v in manifest.items() if k != "checksum"})).hexdigest()


def load_manifest(directory: str | Path) -> dict[str, Any]:
    """The checked manifest of ``directory``.

    Raises FileNotFoundError when there is none, ShardDamaged when it is not as written, ValueError for a newer format.
    """
    path = Path(directory) / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: it is no token dataset, or its job has not finished.")
    try:
        manifest = json.loads(path.read_bytes())
        version, checksum = manifest["format_version"], manifest["checksum"]
    except (ValueError, KeyError, TypeError) as error:
        raise ShardDamaged(f"{path} is not a shard manifest ({error!r}): copy or write it again.") from error
    if checksum != manifest_checksum(manifest):
        raise ShardDamaged(f"{path} does not match its own checksum: it was edited or damaged; write it again.")
    if version != FORMAT_VERSION:
        raise ValueError(f"{path} has format version {version}; this program reads version {FORMAT_VERSION}.")
    return dict(manifest)

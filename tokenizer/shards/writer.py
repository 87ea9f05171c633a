"""Writing token shards and their manifest, each file whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from tokenizer.shards.format import (
    BLOCK_BYTES,
    FORMAT_VERSION,
    MANIFEST,
    META_DTYPE,
    SUFFIXES,
    TABLES,
    TOKEN_DTYPES,
    TOKEN_LIMITS,
    canonical_json,
    dataset_fingerprint,
    index_bytes,
    manifest_checksum,
)

MAX_DOCUMENT_TOKENS = 2**31 - 1  # the Megatron index stores lengths as int32


def write_shard(
    directory: str | Path,
    name: str,
    tokens: NDArray[np.unsignedinteger[Any]],
    offsets: NDArray[np.int64],
    meta: NDArray[np.void],
    *,
    dtype: str = "uint32",
) -> dict[str, Any]:
    """Write the shard ``name`` (files NAME.idx, NAME.meta, then NAME.bin) and return its record for the manifest.

    Document i has ``tokens[offsets[i]:offsets[i + 1]]`` (tokens uint16/uint32[total], offsets int64[n+1]) and
    ``meta[i]`` (``META_DTYPE``[n]). ``dtype`` is the type on disk, "uint32" or "uint16". Documents without tokens
    are kept. The record holds counts, sizes, checksums, and tokens by language, domain and source number.
    Raises ValueError when the arguments disagree or an id does not fit.
    """
    _check(name, tokens, offsets, meta, dtype)
    lengths = np.diff(offsets)
    records = meta.copy()
    records["padding"] = 0
    contents: dict[str, Any] = {  # buffers of bytes
        "idx": index_bytes(lengths, dtype),
        "meta": _bytes_of(records),
        "bin": _bytes_of(np.ascontiguousarray(tokens, TOKEN_DTYPES[dtype])),
    }
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, Any]] = {}
    blocks: list[str] = []
    for suffix in SUFFIXES:
        sha256, blocks = _write_whole(directory / f"{name}.{suffix}", contents[suffix])  # those of ``bin`` come last
        files[suffix] = {"bytes": len(contents[suffix]), "sha256": sha256}
    return {
        "name": name,
        "dtype": dtype,
        "documents": int(lengths.size),
        "tokens": int(tokens.size),
        "utf8_bytes": int(meta["utf8_bytes"].sum()),
        "files": files,
        "blocks": blocks,
    } | {f"tokens_by_{field}": _tokens_by(meta[field], lengths) for field in TABLES}


def write_manifest(
    directory: str | Path,
    shards: Sequence[Mapping[str, Any]],
    *,
    tokenizer: Mapping[str, Any],
    languages: Sequence[str],
    domains: Sequence[str],
    sources: Sequence[str],
    recipe: Mapping[str, Any],
    parents: Sequence[Any] | Mapping[str, Any],
    every_document_ends: bool = True,
) -> dict[str, Any]:
    """Write ``manifest.json`` over the shard records of ``write_shard``, in the given order, and return it.

    ``tokenizer`` is ``tokenizer.export.tokenizer_info``. The tables give the names of the numbers in the shards' meta.
    ``recipe`` (resolved settings) and ``parents`` (fingerprints of the inputs) are kept as they are and must be JSON.
    ``every_document_ends`` says that each document ends with the end-of-text token.
    Raises ValueError without shards, or when shards disagree with each other, the tables or the tokenizer.
    """
    tables = {"languages": list(languages), "domains": list(domains), "sources": list(sources)}
    records = [dict(shard) for shard in shards]
    _check_records(records, tables, tokenizer)
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "dtype": records[0]["dtype"],
        "block_bytes": BLOCK_BYTES,
        "documents": sum(shard["documents"] for shard in records),
        "tokens": sum(shard["tokens"] for shard in records),
        "utf8_bytes": sum(shard["utf8_bytes"] for shard in records),
        "tokenizer": dict(tokenizer),
        "every_document_ends": every_document_ends,
        **tables,
        **{f"tokens_by_{field}": _by_name(records, field, tables[table]) for field, table in TABLES.items()},
        "shards": records,
        "fingerprint": dataset_fingerprint(records),
        "recipe": dict(recipe),
        "parents": dict(parents) if isinstance(parents, Mapping) else list(parents),
    }
    manifest = json.loads(canonical_json(manifest))  # what a reader will see, so that both hash the same
    manifest["checksum"] = manifest_checksum(manifest)
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    _write_whole(Path(directory) / MANIFEST, text.encode())
    return manifest


def _check(name: str, tokens: NDArray[Any], offsets: NDArray[np.int64], meta: NDArray[np.void], dtype: str) -> None:
    """Raise ValueError for arguments of ``write_shard`` that disagree."""
    where = f"Shard {name!r}"
    if dtype not in TOKEN_DTYPES:
        raise ValueError(f"{where}: dtype is {dtype!r}, not one of {list(TOKEN_DTYPES)}.")
    if not name or Path(name).name != name:
        raise ValueError(f"{where}: the name must be a plain file name.")
    if tokens.ndim != 1 or tokens.dtype.kind != "u":
        raise ValueError(f"{where}: tokens must be a flat unsigned array, not {tokens.dtype}{list(tokens.shape)}.")
    if offsets.ndim != 1 or offsets.size == 0 or offsets[0] != 0 or offsets[-1] != tokens.size:
        raise ValueError(f"{where}: offsets must run from 0 to the {tokens.size:,} tokens.")
    lengths = np.diff(offsets)
    if lengths.size and (lengths.min() < 0 or lengths.max() > MAX_DOCUMENT_TOKENS):
        raise ValueError(f"{where}: offsets must not decrease, nor a document exceed {MAX_DOCUMENT_TOKENS:,} tokens.")
    if meta.dtype != META_DTYPE or meta.shape != lengths.shape:
        raise ValueError(
            f"{where}: meta must be META_DTYPE[{lengths.size}], one record per document, "
            f"not {meta.dtype}{list(meta.shape)}."
        )
    if tokens.size and int(tokens.max()) >= TOKEN_LIMITS[dtype]:
        position = int(tokens.argmax())
        raise ValueError(
            f"{where}: token {position:,} is {int(tokens[position]):,}, too large for {dtype} shards "
            f"(below {TOKEN_LIMITS[dtype]:,})."
        )


def _check_records(
    records: list[dict[str, Any]], tables: Mapping[str, list[str]], tokenizer: Mapping[str, Any]
) -> None:
    """Raise ValueError for shard records that cannot share a manifest."""
    if not records:
        raise ValueError("There are no shards to put into a manifest: the job that writes them produced nothing.")
    repeated = [name for name, count in Counter(shard["name"] for shard in records).items() if count > 1]
    if repeated:
        raise ValueError(f"Shard names must be unique, but these repeat: {repeated}.")
    dtypes = {shard["dtype"] for shard in records}
    if len(dtypes) > 1:
        raise ValueError(f"All shards of a dataset have one dtype, but these have {sorted(dtypes)}.")
    limit = TOKEN_LIMITS[dtypes.pop()]
    if tokenizer["vocabulary_size"] > limit:
        raise ValueError(f"The vocabulary ({tokenizer['vocabulary_size']:,}) exceeds the dtype's {limit:,} ids.")
    for shard in records:
        for field, table in TABLES.items():
            beyond = [number for number in shard[f"tokens_by_{field}"] if int(number) >= len(tables[table])]
            if beyond:
                raise ValueError(
                    f"Shard {shard['name']!r} uses {field} {beyond[0]}, but {table} has {len(tables[table])} names."
                )


def _tokens_by(numbers: NDArray[np.uint16], lengths: NDArray[np.int64]) -> dict[str, int]:
    """Tokens per number that occurs, with the numbers as JSON keys."""
    present, positions = np.unique(numbers, return_inverse=True)
    totals = np.zeros(present.size, np.int64)
    np.add.at(totals, positions, lengths)
    return {str(number): int(total) for number, total in zip(present, totals, strict=True)}


def _by_name(records: list[dict[str, Any]], field: str, names: list[str]) -> dict[str, int]:
    """Tokens per name over all shards."""
    totals: Counter[str] = Counter()
    for shard in records:
        totals.update({names[int(number)]: tokens for number, tokens in shard[f"tokens_by_{field}"].items()})
    return dict(totals)


def _bytes_of(array: NDArray[Any]) -> Any:
    """The bytes of a contiguous array as a buffer, not copied."""
    return array.view(np.uint8).data if array.size else b""


def _write_whole(path: Path, data: Any) -> tuple[str, list[str]]:
    """Write under a temporary name, flush to the disk, then rename: ``path`` never holds half a file.

    ``data`` is a buffer of bytes. Returns the sha256 (hex) and the xxh3-64 (hex) of each block, computed while a block
    is in the processor's cache.
    """
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    sha256, blocks, view = hashlib.sha256(), [], memoryview(data)
    try:
        with temporary.open("wb", buffering=0) as file:
            for start in range(0, len(view), BLOCK_BYTES):
                block = view[start : start + BLOCK_BYTES]
                _write_all(file, block)
                sha256.update(block)
                blocks.append(xxhash.xxh3_64_hexdigest(block))
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself survives a power cut only after this
    finally:
        os.close(folder)
    return sha256.hexdigest(), blocks


def _write_all(file: io.RawIOBase, data: memoryview) -> None:
    """Write every byte; an unbuffered file may take fewer at a time."""
    while data:
        data = data[file.write(data) :]

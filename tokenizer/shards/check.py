"""Checking a token dataset as a whole: that its bytes are as written, and that they mean what the manifest says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tokenizer.pretokens import END_OF_TEXT
from tokenizer.shards import reader
from tokenizer.shards.format import MANIFEST, TABLES, ShardDamaged, load_manifest
from tokenizer.shards.walk import Shard, walk

COUNTS = ("documents", "tokens", "utf8_bytes")


def check(directory: str | Path) -> Iterator[str]:
    """All problems of the dataset in a local folder, none when it is whole.

    Damaged blocks by shard and range of bytes; files that the manifest does not know; and where every byte is as
    written, counts, numbers outside their tables, ids outside the vocabulary and documents that do not end.
    Raises FileNotFoundError without a manifest.
    """
    problems = reader.verify(directory)
    yield from problems
    if problems:
        return
    manifest = load_manifest(directory)
    yield from _strangers(Path(directory), manifest)
    totals = dict.fromkeys(COUNTS, 0)
    try:
        for shard in walk(directory, verify=False):
            yield from _shard_problems(shard, manifest)
            for name in COUNTS:
                totals[name] += shard.record[name]
    except ShardDamaged as error:
        yield str(error)
        return
    for name, total in totals.items():
        if manifest[name] != total:
            yield f"{directory}: the manifest says {manifest[name]:,} {name}, its shards have {total:,}"


def _strangers(directory: Path, manifest: dict[str, Any]) -> Iterator[str]:
    known = {f"{shard['name']}.{suffix}" for shard in manifest["shards"] for suffix in shard["files"]} | {MANIFEST}
    for path in sorted(directory.iterdir()):
        if path.name not in known:
            yield f"{path} is not in the manifest: no part of the dataset, remove it"


def _shard_problems(shard: Shard, manifest: dict[str, Any]) -> Iterator[str]:
    found = {
        "documents": shard.lengths.size,
        "tokens": shard.tokens.size,
        "utf8_bytes": int(shard.meta["utf8_bytes"].sum()),
    }
    for name, number in found.items():
        if number != shard.record[name]:
            yield f"{shard.name}: holds {number:,} {name}, the manifest says {shard.record[name]:,}"
    if shard.meta.size != shard.lengths.size or shard.lengths.sum() != shard.tokens.size:
        yield f"{shard.name}: its three files describe different documents"
        return
    for field, table in TABLES.items():
        beyond = np.flatnonzero(shard.meta[field] >= len(manifest[table]))
        if beyond.size:
            number = int(shard.meta[field][beyond[0]])
            names = len(manifest[table])
            yield f"{shard.name}: document {beyond[0]:,} has {field} {number}, but {table} has {names} names"
    size = manifest["tokenizer"]["vocabulary_size"]
    if shard.tokens.size and int(shard.tokens.max()) >= size:
        place = int(shard.tokens.argmax())
        yield f"{shard.name}: token {place:,} is {int(shard.tokens[place]):,}, outside the vocabulary of {size:,}"
    end = manifest["tokenizer"]["special_tokens"].get(END_OF_TEXT)
    if manifest["every_document_ends"] and end is not None and shard.tokens.size:
        last = np.maximum(shard.offsets[1:] - 1, 0)
        unended = np.flatnonzero((shard.lengths == 0) | (shard.tokens[last] != end))
        if unended.size:
            yield f"{shard.name}: {unended.size:,} documents do not end with {END_OF_TEXT}, the first is {unended[0]:,}"

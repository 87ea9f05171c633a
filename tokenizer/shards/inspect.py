"""Looking into a token dataset: a summary, statistics, and a document as text."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer.decoding import Decoder
from tokenizer.pretokens import END_OF_TEXT
from tokenizer.shards.format import TABLES, load_manifest
from tokenizer.shards.walk import walk

QUANTILES = {"min": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "99 %": 0.99, "max": 1.0}


def describe(directory: str | Path) -> dict[str, Any]:
    """What the manifest says, for people and reports, JSON-ready; reads nothing else."""
    manifest = load_manifest(directory)
    return {
        "directory": str(directory),
        "shards": len(manifest["shards"]),
        **{name: manifest[name] for name in ("documents", "tokens", "utf8_bytes", "dtype", "fingerprint")},
        "disk_bytes": sum(file["bytes"] for shard in manifest["shards"] for file in shard["files"].values()),
        "tokens_per_shard": [shard["tokens"] for shard in manifest["shards"]],
        **{name: manifest[name] for name in ("tokenizer", "every_document_ends", "recipe", "parents")},
        **{f"tokens_by_{field}": manifest[f"tokens_by_{field}"] for field in TABLES},
    }


def statistics(directory: str | Path) -> dict[str, Any]:
    """What the documents' records say, JSON-ready; goes through the shards one by one.

    ``by_language``, ``by_domain``, ``by_source``, ``by_tier``: of each name that occurs the ``documents``, ``tokens``,
    ``utf8_bytes`` and ``bytes_per_token``. ``lengths``: the least number of tokens that a share of the documents does
    not exceed, by the names of QUANTILES, and their ``mean``; None without documents. ``histogram``: documents and
    tokens of documents of at least 2**k tokens and fewer than 2**(k+1), by 2**k; documents without tokens under 0.
    Raises ShardDamaged for records that do not match the manifest.
    """
    manifest = load_manifest(directory)
    names = {field: manifest[table] for field, table in TABLES.items()} | {"tier": [str(tier) for tier in range(256)]}
    groups: dict[str, dict[str, Counter[str]]] = {field: {} for field in names}
    documents_of: Counter[int] = Counter()  # by length; there are far fewer lengths than documents
    for shard in walk(directory, with_tokens=False):
        documents_of.update(dict(zip(*(a.tolist() for a in np.unique(shard.lengths, return_counts=True)), strict=True)))
        for field, groups_of in groups.items():
            _count(groups_of, shard.meta[field], names[field], shard.lengths, shard.meta["utf8_bytes"])
    return {
        **{
            f"by_{field}": {name: _with_ratio(group) for name, group in sorted(g.items())}
            for field, g in groups.items()
        },
        "lengths": _lengths(documents_of),
        "histogram": _histogram(documents_of),
    }


def _count(
    groups: dict[str, Counter[str]],
    numbers: NDArray[Any],
    names: list[str],
    lengths: NDArray[np.int64],
    utf8_bytes: NDArray[np.uint64],
) -> None:
    present, group = np.unique(numbers, return_inverse=True)
    totals = np.zeros((3, present.size), np.int64)
    for row, amount in enumerate((np.ones_like(lengths), lengths, utf8_bytes.astype(np.int64))):
        np.add.at(totals[row], group, amount)
    for number, (documents, tokens, bytes_) in zip(present.tolist(), totals.T.tolist(), strict=True):
        counts = {"documents": documents, "tokens": tokens, "utf8_bytes": bytes_}
        groups.setdefault(names[number], Counter()).update(counts)


def _with_ratio(group: Counter[str]) -> dict[str, Any]:
    return {**group, "bytes_per_token": group["utf8_bytes"] / group["tokens"] if group["tokens"] else None}


def _lengths(documents_of: Counter[int]) -> dict[str, float] | None:
    if not documents_of:
        return None
    length, count = (np.array(values, np.int64) for values in zip(*sorted(documents_of.items()), strict=True))
    upto = np.cumsum(count)
    found = {name: int(length[np.searchsorted(upto, max(1, share * upto[-1]))]) for name, share in QUANTILES.items()}
    return found | {"mean": float((length * count).sum() / upto[-1])}


def _histogram(documents_of: Counter[int]) -> dict[str, dict[str, int]]:
    bars: dict[int, Counter[str]] = {}
    for length, count in documents_of.items():
        lower = 1 << (length.bit_length() - 1) if length else 0
        bars.setdefault(lower, Counter()).update({"documents": count, "tokens": length * count})
    return {str(lower): dict(bar) for lower, bar in sorted(bars.items())}


def shard_of(manifest: dict[str, Any], i: int) -> tuple[dict[str, Any], int]:
    """The manifest's entry of the shard that holds document ``i``, and the document's number in it.

    Raises IndexError when there is no such document.
    """
    within = i
    for record in manifest["shards"] if i >= 0 else ():
        if within < record["documents"]:
            return record, within
        within -= record["documents"]
    raise IndexError(f"Document {i:,} is not among the dataset's {manifest['documents']:,} documents.")


def decode_document(directory: str | Path, tokenizer_json: str | Path, i: int) -> str:
    """The text of document ``i``, without the end-of-text token that closes it; opens only the shard that holds it.

    Raises IndexError as ``shard_of``, ValueError when ``tokenizer_json`` is not the tokenizer the dataset was made
    with, and ShardDamaged.
    """
    manifest = load_manifest(directory)
    check_tokenizer(directory, manifest, tokenizer_json)
    record, within = shard_of(manifest, i)
    shard = next(walk(directory, only=record["name"]))
    tokens = shard.tokens[shard.offsets[within] : shard.offsets[within + 1]]
    if tokens.size and tokens[-1] == manifest["tokenizer"]["special_tokens"].get(END_OF_TEXT):
        tokens = tokens[:-1]
    text: str = Decoder(tokenizer_json).decode(tokens, np.array([0, tokens.size]))[0].as_py()
    return text


def check_tokenizer(directory: str | Path, manifest: dict[str, Any], tokenizer_json: str | Path) -> None:
    """Raise ValueError when ``tokenizer_json`` is not the tokenizer of the dataset."""
    found, expected = (
        hashlib.sha256(Path(tokenizer_json).read_bytes()).hexdigest(),
        manifest["tokenizer"]["fingerprint"],
    )
    if found != expected:
        raise ValueError(
            f"{tokenizer_json} (sha256 {found[:12]}...) is not the tokenizer of {directory} "
            f"(sha256 {expected[:12]}...): its ids would decode to other text."
        )

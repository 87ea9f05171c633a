"""Looking into a token dataset: a summary, and a document as text."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from tokenizer.encoding import Encoder
from tokenizer.shards.reader import ShardSet, open_shards


def describe(directory: str | Path) -> dict[str, Any]:
    """A summary of the dataset for people and reports, JSON-ready.

    Counts, size on disk, tokenizer, fingerprint, tokens per document (``min``, ``median``, ``mean``, ``max``; None
    without documents), and per language the ``documents``, ``tokens``, ``utf8_bytes`` and ``bytes_per_token``.
    """
    shards = open_shards(directory)
    manifest, lengths = shards.manifest, np.diff(shards.document_offsets)
    return {
        "directory": str(directory),
        "fingerprint": shards.fingerprint,
        "shards": len(manifest["shards"]),
        "dtype": manifest["dtype"],
        "documents": shards.num_documents,
        "tokens": shards.num_tokens,
        "utf8_bytes": manifest["utf8_bytes"],
        "disk_bytes": sum(file["bytes"] for shard in manifest["shards"] for file in shard["files"].values()),
        "tokenizer": manifest["tokenizer"],
        "tokens_per_document": {
            "min": int(lengths.min()),
            "median": float(np.median(lengths)),
            "mean": float(lengths.mean()),
            "max": int(lengths.max()),
        }
        if lengths.size
        else None,
        "languages": _by_language(shards),
        "tokens_by_domain": manifest["tokens_by_domain"],
        "tokens_by_source": manifest["tokens_by_source"],
    }


def decode_document(directory: str | Path, tokenizer_json: str | Path, i: int) -> str:
    """The text of document ``i``, without the end-of-text token that closes it.

    Raises ValueError when ``tokenizer_json`` is not the tokenizer the dataset was made with, and as ``ShardSet.read``.
    """
    shards = open_shards(directory)
    found = hashlib.sha256(Path(tokenizer_json).read_bytes()).hexdigest()
    expected = shards.manifest["tokenizer"]["fingerprint"]
    if found != expected:
        raise ValueError(
            f"{tokenizer_json} (sha256 {found[:12]}...) is not the tokenizer of {directory} "
            f"(sha256 {expected[:12]}...): its ids would decode to other text."
        )
    encoder, tokens = Encoder(tokenizer_json), shards.document(i)
    if tokens.size and tokens[-1] == encoder.end_of_text:
        tokens = tokens[:-1]
    return encoder.decode(tokens)


def _by_language(shards: ShardSet) -> dict[str, dict[str, Any]]:
    lengths, numbers = np.diff(shards.document_offsets), shards.meta["language"]
    rows = {}
    for number in np.unique(numbers):
        chosen = numbers == number
        tokens, utf8_bytes = int(lengths[chosen].sum()), int(shards.meta["utf8_bytes"][chosen].sum())
        rows[shards.languages[number]] = {
            "documents": int(chosen.sum()),
            "tokens": tokens,
            "utf8_bytes": utf8_bytes,
            "bytes_per_token": utf8_bytes / tokens if tokens else None,
        }
    return rows

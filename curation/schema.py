"""Column names and types of every dataset about documents, defined here and nowhere else."""

from __future__ import annotations

import pyarrow as pa

ADDRESS_ROW_BITS = 32
"""An address is ``part ordinal << 32 | row``: unique inside a run, and the key of every internal join."""

DOCUMENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),  # NFC, LF line ends, no control characters
        pa.field("source", pa.string(), nullable=False),  # name of the recipe input it came from
        pa.field("url", pa.string()),
        pa.field("domain", pa.string(), nullable=False),  # web, code, math, ...
        pa.field("license", pa.string()),
        pa.field("date", pa.string()),
        pa.field("metadata", pa.string()),  # JSON object of the columns the recipe asked to keep
        pa.field("address", pa.uint64(), nullable=False),
        pa.field("content_hash", pa.binary(16), nullable=False),  # xxh3-128 of the normalised text
    ]
)

DEAD = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("location", pa.string(), nullable=False),  # "row 17", "line at byte 1234", "file"
        pa.field("records", pa.int64(), nullable=False),  # records lost here; 1 for a bad record or an unreadable file
        pa.field("error", pa.string(), nullable=False),
        pa.field("sample", pa.string()),  # first bytes of what could not be read
    ]
)

DUPLICATES = pa.schema(
    [
        pa.field("address", pa.uint64(), nullable=False),
        pa.field("candidates", pa.uint64(), nullable=False),  # smallest address of the LSH component it was found in
        pa.field("cluster", pa.uint64(), nullable=False),  # smallest address of its verified cluster; its own if alone
        pa.field("cluster_size", pa.uint32(), nullable=False),
        pa.field("keeper", pa.uint64(), nullable=False),  # address of the document kept for the cluster
        pa.field("rank", pa.uint32(), nullable=False),  # place in its cluster's order of preference; 0 for the keeper
        pa.field("match", pa.string()),  # how it equals the keeper: exact, near, url; null for keepers
        pa.field("similarity", pa.float32()),  # estimated Jaccard similarity to the keeper; null for keepers
        pa.field("earlier_id", pa.string()),  # id of the keeper where it is a document of an earlier run
    ]
)

REMOVED = pa.list_(
    pa.struct(
        [
            pa.field("start", pa.uint32(), nullable=False),  # bytes of the text in documents/, at ends of characters
            pa.field("stop", pa.uint32(), nullable=False),
            pa.field("rules", pa.list_(pa.string()), nullable=False),  # every rule that rejects the lines of the span
        ]
    )
)
"""Spans of lines that the policy leaves out of a document, in order and apart. A span holds its lines with a line end
each and the blank lines that go with them, so that the text without the spans has neither rests nor gaps."""

DECISIONS = pa.schema(
    [
        pa.field("address", pa.uint64(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("utf8_bytes", pa.uint64(), nullable=False),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),  # every failing rule; empty when kept
        pa.field("removed", REMOVED, nullable=False),  # also of documents rejected for it; else empty when rejected
    ]
)

CURATED = pa.schema(
    [
        *DOCUMENTS,  # text is without the removed lines; id and content_hash are those of the document before
        pa.field("language", pa.string(), nullable=False),
        pa.field("language_score", pa.float32(), nullable=False),
        pa.field("cluster_size", pa.uint32(), nullable=False),
        pa.field("copies", pa.uint8(), nullable=False),  # times the mixture uses the document in one epoch
        pa.field("removed_bytes", pa.uint32(), nullable=False),  # of lines that the policy left out of the text
    ]
)

REJECTED = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("address", pa.uint64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),
        pa.field("keeper", pa.uint64()),  # the document kept instead, for duplicates
        pa.field("text", pa.large_string()),  # kept for a sample of the rejected documents, else null
    ]
)


def addresses(part: int, rows: int) -> pa.Array:
    """Addresses of the first ``rows`` rows of a part: uint64[rows]."""
    import numpy as np

    return pa.array(np.uint64(part << ADDRESS_ROW_BITS) + np.arange(rows, dtype=np.uint64))

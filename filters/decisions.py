"""Decisions: every failing reason of every document, from its signals and its place among the duplicates, and the
lines that are left out of documents that pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation import schema
from curation.languages import CODE
from curation.recipe import Copies
from filters.line_rules import REMOVED_REASON, LineCleaner
from filters.policy import Policy

LANGUAGE = "language.not_selected"
EXACT = "dedup.exact"
NEAR = "dedup.near"
SAME_URL = "dedup.url"
ALL_COPIES = "dedup.all_copies"
"""Of the best copy, where the recipe keeps none of a cluster."""
DOWNSAMPLED = "mixture.downsampled"
WEB = "web"
"""The domain whose documents get another by their kind of mixture."""
DUPLICATE_REASONS = (EXACT, NEAR, SAME_URL, ALL_COPIES)


def decide(
    signals: pa.Table, duplicates: pa.Table, policy: Policy, languages: list[str], copies: Copies = 1
) -> pa.Table:
    """DECISIONS of one part, row-aligned with its signals; no line is removed yet.

    Of each cluster the first ``copies`` in its order of preference are kept; with 0, none of two or more.
    """
    frame = pl.from_arrow(signals.drop_columns(["bands", "sketch", "content_hash"]))
    assert isinstance(frame, pl.DataFrame)
    cluster = pl.from_arrow(duplicates.select(["match", "rank", "cluster_size"]))
    assert isinstance(cluster, pl.DataFrame)
    foreign = ~pl.col("language").is_in([*languages, CODE])
    extra = pl.concat_list(
        pl.when(foreign).then(pl.lit(LANGUAGE)),
        _duplicate_reason(copies),
    ).list.drop_nulls()
    domain = pl.col("domain")
    for kind, own in policy.kind_domains.items():
        moves = (pl.col("domain") == WEB) & (pl.col("mixture_kind") == kind)
        domain = pl.when(moves).then(pl.lit(own)).otherwise(domain)
    decided = frame.with_columns(cluster.get_columns()).select(
        "address", "language", domain.alias("domain"), "utf8_bytes", reasons=pl.concat_list(policy.reasons(), extra)
    )
    table = decided.to_arrow().append_column("removed", _no_spans(decided.height))
    return table.cast(schema.DECISIONS)


def _duplicate_reason(copies: Copies) -> pl.Expr:
    if copies == "all":
        return pl.lit(None, pl.String)
    reason = pl.lit("dedup.") + pl.col("match")
    if copies:
        return pl.when(pl.col("rank") >= copies).then(reason)
    return pl.when(pl.col("cluster_size") > 1).then(pl.coalesce(reason, pl.lit(ALL_COPIES))).otherwise(reason)


def _no_spans(rows: int) -> pa.ListArray:
    offsets = pa.array(np.zeros(rows + 1, np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array([], schema.REMOVED.value_type)).cast(schema.REMOVED)


def clean(
    decisions: pa.Table,
    documents: Iterable[pa.RecordBatch],
    domains: list[str],
    cleaner: LineCleaner,
    kinds: pa.ChunkedArray | pa.Array | None = None,
) -> pa.Table:
    """DECISIONS with the lines that are left out of each document that fails nothing else.

    Args:
        decisions: of one part, by `decide`.
        documents: batches of its ``text``, row for row.
        domains: those with line rules; the text of other documents is not scanned.
        cleaner: applies the rules.
        kinds: string[rows], the signal ``mixture_kind``; null: none has foreign boilerplate.
    """
    kept = pc.equal(pc.list_value_length(decisions["reasons"]), 0)
    chosen = pc.and_(kept, pc.is_in(decisions["domain"], pa.array(domains, pa.string()))).to_numpy()
    pieces, row = [], 0
    for batch in documents:
        piece = decisions.slice(row, batch.num_rows)
        rows = np.flatnonzero(chosen[row : row + batch.num_rows])
        own_kinds = None if kinds is None else kinds.slice(row, batch.num_rows)
        pieces.append(_cleaned(piece, batch["text"], rows, cleaner, own_kinds) if len(rows) else piece)
        row += batch.num_rows
    return pa.concat_tables(pieces) if pieces else decisions


def _cleaned(
    piece: pa.Table, text: pa.Array, rows: np.ndarray, cleaner: LineCleaner, kinds: pa.ChunkedArray | None
) -> pa.Table:
    """Decisions of a batch with the documents ``rows``, none of which has a reason yet, cleaned."""
    taken = piece.take(pa.array(rows))
    own_kinds = None if kinds is None else kinds.take(pa.array(rows)).to_pylist()
    found = cleaner.clean(
        text.take(pa.array(rows)), taken["language"].to_pylist(), taken["domain"].to_pylist(), own_kinds
    )
    n = piece.num_rows
    spans, rejected = np.full(n, len(rows)), np.zeros(n, bool)
    spans[rows], rejected[rows] = np.arange(len(rows)), found.rejected
    removed = pa.concat_arrays([found.removed, _no_spans(1)]).take(pa.array(spans))
    reasons = piece["reasons"].combine_chunks()
    reason = pa.array([[REMOVED_REASON]], reasons.type)
    reasons = pa.concat_arrays([reasons, reason]).take(pa.array(np.where(rejected, n, np.arange(n))))
    columns = {name: piece[name] for name in piece.schema.names} | {"reasons": reasons, "removed": removed}
    return pa.table(list(columns.values()), piece.schema)


def removed_bytes() -> pl.Expr:
    """Bytes of the lines left out of a document, from the column ``removed`` of DECISIONS: uint64."""
    span = pl.element().struct
    return pl.col("removed").list.eval(span.field("stop") - span.field("start")).list.sum().cast(pl.UInt64)


def funnel(decisions: pa.Table) -> list[dict[str, Any]]:
    """One row per language and domain: documents and bytes at each step, and how many documents each reason fails.

    The steps are taken in order: a document that fails a rule is counted as rejected by the policy whether or not it
    is also a duplicate. ``reasons`` counts every reason of every document. ``cleaned`` are the documents that pass
    without some of their lines, ``removed_bytes`` the bytes of these; they are not among ``passed_bytes``.
    """
    frame = pl.from_arrow(decisions)
    assert isinstance(frame, pl.DataFrame)
    is_duplicate = pl.element().is_in(DUPLICATE_REASONS)
    passes = pl.col("reasons").list.eval(pl.element().filter(~is_duplicate)).list.len() == 0
    kept = pl.col("reasons").list.len() == 0
    rows = (
        frame.with_columns(removed_bytes=removed_bytes())
        .group_by("language", "domain")
        .agg(
            documents=pl.len(),
            bytes=pl.col("utf8_bytes").sum(),
            rejected=(~passes).sum(),
            duplicates=(passes & ~kept).sum(),
            passed=kept.sum(),
            passed_bytes=(pl.col("utf8_bytes") - pl.col("removed_bytes")).filter(kept).sum(),
            cleaned=(kept & (pl.col("removed").list.len() > 0)).sum(),
            removed_bytes=pl.col("removed_bytes").filter(kept).sum(),
            reasons=pl.col("reasons").explode().drop_nulls().value_counts(),
        )
        .sort("language", "domain")
        .to_dicts()
    )
    for row in rows:
        row["reasons"] = {item["reasons"]: item["count"] for item in sorted(row["reasons"], key=lambda i: i["reasons"])}
    return rows


def merge(funnels: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Funnels of several parts added up."""
    total: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (row for rows in funnels for row in rows):
        group = (row["language"], row["domain"])
        into = total.setdefault(group, {"language": group[0], "domain": group[1], "reasons": {}})
        for name, value in row.items():
            if isinstance(value, int):
                into[name] = into.get(name, 0) + value
        for reason, count in row["reasons"].items():
            into["reasons"][reason] = into["reasons"].get(reason, 0) + count
    for row in total.values():
        row["reasons"] = dict(sorted(row["reasons"].items()))
    return [row for _, row in sorted(total.items())]

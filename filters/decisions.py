"""Decisions: every failing reason of every document, from its signals and its place among the duplicates."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from curation import schema
from curation.languages import CODE
from filters.policy import Policy

LANGUAGE = "language.not_selected"
EXACT = "dedup.exact"
NEAR = "dedup.near"
DOWNSAMPLED = "mixture.downsampled"
DUPLICATE_REASONS = (EXACT, NEAR)


def decide(signals: pa.Table, duplicates: pa.Table, policy: Policy, languages: list[str]) -> pa.Table:
    """DECISIONS of one part, row-aligned with its signals."""
    frame = pl.from_arrow(signals.drop_columns(["bands", "sketch", "content_hash"]))
    assert isinstance(frame, pl.DataFrame)
    match = pl.from_arrow(duplicates["match"].combine_chunks())
    assert isinstance(match, pl.Series)
    foreign = ~pl.col("language").is_in([*languages, CODE])
    extra = pl.concat_list(
        pl.when(foreign).then(pl.lit(LANGUAGE)),
        pl.when(pl.col("match") == "exact").then(pl.lit(EXACT)).when(pl.col("match") == "near").then(pl.lit(NEAR)),
    ).list.drop_nulls()
    decided = frame.with_columns(match.alias("match")).select(
        "address", "language", "domain", "utf8_bytes", reasons=pl.concat_list(policy.reasons(), extra)
    )
    return decided.to_arrow().cast(schema.DECISIONS)


def funnel(decisions: pa.Table) -> list[dict[str, Any]]:
    """One row per language and domain: documents and bytes at each step, and how many documents each reason fails.

    The steps are taken in order: a document that fails a rule is counted as rejected by the policy whether or not it
    is also a duplicate. ``reasons`` counts every reason of every document.
    """
    frame = pl.from_arrow(decisions)
    assert isinstance(frame, pl.DataFrame)
    is_duplicate = pl.element().is_in(DUPLICATE_REASONS)
    passes = pl.col("reasons").list.eval(pl.element().filter(~is_duplicate)).list.len() == 0
    kept = pl.col("reasons").list.len() == 0
    rows = (
        frame.group_by("language", "domain")
        .agg(
            documents=pl.len(),
            bytes=pl.col("utf8_bytes").sum(),
            rejected=(~passes).sum(),
            duplicates=(passes & ~kept).sum(),
            passed=kept.sum(),
            passed_bytes=pl.col("utf8_bytes").filter(kept).sum(),
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

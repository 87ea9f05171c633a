"""Rehydration: keepers of clusters of some sizes are used more often than others.

FineWeb 2 (Penedo et al. 2025, arXiv:2506.20920, section 3.5) takes the share of keepers that the filters reject, by
size of cluster, as a measure of the quality of these documents: sizes at or above the rate of all keepers have weight
1, the size with the lowest rate the greatest weight, others lie on the line between; rates are smoothed over 5 sizes.
Here neighbouring sizes are joined until they hold `LEAST_KEEPERS`, so that weights do not follow single documents.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa

from curation.mixture import Group
from curation.recipe import Rehydration
from filters.decisions import DUPLICATE_REASONS, LANGUAGE, removed_bytes

Weights = dict[str, list[tuple[int, float]]]
"""By language: sizes of clusters, and the weight of keepers from that size on."""
LEAST_KEEPERS = 100
WINDOW = 5


def sizes(decisions: pa.Table, duplicates: pa.Table) -> pl.DataFrame:
    """Keepers of one part by language, domain and size of cluster: how many, how many pass, and the bytes of these.

    Documents of languages that are not selected do not count.
    """
    decided, cluster = pl.from_arrow(decisions), pl.from_arrow(duplicates.select(["rank", "cluster_size"]))
    assert isinstance(decided, pl.DataFrame) and isinstance(cluster, pl.DataFrame)
    frame = decided.with_columns(cluster.get_columns()).filter(pl.col("rank") == 0)
    frame = frame.filter(~pl.col("reasons").list.contains(LANGUAGE))
    passes = pl.col("reasons").list.eval(pl.element().filter(~pl.element().is_in(DUPLICATE_REASONS))).list.len() == 0
    return (
        frame.with_columns(left=pl.col("utf8_bytes") - removed_bytes())
        .group_by("language", "domain", "cluster_size")
        .agg(keepers=pl.len().cast(pl.Int64), passed=passes.sum().cast(pl.Int64),
             bytes=pl.col("left").filter(passes).sum().cast(pl.Int64))
    )  # fmt: skip


def merge(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The counts of all parts added up, in order."""
    keys = ["language", "domain", "cluster_size"]
    return pl.concat(parts).group_by(keys).agg(pl.col("keepers", "passed", "bytes").sum()).sort(keys)


def weights(counts: pl.DataFrame, settings: Rehydration) -> Weights:
    """Weights of the keepers of every language, from the counts of `merge` or as the recipe gives them."""
    languages = counts["language"].unique(maintain_order=True).to_list()
    if settings.sizes is not None:
        given = sorted(settings.sizes.items())
        return {language: given if given[0][0] == 1 else [(1, 1.0), *given] for language in languages}
    by_size = counts.group_by("language", "cluster_size").agg(pl.col("keepers", "passed").sum()).sort("cluster_size")
    out: Weights = {}
    for language in languages:
        own = by_size.filter(pl.col("language") == language)
        size, keepers, passed = (own[name].to_numpy() for name in ("cluster_size", "keepers", "passed"))
        out[language] = own_weights(size, keepers, passed, settings.max_weight)
    return out


def own_weights(
    size: np.ndarray, keepers: np.ndarray, passed: np.ndarray, max_weight: float
) -> list[tuple[int, float]]:
    """Weights of one language from its rates of rejection: int64[sizes] each, sizes ascending."""
    starts = [0]
    for at in range(len(size)):
        if keepers[starts[-1] : at].sum() >= LEAST_KEEPERS and keepers[at:].sum() >= LEAST_KEEPERS:
            starts.append(at)
    bounds = [*starts, len(size)]
    rate = np.array([1 - passed[a:b].sum() / keepers[a:b].sum() for a, b in pairwise(bounds)])
    smooth = rate.copy()
    half = WINDOW // 2
    for i in range(half, len(rate) - half):  # the edges stay as they are
        smooth[i] = rate[i - half : i + half + 1].mean()
    overall, least = 1 - passed.sum() / keepers.sum(), smooth.min()
    room = overall - least
    weight = 1 + (max_weight - 1) * np.clip((overall - smooth) / room, 0, 1) if room > 0 else np.ones(len(rate))
    first = [1, *(int(size[a]) for a in starts[1:])]
    return list(zip(first, weight.tolist(), strict=True))


def weights_of(languages: pa.ChunkedArray, cluster_size: pa.ChunkedArray, weights: Weights) -> np.ndarray:
    """The weight of each of n documents: float64[n]."""
    out = np.ones(len(languages))
    names, size = np.array(languages.to_pylist(), object), cluster_size.to_numpy()
    for language, steps in weights.items():
        rows = names == language
        first, weight = (np.array(column) for column in zip(*steps, strict=True))
        out[rows] = weight[np.searchsorted(first, size[rows], side="right") - 1]
    return out


def weighted_bytes(counts: pl.DataFrame, weights: Weights) -> dict[Group, float]:
    """Bytes of the keepers that pass, times their weights, by language and domain."""
    languages, cluster_size = (counts[name].to_arrow() for name in ("language", "cluster_size"))
    weight = weights_of(pa.chunked_array([languages]), pa.chunked_array([cluster_size]), weights)
    total = counts.with_columns(weighted=pl.col("bytes") * pl.Series(weight))
    summed = total.group_by("language", "domain", maintain_order=True).agg(pl.col("weighted").sum())
    return {(row["language"], row["domain"]): row["weighted"] for row in summed.to_dicts()}

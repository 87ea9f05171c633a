"""Weights of keepers by the size of their cluster, and copies of a cluster that are kept."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from curation.recipe import Rehydration
from filters import rehydration
from filters.decisions import decide
from filters.policy import parse_policy


def _steps(rates: list[float], keepers: int = 1000, most: float = 10) -> list[tuple[int, float]]:
    size = np.arange(1, len(rates) + 1)
    passed = np.array([round(keepers * (1 - rate)) for rate in rates])
    return rehydration.own_weights(size, np.full(len(rates), keepers), passed, most)


def test_the_least_rejected_size_has_the_greatest_weight_and_bad_ones_one() -> None:
    steps = dict(_steps([0.5, 0.4, 0.3, 0.2, 0.3, 0.6, 0.9, 0.9, 0.9]))
    smooth = [0.5, 0.4, 0.34, 0.36, 0.46, 0.58, 0.72, 0.9, 0.9]  # means of five, not at the edges
    overall = np.mean([0.5, 0.4, 0.3, 0.2, 0.3, 0.6, 0.9, 0.9, 0.9])
    expected = [1 + 9 * min(1, max(0, (overall - rate) / (overall - 0.34))) for rate in smooth]
    assert list(steps) == list(range(1, 10))
    assert list(steps.values()) == pytest.approx(expected)
    assert max(steps.values()) == 10 and steps[9] == 1


def test_equal_rates_give_no_size_more() -> None:
    assert {weight for _, weight in _steps([0.3] * 6)} == {1.0}


def test_rare_sizes_are_joined() -> None:
    size, keepers = np.array([1, 2, 3, 4, 9, 50]), np.array([5000, 90, 20, 60, 30, 30])
    steps = rehydration.own_weights(size, keepers, keepers // 2, 5)
    assert [first for first, _ in steps] == [1, 2, 4]


def test_weights_reach_documents_by_language_and_size() -> None:
    weights: rehydration.Weights = {"de": [(1, 1.0), (3, 4.0)], "fr": [(1, 2.0)]}
    languages, size = pa.chunked_array([["de", "de", "de", "fr", "it"]]), pa.chunked_array([[1, 3, 8, 2, 2]])
    assert rehydration.weights_of(languages, size, weights).tolist() == [1, 4, 4, 2, 1]


def test_given_sizes_hold_for_every_language_and_weigh_bytes() -> None:
    counts = pl.DataFrame({"language": ["de", "de", "fr"], "domain": ["web"] * 3, "cluster_size": [1, 5, 2],
                           "keepers": [3, 1, 1], "passed": [3, 1, 1], "bytes": [300, 50, 20]})  # fmt: skip
    weights = rehydration.weights(counts, Rehydration(sizes={2: 3.0, 5: 8.0}))
    assert weights["fr"] == [(1, 1.0), (2, 3.0), (5, 8.0)]
    assert rehydration.weighted_bytes(counts, weights) == {("de", "web"): 700.0, ("fr", "web"): 60.0}


@pytest.mark.parametrize(("copies", "kept"), [(1, "ac"), (2, "abc"), (0, "c"), ("all", "abcd")])
def test_copies_of_a_cluster_that_are_kept(copies, kept: str) -> None:
    policy = parse_policy({"name": "none", "domains": {}}, "here")
    signals = pa.table({"address": pa.array([0, 1, 2, 3], pa.uint64()), "language": ["en"] * 4, "domain": ["web"] * 4,
                        "utf8_bytes": pa.array([5] * 4, pa.uint64()), "mixture_kind": ["monolingual"] * 4,
                        "bands": [0] * 4, "sketch": [0] * 4, "content_hash": [0] * 4})  # fmt: skip
    duplicates = pa.table({"match": pa.array([None, "near", None, "exact"]), "rank": [0, 1, 0, 2],
                           "cluster_size": [3, 3, 1, 3]})  # fmt: skip
    reasons = decide(signals, duplicates, policy, ["en"], copies)["reasons"].to_pylist()
    assert "".join(name for name, found in zip("abcd", reasons, strict=True) if not found) == kept
    if copies == 0:
        assert reasons == [["dedup.all_copies"], ["dedup.near"], [], ["dedup.exact"]]

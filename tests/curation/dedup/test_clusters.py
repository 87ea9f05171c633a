"""Clusters against brute force: stars, components, verified clusters and their keepers."""

import random
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.dedup.clusters import (
    CANDIDATES,
    choose_keepers,
    components,
    fill_part,
    keys_of,
    partition_of,
    parts_of,
    star_edges,
)
from curation.dedup.minhash import sketch_similarity
from curation.schema import DUPLICATES, addresses

pairs = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 25)), max_size=40)


def connected(groups: list[set[int]]) -> dict[int, int]:
    """Brute force: merge groups that share a member until none do; member -> smallest member of its component."""
    merged = True
    while merged:
        merged = False
        for a, b in combinations(range(len(groups)), 2):
            if groups[a] & groups[b]:
                groups[a] |= groups.pop(b)
                merged = True
                break
    return {member: min(group) for group in groups for member in group}


def as_arrays(values: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(values, np.uint64).reshape(-1, 2)
    return array[:, 0].copy(), array[:, 1].copy()


@settings(deadline=None, max_examples=200)
@given(pairs, st.randoms(use_true_random=False))
@example([(0, 5), (0, 4), (1, 4), (1, 3), (2, 3), (2, 1)], random.Random(0))
def test_stars_and_components_equal_brute_force(values: list[tuple[int, int]], shuffler: random.Random) -> None:
    """Documents joined by chains of equal keys get one number, whatever the order of the rows and the partition."""
    keys, owners = as_arrays(values)
    edges = star_edges(keys, owners)
    shuffler.shuffle(values)
    assert star_edges(*as_arrays(values)).equals(edges)

    by_key = [{a for k, a in values if k == key} for key in {k for k, _ in values}]
    expected_edges = sorted({(a, min(group)) for group in by_key for a in group if a != min(group)})
    assert list(zip(*[column.to_pylist() for column in edges.columns], strict=True)) == expected_edges

    found = components(edges["address"].to_numpy(), edges["smallest"].to_numpy())
    expected = {a: root for a, root in connected([g for g in by_key if len(g) > 1]).items()}
    assert dict(zip(found["address"].to_pylist(), found["candidates"].to_pylist(), strict=True)) == expected
    assert found["address"].to_pylist() == sorted(expected)

    shuffled = list(zip(edges["address"].to_pylist(), edges["smallest"].to_pylist(), strict=True)) * 2
    shuffler.shuffle(shuffled)
    assert components(*as_arrays(shuffled)).equals(found)


def test_a_long_chain_is_one_component() -> None:
    """The worst case for union-find, in the worst order."""
    chain = np.arange(50_000, dtype=np.uint64)
    found = components(chain[1:][::-1].copy(), chain[:-1][::-1].copy())
    assert not found["candidates"].to_numpy().any()


def test_partitions_are_even_and_follow_the_key() -> None:
    keys = np.random.default_rng(0).integers(0, 2**64, 100_000, np.uint64)
    for partitions in (1, 7, 64):
        number = partition_of(keys, partitions)
        counts = np.bincount(number, minlength=partitions)
        assert len(counts) == partitions and counts.min() > 0.9 * len(keys) / partitions
    assert partition_of(np.array([0, 2**64 - 1], np.uint64), 4096).tolist() == [0, 4095]


def test_keys_hold_each_band_and_the_content_hash_once() -> None:
    address = pa.array([10, 11, 12], pa.uint64())
    bands = pa.array([[1, 2], [], [3, 4]], pa.list_(pa.uint64()))
    content = pa.array([bytes([i]) * 16 for i in (1, 2, 1)], pa.binary(16))
    found = keys_of(address, bands, content).to_pylist()
    halves = {i: int.from_bytes(bytes([i]) * 8, "little") for i in (1, 2)}
    expected = {(1, 10), (2, 10), (3, 12), (4, 12), (halves[1], 10), (halves[2], 11), (halves[1], 12)}
    assert {(row["key"], row["address"]) for row in found} == expected and len(found) == len(expected)
    sliced = keys_of(address.slice(1), bands.slice(1), content.slice(1)).to_pylist()
    assert {(row["key"], row["address"]) for row in sliced} == {pair for pair in expected if pair[1] != 10}


WIDTH = 16
document = st.fixed_dictionaries(
    {
        "candidates": st.integers(0, 2),
        "failing": st.integers(0, 1),
        "characters": st.integers(1, 3),
        "id": st.sampled_from("abc"),
        "content_hash": st.integers(0, 5).map(lambda i: bytes([i]) * 16),
        "sketch": st.integers(0, WIDTH).map(lambda k: bytes(k) + bytes(range(1, WIDTH - k + 1))),
    }
)


def table_of(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist([{**row, "address": 100 + i} for i, row in enumerate(rows)], schema=CANDIDATES)


def brute_force(rows: list[dict], least: float) -> dict[int, dict]:
    """The definition, word for word: the best document left keeps all that equal it or are similar enough to it."""
    out: dict[int, dict] = {}
    for component in {row["candidates"] for row in rows}:
        left = sorted(
            (row for row in rows if row["candidates"] == component),
            key=lambda r: (r["failing"], -r["characters"], r["id"], r["address"]),
        )
        while left:
            keeper, cluster = left[0], [left[0]]
            for row in left[1:]:
                equal = sum(a == b for a, b in zip(keeper["sketch"], row["sketch"], strict=True))
                row["similarity"] = float(sketch_similarity(np.array(equal), WIDTH))
                if row["content_hash"] == keeper["content_hash"] or row["similarity"] >= least:
                    cluster.append(row)
            for row in cluster:
                alone = row is keeper
                exact = row["content_hash"] == keeper["content_hash"]
                out[row["address"]] = {
                    "candidates": component,
                    "cluster": min(r["address"] for r in cluster),
                    "cluster_size": len(cluster),
                    "keeper": keeper["address"],
                    "match": None if alone else "exact" if exact else "near",
                    "similarity": None if alone else 1.0 if exact else pytest.approx(row["similarity"], abs=1e-6),
                }
            left = [row for row in left if row["address"] not in out]
    return out


@settings(deadline=None, max_examples=100)
@given(st.lists(document, min_size=1, max_size=12), st.sampled_from([0.05, 0.33, 0.71, 0.97]), st.data())
def test_keepers_equal_brute_force_in_any_order(rows: list[dict], least: float, data) -> None:
    table = table_of(rows)
    found = choose_keepers(table, least)
    assert found.schema.equals(DUPLICATES)
    expected = brute_force(table.to_pylist(), least)
    assert found["address"].to_pylist() == sorted(expected)
    for row in found.to_pylist():
        assert {name: row[name] for name in expected[row["address"]]} == expected[row["address"]]
    order = data.draw(st.permutations(range(len(rows))))
    assert choose_keepers(table.take(pa.array(order)), least).equals(found)


def test_no_candidates_give_no_members() -> None:
    assert choose_keepers(CANDIDATES.empty_table(), 0.7).num_rows == 0


def test_fill_part_adds_every_document_that_is_alone() -> None:
    part, base = 3, 3 << 32
    rows = [
        {"address": base + 4, "candidates": 7, "cluster": 8, "cluster_size": 3, "keeper": 8, "match": "near",
         "similarity": 0.75},
        {"address": base + 1, "candidates": base + 1, "cluster": base + 1, "cluster_size": 2, "keeper": base + 1,
         "match": None, "similarity": None},
    ]  # fmt: skip
    found = fill_part(pa.Table.from_pylist(rows, schema=DUPLICATES), part, 6)
    assert found.schema.equals(DUPLICATES)
    by_address = {row["address"]: row for row in rows}
    for i, row in enumerate(found.to_pylist()):
        own = base + i
        alone = {"address": own, "candidates": own, "cluster": own, "cluster_size": 1, "keeper": own, "match": None,
                 "similarity": None}  # fmt: skip
        assert row == by_address.get(own, alone)
    assert fill_part(DUPLICATES.empty_table(), 0, 2)["cluster"].to_pylist() == [0, 1]
    assert fill_part(DUPLICATES.empty_table(), 5, 0).num_rows == 0


def test_addresses_hold_part_and_row() -> None:
    found = addresses(9, 3).to_numpy()
    assert found.dtype == np.uint64 and (found & np.uint64(0xFFFFFFFF)).tolist() == [0, 1, 2]
    assert parts_of(found).tolist() == [9, 9, 9]

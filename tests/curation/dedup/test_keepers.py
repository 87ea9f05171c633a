"""Which documents are merged into which, against a plain reading of the rule; and that order of rows plays no part."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup.keepers import candidates_schema, choose_keepers, fill_part, parts_of
from curation.dedup.minhash import sketch_similarity
from curation.schema import DUPLICATES, addresses

SCHEMA = candidates_schema(2)
WIDTH = 16
OLD = 1 << 63

document = st.fixed_dictionaries({
    "sketch": st.lists(st.integers(0, 1), min_size=WIDTH, max_size=WIDTH).map(bytes),
    "keys": st.lists(st.integers(0, 6), max_size=3, unique=True),
    "content": st.integers(0, 9), "url_hash": st.integers(0, 3), "id": st.sampled_from("abc"),
    "preference_0": st.one_of(st.none(), st.sampled_from([0.0, 1.0])), "preference_1": st.sampled_from([-5.0, 3.0]),
    "shingles": st.none() | st.lists(st.integers(0, 9), unique=True).map(sorted),
})  # fmt: skip


def table_of(rows: list[dict], exact: bool) -> pa.Table:
    made = []
    for number, row in enumerate(rows):
        facts = {name: row[name] for name in ("sketch", "keys", "url_hash", "id", "preference_0", "preference_1")}
        made.append(facts | {"address": number, "candidates": 0, "keeper": number, "cluster_size": 0,
                             "content_hash": bytes([row["content"]]) * 16,
                             "shingles": row["shingles"] if exact else None})  # fmt: skip
    return pa.Table.from_pylist(made, schema=SCHEMA)


def order_of(row: dict) -> tuple:
    first = row["preference_0"]
    return (first is None, first or 0.0, row["preference_1"], row["id"], row["content_hash"], row["address"])


def likeness(a: dict, b: dict, least: float) -> tuple[str, float] | None:
    if a["content_hash"] == b["content_hash"]:
        return "exact", 1.0
    equal = sum(x == y for x, y in zip(a["sketch"], b["sketch"], strict=True))
    value = float(sketch_similarity(np.array(equal), WIDTH))
    if a["shingles"] and b["shingles"] and value >= least - 0.25:
        both, either = set(a["shingles"]) & set(b["shingles"]), set(a["shingles"]) | set(b["shingles"])
        value = len(both) / max(len(either), 1)
    if value >= least:
        return "near", value
    return ("url", value) if a["url_hash"] and a["url_hash"] == b["url_hash"] else None


def brute_force(rows: list[dict], least: float) -> dict[int, dict]:
    """The rule as said: {address: keeper, match, similarity, rank, cluster_size}."""
    ordered = sorted(rows, key=order_of)
    found: dict[int, dict] = {}
    for place, row in enumerate(ordered):
        met = {found[r["address"]]["keeper"] for r in ordered[:place] if set(r["keys"]) & set(row["keys"])}
        keeper, how = row["address"], None
        for other in ordered[:place]:
            if other["address"] in met and (how := likeness(other, row, least)):
                keeper = other["address"]
                break
        found[row["address"]] = {"keeper": keeper, "match": how[0] if how else None,
                                 "similarity": how[1] if how else None}  # fmt: skip
    for keeper in {row["keeper"] for row in found.values()}:
        mine = [row["address"] for row in ordered if found[row["address"]]["keeper"] == keeper]
        for rank, address in enumerate(mine):
            found[address] |= {"rank": rank, "cluster_size": len(mine), "cluster": min(mine)}
    return found


@settings(deadline=None, max_examples=200)
@given(st.lists(document, min_size=1, max_size=12), st.sampled_from([0.3, 0.6, 0.9]), st.booleans(), st.data())
def test_keepers_follow_the_rule_in_any_order_of_rows(rows: list[dict], least: float, exact: bool, data) -> None:
    table = table_of(rows, exact)
    found = choose_keepers(table, least)
    assert found.duplicates.schema.equals(DUPLICATES)
    expected = brute_force(table.to_pylist(), least)
    for row in found.duplicates.to_pylist():
        wanted = expected[row["address"]]
        assert {n: row[n] for n in wanted if n != "similarity"} == {n: wanted[n] for n in wanted if n != "similarity"}
        assert row["similarity"] == (None if wanted["match"] is None else pytest.approx(wanted["similarity"], abs=1e-6))
    order = data.draw(st.permutations(range(len(rows))))
    assert choose_keepers(table.take(pa.array(order)), least).duplicates.equals(found.duplicates)


@settings(deadline=None, max_examples=200)
@given(st.lists(document, min_size=1, max_size=8), st.lists(document, min_size=1, max_size=8))
def test_new_documents_against_settled_ones_fare_as_in_one_run_that_prefers_the_old(old: list, new: list) -> None:
    """An earlier run's decisions stay, and every new document has the keeper that one run over all would give it."""
    for row in old:
        row["preference_0"] = 0.0
    for row in new:
        row["preference_0"] = 1.0
    both = table_of([*old, *new], False)
    together = choose_keepers(both, 0.6).duplicates.to_pylist()
    alone = choose_keepers(both.slice(0, len(old)), 0.6).duplicates.to_pylist()
    assert [row["keeper"] for row in alone] == [row["keeper"] for row in together[: len(old)]]
    rows = both.to_pylist()
    for row, known in zip(rows, alone, strict=False):
        row |= {"address": row["address"] | OLD, "keeper": known["keeper"] | OLD, "cluster_size": known["cluster_size"]}
    later = choose_keepers(pa.Table.from_pylist(rows, schema=SCHEMA), 0.6).duplicates.to_pylist()
    for found, expected in zip(later, together[len(old) :], strict=True):
        for name in ("address", "cluster_size", "rank", "match", "similarity"):
            assert found[name] == expected[name], name
        assert found["keeper"] & ~OLD == expected["keeper"]
        is_earlier = expected["keeper"] < len(old)
        assert found["earlier_id"] == (old[expected["keeper"]]["id"] if is_earlier else None)


def test_a_chain_is_cut_and_a_hub_of_unlike_documents_stays_apart() -> None:
    """20,000 documents that share a key and half of their signatures: none is removed, in bounded work."""
    random = np.random.default_rng(0)
    width, n = 112, 20_000
    sketches = random.integers(0, 256, (n, width), np.uint8)
    sketches[:, : width // 2] = 7
    rows = [{"address": i, "candidates": 0, "keeper": i, "cluster_size": 0, "preference_0": 0.0, "preference_1": 0.0,
             "id": f"{i:05}", "content_hash": i.to_bytes(16, "little"), "url_hash": 0, "sketch": bytes(sketches[i]),
             "keys": [1, 100 + i // 2], "shingles": None} for i in range(n)]  # fmt: skip
    found = choose_keepers(pa.Table.from_pylist(rows, schema=SCHEMA), 0.7)
    assert found.facts["largest_component"] == n and found.facts["confirmed"] == 0
    assert found.facts["compared"] <= 130 * n
    assert set(found.duplicates["cluster_size"].to_pylist()) == {1}


def test_nothing_gives_nothing_and_a_missing_keeper_is_told() -> None:
    assert choose_keepers(SCHEMA.empty_table(), 0.7).duplicates.num_rows == 0
    row = table_of([{"sketch": bytes(WIDTH), "keys": [1], "content": 1, "url_hash": 0, "id": "a", "preference_0": 0.0,
                     "preference_1": 0.0, "shingles": []}], False).to_pylist()[0]  # fmt: skip
    with pytest.raises(ValueError, match="keeper of a document of an earlier run is missing"):
        choose_keepers(pa.Table.from_pylist([row | {"address": OLD, "keeper": OLD + 5}], schema=SCHEMA), 0.7)


def test_fill_part_adds_every_document_that_is_alone() -> None:
    part, base = 3, 3 << 32
    names = ("address", "candidates", "cluster", "cluster_size", "keeper", "rank", "match", "similarity", "earlier_id")
    rows = [dict(zip(names, values, strict=True)) for values in (
        (base + 4, 7, 8, 3, 8, 2, "near", 0.75, None),
        (base + 1, 7, base + 1, 2, base + 1, 0, None, None, None))]  # fmt: skip
    found = fill_part(pa.Table.from_pylist(rows, schema=DUPLICATES), part, 6)
    assert found.schema.equals(DUPLICATES)
    by_address = {row["address"]: row for row in rows}
    for own, row in zip(range(base, base + 6), found.to_pylist(), strict=True):
        alone = dict(zip(names, (own, own, own, 1, own, 0, None, None, None), strict=True))
        assert row == by_address.get(own, alone)
    assert fill_part(DUPLICATES.empty_table(), 5, 0).num_rows == 0


def test_addresses_hold_part_and_row() -> None:
    found = addresses(9, 3).to_numpy()
    assert found.dtype == np.uint64 and (found & np.uint64(0xFFFFFFFF)).tolist() == [0, 1, 2]
    assert parts_of(found).tolist() == [9, 9, 9]

"""Connected components, on one worker and in rounds of stars, against brute force."""

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.dedup import components
from curation.dedup.keys import EDGES

PARTS = {0: 10, 3: 8, 1 << 31: 6}
ADDRESSES = [part << 32 | row for part, rows in PARTS.items() for row in range(rows)]


def brute_force(edges: list[tuple[int, int]]) -> dict[int, int]:
    """Document -> smallest of its component, by relabelling until nothing changes."""
    label = {n: n for edge in edges for n in edge}
    changed = True
    while changed:
        changed = False
        for a, b in edges:
            low = min(label[a], label[b])
            changed |= label[a] != low or label[b] != low
            label[a] = label[b] = low
    return label


def table(edges: list[tuple[int, int]]) -> pa.Table:
    return pa.table([pa.array([e[i] for e in edges], pa.uint64()) for i in (0, 1)], schema=EDGES)


def as_dict(members: pa.RecordBatch) -> dict[int, int]:
    return dict(zip(members["address"].to_pylist(), members["candidates"].to_pylist(), strict=True))


def by_stars(edges: list[tuple[int, int]], partitions: int = 3) -> tuple[dict[int, int], int]:
    """The rounds of the job, each document's edges handled apart from those of other partitions."""
    state = pa.Table.from_batches([components.both_ways(table(edges).combine_chunks().to_batches()[0])])

    def each(rows: pa.Table, step) -> pa.Table:
        left = rows["left"].to_numpy() % np.uint64(partitions)
        batches = [step(rows.filter(pa.array(left == p))) for p in range(partitions)]
        return pa.Table.from_batches(batches, EDGES)

    before, rounds = None, 0
    while (checksum := components.checksum(state)) != before:
        before, rounds = checksum, rounds + 1
        small = each(each(state, components.large_star), components.small_star)
        state = pa.Table.from_batches([components.both_ways(b) for b in small.to_batches()], EDGES)
    outward = state.filter(pa.array(state["left"].to_numpy() < state["right"].to_numpy()))
    return as_dict(components.star_members(pa.table([outward["right"], outward["left"]], schema=EDGES))), rounds


pairs = st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(ADDRESSES)).filter(lambda e: e[0] != e[1])


@settings(deadline=None, max_examples=100)
@given(st.lists(pairs, min_size=1, max_size=30))
@example(list(zip(ADDRESSES[:-1], ADDRESSES[1:], strict=True))[::-1])
def test_union_find_and_stars_equal_brute_force(edges: list[tuple[int, int]]) -> None:
    expected = brute_force(edges)
    graph = components.UnionFind(PARTS)
    for start in range(0, len(edges), 7):
        piece = table(edges[start : start + 7])
        graph.add(piece["left"].to_numpy(), piece["right"].to_numpy())
    found = pa.Table.from_batches(graph.members(), components.MEMBERS)
    assert as_dict(found) == expected
    assert found["address"].to_pylist() == sorted(expected)
    assert by_stars(edges)[0] == expected


def test_a_long_chain_takes_few_rounds() -> None:
    """The worst case for both: a path of 4,000 documents in random order is one component after a dozen rounds."""
    order = np.random.default_rng(0).permutation(4000).astype(np.uint64)
    found, rounds = by_stars(list(zip(order[:-1].tolist(), order[1:].tolist(), strict=True)))
    assert set(found.values()) == {0} and len(found) == 4000 and rounds <= 15
    graph = components.UnionFind({0: 4000})
    graph.add(order[1:], order[:-1])
    assert as_dict(pa.Table.from_batches(graph.members()).combine_chunks().to_batches()[0]) == found

"""Blocks: what crosses a shuffle comes out as it went in, and nothing more travels with it."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup import blocks

SCHEMA = pa.schema([("key", pa.uint64()), ("name", pa.string())])
rows = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.one_of(st.none(), st.text(max_size=3))), max_size=30)


def batch_of(values: list[tuple[int, str | None]]) -> pa.RecordBatch:
    return pa.record_batch([[k for k, _ in values], [n for _, n in values]], schema=SCHEMA)


@settings(deadline=None, max_examples=50)
@given(rows)
def test_round_trip(values: list[tuple[int, str | None]]) -> None:
    batch = batch_of(values)
    assert blocks.decode(blocks.encode(batch)).equals(batch)


def test_a_slice_carries_only_its_own_rows() -> None:
    batch = pa.record_batch([pa.array(range(100_000), pa.uint64())], names=["key"])
    data = blocks.encode(batch.slice(5, 3))
    assert len(data) < 1000
    assert blocks.decode(data)["key"].to_pylist() == [5, 6, 7]


@settings(deadline=None, max_examples=50)
@given(rows, st.data())
def test_split_puts_every_row_into_its_partition_in_order(values: list[tuple[int, str | None]], data) -> None:
    partition = data.draw(st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values)))
    found = dict(blocks.split(batch_of(values), np.array(partition, np.int64)))
    assert sorted(found) == sorted(set(partition))
    for number, block in found.items():
        mine = [value for value, p in zip(values, partition, strict=True) if p == number]
        assert blocks.decode(block).equals(batch_of(mine))


def test_concat() -> None:
    both = blocks.concat([blocks.encode(batch_of([(1, "a")])), blocks.encode(batch_of([(2, None)]))], SCHEMA)
    assert both.to_pylist() == [{"key": 1, "name": "a"}, {"key": 2, "name": None}]
    assert blocks.concat([], SCHEMA).num_rows == 0

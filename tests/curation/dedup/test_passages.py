"""Which documents lose a line or paragraph that others have."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup.passages import PASSAGES, distinct, is_lost, passage_keys, repeated


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9))), st.integers(0, 3), st.integers(0, 4))
def test_the_first_documents_keep_a_passage_and_rarer_ones_stay(pairs, keep: int, more_than: int) -> None:
    key, address = (np.array([pair[i] for pair in pairs], np.uint64) for i in (0, 1))
    once = distinct(key, address)
    assert sorted(map(tuple, (row.values() for row in once.to_pylist()))) == sorted(set(pairs))
    found = repeated(pa.Table.from_batches([once]), keep, more_than)
    documents = Counter(k for k, _ in set(pairs))
    lost = {(k, a) for k, a in set(pairs)
            if documents[k] > more_than and sum(b < a for q, b in set(pairs) if q == k) >= keep}  # fmt: skip
    assert {(row["key"], row["address"]) for row in found.rows.to_pylist()} == lost
    assert found.passages == len({k for k, _ in lost})
    flags = is_lost(key, address, pa.Table.from_batches([found.rows], PASSAGES))
    assert flags.tolist() == [pair in lost for pair in pairs]


def test_a_paragraph_is_its_lines_in_order_in_one_language() -> None:
    lines = np.array([1, 2, 1, 2, 2, 1, 1], np.uint64)
    group, salt = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([5, 5, 5, 6], np.uint64)
    key = passage_keys(lines, group, salt)
    assert key[0] == key[1] and len(set(key.tolist())) == 3
    assert passage_keys(lines[:2], group[:2], np.array([6], np.uint64))[0] != key[0]

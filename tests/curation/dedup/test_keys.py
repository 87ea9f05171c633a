"""Keys and the edges between documents that share them, against brute force."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup import keys

OLD = 1 << 63


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20), st.booleans()), max_size=40))
def test_stars_join_buckets_with_a_new_document_and_tie_settled_ones_to_their_keepers(rows) -> None:
    triples = [(key, n + OLD, (n // 3) + OLD) if old else (key, n, n) for key, n, old in rows]
    columns = [np.array([t[i] for t in triples], np.uint64) for i in range(3)]
    edges = keys.star_edges(*columns)
    expected = set()
    for bucket in {t[0] for t in triples}:
        members = [t for t in triples if t[0] == bucket]
        first = min(t[1] for t in members)
        if first < OLD:
            expected |= {(t[1], first) for t in members if t[1] != first}
            expected |= {(t[1], t[2]) for t in members if t[2] != t[1]}
    assert set(zip(edges["left"].to_pylist(), edges["right"].to_pylist(), strict=True)) == expected


def test_partitions_are_even_and_follow_the_key() -> None:
    random = np.random.default_rng(0).integers(0, 2**64, 100_000, np.uint64)
    for hashes in (random, keys.spread(np.arange(100_000, dtype=np.uint64))):
        for partitions in (1, 7, 64):
            counts = np.bincount(keys.partition_of(hashes, partitions), minlength=partitions)
            assert len(counts) == partitions and counts.min() > 0.8 * len(hashes) / partitions
    assert keys.partition_of(np.array([0, 2**64 - 1], np.uint64), 4096).tolist() == [0, 4095]


def test_keys_hold_each_band_the_content_and_the_url_once_and_nothing_of_empty_text() -> None:
    bands = pa.array([[1, 2], [], [3, 4]], pa.list_(pa.uint64()))
    empty = int(keys.EMPTY_KEY).to_bytes(8, "little") * 2
    content = pa.array([b"\x01" * 16, empty, b"\x03" * 16], pa.binary(16))
    halves = [int.from_bytes(bytes([i]) * 8, "little") for i in (1, 3)]
    found = keys.key_lists(bands, content, np.array([7, 0, 0], np.uint64))
    assert found.to_pylist() == [[1, 2, halves[0], 7], [], [3, 4, halves[1]]]
    assert keys.key_lists(bands, content).to_pylist() == [[1, 2, halves[0]], [], [3, 4, halves[1]]]
    address = pa.array([10, 11, 12], pa.uint64())
    assert keys.keys_of(address, address, found)["address"].to_pylist() == [10] * 4 + [12] * 3
    sliced = keys.key_lists(bands.slice(2), content.slice(2))
    assert sliced.to_pylist() == [[3, 4, halves[1]]]


def test_urls_are_equal_without_scheme_www_fragment_and_last_slash() -> None:
    same = ["https://www.Example.org/a/", "http://example.org/a#top", " example.org/a "]
    other = ["https://example.org/A", "https://example.org/a?x=1", "https://example.com/a"]
    found = keys.url_hashes(pa.array([*same, *other, None, ""])).tolist()
    assert len(set(found[:3])) == 1 and len(set(found[2:6])) == 4 and found[6:] == [0, 0]

"""Runs and their merge: any cut of the documents into runs and of the keys into ranges gives one and the same order."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.shards import runs
from tokenizer.shards.runs import DOCUMENT_DTYPE, Documents


def _documents(count: int, seed: int, keys: int = 1 << 64) -> Documents:
    generator = np.random.default_rng(seed)
    records = np.zeros(count, DOCUMENT_DTYPE)
    records["key"] = generator.integers(0, keys, count, np.uint64, endpoint=False) if keys < 1 << 64 else 0
    if keys == 1 << 64:
        records["key"] = np.frombuffer(generator.bytes(8 * count), np.uint64)
    records["tokens"] = generator.integers(0, 40, count)
    records["copy"] = generator.integers(0, 3, count)
    records["meta"]["address"] = generator.permutation(count)
    records["meta"]["utf8_bytes"] = np.arange(count)
    return Documents(records, generator.integers(0, 60_000, int(records["tokens"].sum()), np.uint32))


def _listed(documents: Documents) -> list[tuple[Any, ...]]:
    """Every document as (key, address, copy, bytes, tokens)."""
    offsets = documents.offsets
    return [
        (int(r["key"]), int(r["meta"]["address"]), int(r["copy"]), int(r["meta"]["utf8_bytes"]),
         documents.tokens[offsets[i] : offsets[i + 1]].tolist())
        for i, r in enumerate(documents.records)
    ]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(1, 4), st.integers(1, 7), st.sampled_from([1, 3, 1 << 64]), st.integers(0, 99))
def test_every_cut_gives_the_sorted_documents(
    tmp_path_factory: pytest.TempPathFactory, count: int, pieces: int, power: int, keys: int, seed: int
) -> None:
    """Against Python's sort; few distinct keys included, so that ties are decided by address and copy."""
    folder, fences = tmp_path_factory.mktemp("runs"), 1 << power
    documents = _documents(count, seed, keys)
    owner = np.random.default_rng(seed).integers(0, pieces, count)
    files = [str(folder / f"{piece}.run") for piece in range(pieces)]
    for piece, file in enumerate(files):
        runs.write_run(file, runs.take(documents, np.flatnonzero(owner == piece)), fences, "uint32")
    before = runs.tokens_before_fences(files, fences)
    shift = np.uint64(64 - power)
    assert before.tolist() == [documents.records["tokens"][documents.records["key"] >> shift < f].sum()
                               for f in range(fences + 1)]  # fmt: skip
    ranges = runs.cut(before, 100)
    bounds = np.array([0, *(stop for _, stop in ranges)])
    places = [runs.places(file, bounds, "uint32") for file in files]
    merged = [
        runs.merge([runs.read_range(file, at[i], at[i + 1], "uint32") for file, at in zip(files, places, strict=True)])
        for i in range(len(ranges))
    ]
    found = [document for piece in merged for document in _listed(piece) if document[4]]
    assert found == [document for document in sorted(_listed(documents)) if document[4]]


def test_take_repeats_documents() -> None:
    documents = _documents(9, 1)
    rows = np.array([3, 3, 0, 8, 3])
    assert _listed(runs.take(documents, rows)) == [_listed(documents)[row] for row in rows]


def test_runs_of_uint16_hold_the_same_tokens(tmp_path: Path) -> None:
    documents = _documents(50, 2)
    runs.write_run(str(tmp_path / "wide"), documents, 8, "uint32")
    runs.write_run(str(tmp_path / "narrow"), documents, 8, "uint16")
    wide, narrow = (
        runs.read_range(str(tmp_path / name), *runs.places(str(tmp_path / name), np.array([0, 8]), dtype), dtype)
        for name, dtype in (("wide", "uint32"), ("narrow", "uint16"))
    )
    assert narrow.tokens.dtype == np.uint16 and wide.tokens.dtype == np.uint32
    np.testing.assert_array_equal(wide.tokens, narrow.tokens)
    assert (tmp_path / "wide").stat().st_size - (tmp_path / "narrow").stat().st_size == 2 * wide.tokens.size


@pytest.mark.parametrize("count", [0, 1, 7])
def test_the_table_of_a_run_grows_with_its_documents_not_with_the_fences(tmp_path: Path, count: int) -> None:
    """A terabyte has a million fences and thousands of runs; each would carry 16 MB for a few documents."""
    runs.write_run(str(tmp_path / "run"), _documents(count, 1), runs.MOST_FENCES, "uint32")
    assert len(runs.read_fences(str(tmp_path / "run"))) <= count + 1
    assert (tmp_path / "run").stat().st_size < 1_000 + 300 * count


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=300), st.integers(1, 5_000))
def test_a_cut_covers_all_tokens_once_and_evenly(tokens: list[int], shard_tokens: int) -> None:
    """No range is off the even share by more than the tokens between two fences."""
    before = np.cumsum([0, *tokens])
    ranges = runs.cut(before, shard_tokens)
    if not before[-1]:
        assert ranges == []
        return
    bounds = [a for a, _ in ranges] + [ranges[-1][1]]
    assert all(b == a for (_, b), (a, _) in zip(ranges, ranges[1:], strict=False))
    assert before[bounds[0]] == 0 and before[bounds[-1]] == before[-1]
    shards = -(-int(before[-1]) // shard_tokens)
    assert len(ranges) <= shards
    share = before[-1] / shards
    for first, stop in ranges:
        covered = before[stop] - before[first]
        whole = round(covered / share)  # of which some may be empty beside a long document
        assert abs(covered - whole * share) <= max(tokens) + 1


def test_fences_balance_shards_of_documents_of_uneven_length() -> None:
    """100,000 documents with a long tail in 20 shards: all within 1 % of each other."""
    generator = np.random.default_rng(0)
    lengths = np.minimum(generator.lognormal(6, 1.2, 100_000), 50_000).astype(np.int64)
    keys = np.frombuffer(generator.bytes(8 * lengths.size), np.uint64)
    fences = runs.fence_count(20)
    at = (keys >> np.uint64(65 - fences.bit_length())).astype(int)
    before = np.concatenate([[0], np.cumsum(np.bincount(at, lengths, fences).astype(np.int64))])
    sizes = [before[b] - before[a] for a, b in runs.cut(before, int(before[-1] // 20 + 1))]
    assert len(sizes) == 20 and (max(sizes) - min(sizes)) / np.mean(sizes) < 0.01


@pytest.mark.parametrize(("shards", "fences"), [(0.001, 256), (1, 256), (1.5, 512), (1e9, 1 << 20)])
def test_fences_by_number_of_shards(shards: float, fences: int) -> None:
    assert runs.fence_count(shards) == fences


def test_ids_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Rather than cut off."""
    documents = _documents(5, 1)
    documents.tokens[3] = 65_536
    with pytest.raises(ValueError, match="token 65,536 does not fit uint16 shards"):
        runs.write_run(str(tmp_path / "a"), documents, 8, "uint16")
    assert list(tmp_path.iterdir()) == []

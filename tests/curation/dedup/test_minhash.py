"""Signatures against datasketch itself, and the LSH curve against its formula."""

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.dedup import minhash
from curation.recipe_dedup import MinHash
from curation.text.scan import Scanner
from tests.oracles import clean_text, lower, units

SCANNER = Scanner()


@settings(deadline=None, max_examples=100)
@given(st.lists(clean_text, max_size=4), st.sampled_from([MinHash(), MinHash(shingle=1, bands=3, rows=2, seed=9)]))
@example(["", "one", "one two three four", "中文字符串测试", "a b c d e f g h i j"], MinHash())
def test_signatures_are_those_of_datasketch(texts: list[str], parameters: MinHash) -> None:
    text = pa.array(texts, pa.large_string())
    scan = SCANNER.scan(text)
    signatures = minhash.signatures(text, scan, parameters)
    hashes, bounds = minhash.shingle_hashes(text, scan, parameters.shingle)
    for row in range(len(texts)):
        oracle = datasketch.MinHash(
            num_perm=parameters.bands * parameters.rows, seed=parameters.seed, scheme="affine32", hashfunc=int
        )
        oracle.update_batch(hashes[bounds[row] : bounds[row + 1]].tolist())
        assert np.array_equal(signatures[row], oracle.hashvalues)


def test_signatures_load_into_datasketch_lsh() -> None:
    texts = [f"shared words that all of these documents have in common, and then number {i}" for i in range(3)]
    text = pa.array([*texts, "something else entirely, with no word of the others"], pa.large_string())
    scan = SCANNER.scan(text)
    index = datasketch.MinHashLSH(num_perm=112, params=(14, 8))
    sketches = [
        datasketch.LeanMinHash(seed=1, hashvalues=values, scheme="affine32")
        for values in minhash.signatures(text, scan, MinHash())
    ]
    for number, sketch in enumerate(sketches):
        index.insert(number, sketch)
    assert sorted(index.query(sketches[0])) == [0, 1, 2]


def test_a_document_shorter_than_a_shingle_is_one_shingle_and_an_empty_one_is_none() -> None:
    text = pa.array(["", "one two", "one two", "one three"], pa.large_string())
    hashes, bounds = minhash.shingle_hashes(text, SCANNER.scan(text), 5)
    assert np.diff(bounds).tolist() == [0, 1, 1, 1]
    assert hashes[0] == hashes[1] != hashes[2]


@settings(deadline=None, max_examples=100)
@given(st.lists(clean_text, max_size=4), st.integers(1, 6))
def test_shingles_are_runs_of_units(texts: list[str], size: int) -> None:
    """One at every position, one for a shorter document, none without units; equal exactly where the units are."""
    column = pa.array(texts, pa.large_string())
    hashes, bounds = minhash.shingle_hashes(column, SCANNER.scan(column), size)
    lengths = minhash.shingle_lengths(column, SCANNER.scan(column), size).tolist()
    expected = []
    for text, length in zip(texts, lengths, strict=True):
        own = [lower(unit) for unit in units(text)]
        expected.append([tuple(own[i : i + length]) for i in range(max(1, len(own) - length + 1))] if own else [])
    assert np.diff(bounds).tolist() == [len(shingles) for shingles in expected]
    flat = [shingle for shingles in expected for shingle in shingles]
    assert len(set(zip(flat, hashes.tolist(), strict=True))) == len(set(flat)) == len(set(hashes.tolist()))


def test_bands_depend_on_their_values_and_their_number() -> None:
    signature = np.arange(112, dtype=np.uint32).reshape(1, 112)
    same = np.zeros((1, 112), np.uint32)
    bands = minhash.band_hashes(np.concatenate([signature, signature, same]), 14)
    assert np.array_equal(bands[0], bands[1])
    assert len(set(bands[2].tolist())) == 14
    changed = signature.copy()
    changed[0, 20] += 1
    differing = minhash.band_hashes(changed, 14)[0] != bands[0]
    assert np.flatnonzero(differing).tolist() == [2]


@pytest.mark.parametrize(("similarity", "probability"), [(0.7, 0.565), (0.8, 0.924), (0.9, 1.0)])
def test_catch_probability_is_the_published_one(similarity: float, probability: float) -> None:
    assert minhash.catch_probability(similarity, 14, 8) == pytest.approx(probability, abs=1e-3)


def test_sketches_estimate_jaccard_similarity() -> None:
    random = np.random.default_rng(0)
    errors = []
    for _ in range(50):
        shared, own = int(random.integers(0, 300)), int(random.integers(1, 300))
        words = [f"w{n}" for n in random.integers(0, 2**60, shared + 2 * own)]
        left = " ".join(words[: shared + own])
        right = " ".join(words[:shared] + words[shared + own :])
        both = pa.array([left, right], pa.large_string())
        sketches = minhash.sketches(minhash.signatures(both, SCANNER.scan(both), MinHash(shingle=1))).to_pylist()
        equal = np.array([a == b for a, b in zip(*sketches, strict=True)]).sum()
        estimate = minhash.sketch_similarity(equal, 112)
        errors.append(estimate - shared / (shared + 2 * own))
    assert abs(np.mean(errors)) < 0.02
    assert np.std(errors) < 0.06


def test_shingles_are_longer_where_units_are_parts_of_words() -> None:
    """Five words of a spaced script are 7 Han characters or kana runs, and 13 Thai, Lao, Khmer or Burmese clusters."""
    texts = ["five words of a spaced script", "这是一个没有空格的中文句子", "これは日本語の文章です",
             "ภาษาไทยไม่มีช่องว่างระหว่างคำ",
             "ພາສາລາວ", "ភាសាខ្មែរ", "မြန်မာဘာသာ", "हिन्दी में शब्दों के बीच", "한국어 문장입니다", ""]  # fmt: skip
    column = pa.array(texts, pa.large_string())
    assert minhash.shingle_lengths(column, SCANNER.scan(column), 5).tolist() == [5, 7, 7, 13, 13, 13, 13, 5, 5, 5]
    assert minhash.shingle_lengths(column, SCANNER.scan(column), 1).tolist() == [1] * 10


def test_shingle_sets_are_the_sorted_sets_of_the_hashes() -> None:
    column = pa.array(["a b a b a b a b a b", "", "one two three four five six"], pa.large_string())
    hashes, bounds = minhash.shingle_hashes(column, SCANNER.scan(column), 3)
    expected = [sorted(set(hashes[a:b].tolist())) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    assert minhash.shingle_sets(column, SCANNER.scan(column), 3).to_pylist() == expected

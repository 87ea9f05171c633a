"""The repetition signals against counting by hand in plain Python."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.text.scan import Scanner
from filters.repetition import DUPLICATE_SIZES, TOP_SIZES, RepetitionCounter
from tests.filters.reference import duplicate, duplicate_later, top
from tests.oracles import Document, entropy, line_key, lower

SCANNER = Scanner()
COUNTER = RepetitionCounter()
WORDS = st.sampled_from(["a", "bb", "ccc", "Ä", "中", "文", "คำ", "don't", ",", "\n", "\n\n"])
TEXTS = st.lists(st.lists(WORDS, max_size=60).map(" ".join), max_size=3)


@settings(deadline=None, max_examples=300)
@given(TEXTS)
@example(["a b a b a b a b a b a b a b a b", "", "a"])
@example([" ".join(str(i % 7) for i in range(200))])
@example(["a b c d e f g x a b c d e f g y b c d e f", "a b c d e a b c d e a b c d e"])
def test_ngram_shares_equal_the_oracle(texts: list[str]) -> None:
    scan = SCANNER.scan(pa.array(texts, pa.large_string()))
    got = COUNTER.ngrams(scan)
    for row, text in enumerate(texts):
        units = Document(text).units
        for size in TOP_SIZES:
            assert got[f"top_{size}_gram"][row] == pytest.approx(top(units, size), abs=1e-12)
        for size in DUPLICATE_SIZES:
            assert got[f"duplicate_{size}_gram"][row] == pytest.approx(duplicate(units, size), abs=1e-12)
            later = got[f"duplicate_{size}_gram_later"][row]
            assert later == pytest.approx(duplicate_later(units, size), abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(TEXTS)
@example(["a " * 5000 + "b", ""])
def test_variety_of_units_equals_the_oracle(texts: list[str]) -> None:
    got = COUNTER.ngrams(SCANNER.scan(pa.array(texts, pa.large_string())))
    for row, text in enumerate(texts):
        units = [lower(unit) for unit in Document(text).units]
        assert got["unit_entropy"][row] == pytest.approx(entropy(units, math.e), abs=1e-9)
        assert got["unique_unit_ratio"][row] == (len(set(units)) / len(units) if units else 0)


@settings(deadline=None, max_examples=100)
@given(TEXTS)
def test_repeated_lines_and_paragraphs_equal_the_oracle(texts: list[str]) -> None:
    scan = SCANNER.scan(pa.array(texts, pa.large_string()))
    lines = COUNTER.duplicates(scan.line_hash, scan.line_length, scan.line_bounds)
    for row, text in enumerate(texts):
        seen: set[str] = set()
        again = [line for line in Document(text).lines if line_key(line) in seen or seen.add(line_key(line))]
        assert (lines[0][row], lines[1][row]) == (len(again), sum(map(len, again)))


def test_a_document_of_one_repeated_word_is_all_repetition_and_never_more() -> None:
    scan = SCANNER.scan(pa.array(["spam " * 1000, "买 " * 1000], pa.large_string()))
    for name, values in COUNTER.ngrams(scan).items():
        if "gram" in name:
            assert np.all((values <= 1) & (values > 0.98))


def test_the_table_survives_growth_and_many_documents() -> None:
    small = [f"{i} {i} {i} x y z" for i in range(3000)]
    large = " ".join(str(i % 5000) for i in range(60_000))
    counter = RepetitionCounter()
    before = counter.ngrams(SCANNER.scan(pa.array(small, pa.large_string())))["top_2_gram"].copy()
    counter.ngrams(SCANNER.scan(pa.array([large], pa.large_string())))
    after = counter.ngrams(SCANNER.scan(pa.array(small, pa.large_string())))["top_2_gram"]
    assert np.array_equal(before, after)

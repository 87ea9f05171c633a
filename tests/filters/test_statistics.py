"""Entropy of characters and compression against textbook computations."""

import pyarrow as pa
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.statistics import COMPRESSION_LEVEL, StatisticsCounter
from tests.oracles import clean_text, entropy

COUNTER = StatisticsCounter()


@settings(deadline=None, max_examples=200)
@given(st.lists(clean_text, max_size=4))
@example(["", "a", "aaaa", "ab ab", "中文中文 中", "aé" * 5000])
def test_statistics_equal_the_oracle(texts: list[str]) -> None:
    column = pa.array(texts, pa.large_string())
    got = COUNTER.compute(column)
    for row, text in enumerate(texts):
        assert got["character_entropy"][row] == pytest.approx(entropy(list(text), 2), abs=1e-9)


def test_compression_is_of_each_document_alone() -> None:
    texts = ["spam " * 500, "", "The quick brown fox jumps over the lazy dog."]
    column = pa.array(["left out", *texts], pa.large_string()).slice(1)
    got = COUNTER.compute(column)["compression_ratio"]
    compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_content_size=False)
    for value, text in zip(got, texts, strict=True):
        assert value == (len(compressor.compress(text.encode())) / len(text) if text else 1)
    assert got[0] < 0.05 < 0.9 < got[2]

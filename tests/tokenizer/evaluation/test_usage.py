"""Counting tokens, and borders of tokens inside units, against a slow walk over every document."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from curation.text.normalize import normalize
from tokenizer.evaluation.subject import Subject, subject_of
from tokenizer.evaluation.usage import count, measured

TEXTS = st.lists(
    st.one_of(
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=25),
        st.text(alphabet="the quick don'tüß 中文ภาไทเย हिन्दी12\n.", max_size=40),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_counts_are_those_of_a_walk_over_every_document(trained: Tokenizer, texts: list[str]) -> None:
    subject = subject_of(trained)
    text = measured(texts)
    found = count(subject, text)
    documents = normalize(pa.array(texts, pa.large_string())).text.to_pylist()
    used = np.zeros(700, np.int64)
    inner = continued = units = base = 0
    for d, document in enumerate(documents):
        borders, at = set(), base
        for token in trained.encode(document, add_special_tokens=False).ids:
            used[token] += 1
            at += len(subject.tokens[token])
            borders.add(at)
        base += len(document.encode())
        assert at == base
        for unit in range(text.unit_bounds[d], text.unit_bounds[d + 1]):
            inside = [border for border in borders if text.unit_start[unit] < border < text.unit_stop[unit]]
            inner, continued, units = inner + len(inside), continued + bool(inside), units + 1
    np.testing.assert_array_equal(found.tokens, used)
    assert (found.inner_borders, found.continued_units, found.traced_units, found.units) == (
        inner, continued, units, units,
    )  # fmt: skip
    assert found.utf8_bytes == base and found.characters == sum(map(len, documents))


def test_units_of_documents_that_the_tokenizer_changes_are_not_traced() -> None:
    """A tokenizer of pairs of bytes that puts one before every document of odd length."""
    lengths = (b"", b"x", b"xy")

    def encode(texts: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
        numbers = [len(text.as_py()) // 2 + len(text.as_py()) % 2 for text in texts]
        return np.full(sum(numbers), 2, np.uint32), np.cumsum([0, *numbers])

    found = count(Subject("pairs", encode, lengths), measured(["abcd", "one", "a bc"]))
    assert (found.units, found.traced_units, found.inner_borders, found.continued_units) == (4, 3, 1, 1)
    assert found.tokens.tolist() == [0, 0, 6]


def test_text_is_measured_in_nfc() -> None:
    text = measured(["e\u0301", "\u1100\u1161"])
    assert text.text.to_pylist() == ["é", "가"] and (text.utf8_bytes, text.characters) == (5, 2)

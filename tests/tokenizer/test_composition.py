"""Normal form C: texts come out as the normaliser of ``tokenizers`` writes them, and others are passed on."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from tokenizer.composition import composed

MARKS = (
    "aAeÀ한각कก ক\u09be\u09c7\u0bc6\u0bbe\u1025\u102e\u093c\u0928\u0301\u0323\u0327\u0345"
    "\u1100\u1161\u11a8\u0e38\u0e48\u0f71\u0f72\u212b\u0958\ufb1d"
)
TEXTS = st.lists(
    st.one_of(
        st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
        st.text(alphabet=MARKS, max_size=8),
        st.tuples(st.text(alphabet="abc ", max_size=20), st.text(alphabet=MARKS, max_size=3)).map("".join),
    ),
    max_size=5,
)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_texts_are_composed_as_by_tokenizers(texts: list[str]) -> None:
    """All planes, assigned or not; sequences that compose, that are out of order, and that only look like either."""
    expected = [normalizers.NFC().normalize_str(text) for text in texts]
    assert composed(pa.array(texts, pa.large_string())).to_pylist() == expected


@pytest.mark.parametrize("step", [0, 1])
def test_single_characters_and_pairs(step: int) -> None:
    """Every character by itself and before a mark that reorders or composes with it."""
    characters = [chr(c) for c in range(0x20, 0x1F000) if not 0xD800 <= c < 0xE000]
    texts = [character + ("", "\u0323")[step] for character in characters]
    expected = normalizers.NFC().normalize_str("\n".join(texts)).split("\n")
    assert composed(pa.array(texts, pa.large_string())).to_pylist() == expected


@pytest.mark.parametrize(
    "text", ["বাংলা কো", "தமிழ்", "มีอยู่", "မြန်မာဘာသာ", "हिन्दी ज़्यादा", "Việt Nam", "が", "한국어", "été"]
)
def test_texts_in_normal_form_are_passed_on(text: str) -> None:
    """Without a copy, though vowel signs of Bengali or Tamil may compose, and marks of Thai may change places."""
    column = pa.array([unicodedata.normalize("NFC", text)], pa.large_string())
    assert composed(column) is column


def test_slices_keep_their_rows() -> None:
    column = pa.array(["x", "e\u0301", "y", "a\u0301"], pa.large_string())
    assert composed(column[1:3]).to_pylist() == ["é", "y"]
    assert composed(column[:0]).to_pylist() == []

"""Columns in NFC: each text as the normaliser of ``tokenizers`` writes it."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from tokenizer.nfc import composed

COMPOSING = st.sampled_from("ae\u0301\u0308\u3099か가\u11a8\u212bक\u093c")
TEXTS = st.text(alphabet=st.one_of(COMPOSING, st.characters(codec="utf-8")))


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=6))
def test_every_text_is_composed_as_tokenizers_does(texts: list[str]) -> None:
    nfc = normalizers.NFC()
    assert composed(pa.array(texts, pa.large_string())).to_pylist() == [nfc.normalize_str(text) for text in texts]


def test_composed_text_is_passed_on_without_a_copy() -> None:
    text = pa.array(["plain", "é"], pa.large_string())
    assert composed(text) is text

"""Normalisation: valid UTF-8, NFC, LF, no controls; counted by Python's decoder; clean text passes without a copy."""

import codecs
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.text.normalize import normalize, normalize_bytes
from tests.oracles import normalized, raw_text


def python_decode(raw: bytes) -> tuple[str, int]:
    """Text and the number of ill-formed sequences, counted one by one through an error handler."""
    found = 0

    def count(error: UnicodeError) -> tuple[str, int]:
        nonlocal found
        found += 1
        return "\ufffd", error.end  # type: ignore[attr-defined]

    codecs.register_error("count_replacements", count)
    return raw.decode("utf-8", "count_replacements"), found


def removed(text: str) -> int:
    """Characters that are neither kept nor line ends: controls, noncharacters, byte order marks."""
    gone = 0
    for character in text:
        control = unicodedata.category(character) == "Cc" and character not in "\t\n\r\x0b\x0c\x85"
        nonchar = ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF
        gone += control or nonchar or character == "\ufeff"
    return gone


raw_bytes = st.one_of(
    raw_text.map(str.encode),
    st.binary(max_size=40),
    st.lists(st.one_of(st.sampled_from([b"\xef\xbf\xbd", b"\xef\xbf", b"\xe2\x82", b"\xff", b"\xed\xa0\x80", b"\xc3",
                                        b"\xf0\x9f\x98", b"ok ", "é\u0301 ".encode()]), st.binary(max_size=3)),
             max_size=20).map(b"".join),
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(st.lists(raw_bytes, max_size=5))
@example([b"\xef\xbb\xbfBOM\r\n\r\x85\xe2\x80\xa8end\x00\x07", b"", "e\u0301 \u1100\u1161 \uac00\u11a8".encode()])
def test_batches_equal_the_definition(rows: list[bytes]) -> None:
    found = normalize(pa.array(rows, pa.large_binary()))
    assert found.text.type == pa.large_string()
    for row, raw in enumerate(rows):
        text, invalid = python_decode(raw)
        assert found.text[row].as_py() == normalized(text) == normalize_bytes(raw)[0]
        assert found.invalid_utf8[row] == invalid
        assert found.removed_characters[row] == removed(text)


@settings(deadline=None, max_examples=100)
@given(st.lists(raw_bytes, max_size=4))
def test_normalising_twice_changes_nothing(rows: list[bytes]) -> None:
    once = normalize(pa.array(rows, pa.large_binary())).text
    twice = normalize(once)
    assert twice.text.equals(once)
    assert not twice.invalid_utf8.any() and not twice.removed_characters.any()
    for text in once.to_pylist():
        assert unicodedata.is_normalized("NFC", text)
        assert not set(text) & set("\r\x0b\x0c\x85\u2028\u2029\x00\ufeff")


@pytest.mark.parametrize("kind", [pa.large_binary(), pa.large_string()])
def test_clean_text_is_passed_on_without_a_copy(kind: pa.DataType) -> None:
    array = pa.array(["Grüße,\tWelt\n", "你好。", "", "नमस्ते", "x"], pa.large_string()).cast(kind)
    found = normalize(array).text
    assert found.equals(array.cast(pa.large_string()))
    assert found.buffers()[2].address == array.buffers()[2].address


def test_only_dirty_rows_change() -> None:
    rows = [b"clean", b"a\r\nb", b"\xff", "e\u0301".encode(), b"also clean"]
    found = normalize(pa.array(rows, pa.binary()))
    assert found.text.to_pylist() == ["clean", "a\nb", "\ufffd", "é", "also clean"]
    assert found.invalid_utf8.tolist() == [0, 0, 1, 0, 0]
    assert found.removed_characters.tolist() == [0, 0, 0, 0, 0]


def test_slices_and_empty_batches() -> None:
    array = pa.array([b"\xff", b"a\r", b"b", b"\x00c"], pa.binary()).slice(1, 3)
    assert normalize(array).text.to_pylist() == ["a\n", "b", "c"]
    assert normalize(array).removed_characters.tolist() == [0, 0, 1]
    assert len(normalize(pa.array([], pa.large_binary())).text) == 0

"""UTF-8 primitives against Python's own decoder.

Compiled without a cache, which does not notice that an inlined function has changed.
"""

import numba as nb
import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.text import utf8


@nb.njit
def lengths(data: np.ndarray) -> np.ndarray:
    out = np.empty(len(data), np.int64)
    for i in range(len(data)):
        out[i] = utf8.valid_length(data, i, len(data))
    return out


@nb.njit
def code_points(data: np.ndarray) -> np.ndarray:
    out = np.empty(len(data), np.int64)
    n, i = 0, 0
    while i < len(data):
        out[n], i = utf8.decode(data, i)
        n += 1
    return out[:n]


def python_length(data: bytes) -> int:
    """Bytes of the well-formed character that ``data`` begins with, or 0."""
    for length in range(1, 5):
        try:
            if len(data[:length].decode()) == 1 and len(data) >= length:
                return length
        except UnicodeDecodeError:
            continue
    return 0


tricky = st.lists(
    st.sampled_from([0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED,
                     0xEE, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF]), max_size=30).map(bytes)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.one_of(tricky, st.binary(max_size=40)))
@example(b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80\xe0\x80\x80\xf0\x80\x80\x80")
def test_valid_length_equals_pythons_decoder(data: bytes) -> None:
    found = lengths(np.frombuffer(data, np.uint8)) if data else np.empty(0)
    assert found.tolist() == [python_length(data[i:]) for i in range(len(data))]


def test_valid_length_of_every_two_byte_start() -> None:
    """All 65,536 pairs of first bytes, completed by continuation bytes."""
    for first in range(0xC0, 0x100):
        rows = b"".join(bytes([first, second, 0x80, 0x80]) for second in range(256))
        found = lengths(np.frombuffer(rows, np.uint8))[::4].tolist()
        assert found == [python_length(rows[4 * second : 4 * second + 4]) for second in range(256)]


@settings(deadline=None)
@given(st.text(max_size=40))
@example("a\x7f\x80߿ࠀ\uffff\U00010000\U0010ffff")
def test_decode_gives_code_points(text: str) -> None:
    data = np.frombuffer(text.encode(), np.uint8)
    assert code_points(data).tolist() == [ord(character) for character in text]


def test_buffers_of_slices_of_all_types() -> None:
    for kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        array = pa.array(["ab", "ü", "", "xyz"]).cast(kind).slice(1, 3)
        offsets, data = utf8.buffers(array)
        rows = [data[offsets[i] : offsets[i + 1]].tobytes().decode() for i in range(3)]
        assert rows == ["ü", "", "xyz"]
    for kind in (pa.large_string(), pa.binary()):
        offsets, _ = utf8.buffers(pa.array([], kind))
        assert offsets.tolist() == [0]


def test_buffers_do_not_copy_large_strings() -> None:
    array = pa.array(["ab", "cd"], pa.large_string())
    _, data = utf8.buffers(array)
    assert data.ctypes.data == array.buffers()[2].address

"""Ranges of lines: at every cut position of every file each line is read once, whatever the size of the reads."""

import gzip
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.readers import lines
from curation.readers.lines import END, Block, line_blocks


def read_in_pieces(patch: pytest.MonkeyPatch, size: int) -> None:
    patch.setattr(lines, "BLOCK_BYTES", size)


def split_lines(data: bytes) -> list[tuple[int, bytes]]:
    """Offset and bytes of every line, by the definition: a line ends after LF or where the file ends."""
    found, at = [], 0
    for line in data.split(b"\n"):
        found.append((at, data[at : at + len(line) + 1]))
        at += len(line) + 1
    return [(at, line) for at, line in found if line]


def expanded(blocks: list[Block]) -> list[tuple[int, bytes | int]]:
    """Lines of the blocks; a line over the limit as its length."""
    out: list[tuple[int, bytes | int]] = []
    for block in blocks:
        if block.data is None:
            out.append((block.offset, block.length))
        else:
            assert block.length == len(block.data)
            out += [(block.offset + at, line) for at, line in split_lines(block.data)]
    return out


@pytest.mark.parametrize("read_size", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a", b"a\n", b"\n\nab\n\nc", b"one\ntwo\nthree\n\nfour four\nfive", b"\r\nx\r\n\xff\n"]
)
def test_two_ranges_at_every_cut_cover_every_line_once(
    data: bytes, read_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_in_pieces(monkeypatch, read_size)
    path = tmp_path / "file"
    path.write_bytes(data)
    for cut in range(len(data) + 1):
        first = expanded(list(line_blocks(str(path), 0, cut, 100)))
        second = expanded(list(line_blocks(str(path), cut, max(len(data), 1), 100)))
        assert first + second == split_lines(data), cut
        assert all(offset < cut for offset, _ in first) and all(offset >= cut for offset, _ in second)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from([b"a", b"bb", b"\n", b"\n\n", b"0123456789", b"\xc3\xa4"]), max_size=25).map(b"".join),
    st.lists(st.integers(0, 60), max_size=4),
    st.integers(1, 30),
    st.integers(0, 8),
)
@example(b"ab\n" + b"x" * 20 + b"\nc\n", [3], 4, 5)
@example(b"ab\n" + b"x" * 20 + b"\nc\n", [3], 16, 5)  # a long line that begins where the range ends
def test_ranges_of_files_with_long_lines(data: bytes, cuts: list[int], read_size: int, limit: int) -> None:
    """Any cuts: every line comes once, in order; one given up as too long is over the limit, and comes once, too."""
    with tempfile.NamedTemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        file.write(data)
        file.flush()
        read_in_pieces(patch, read_size)
        borders = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
        found = []
        for start, stop in zip(borders, borders[1:], strict=False):
            part = expanded(list(line_blocks(file.name, start, stop, limit)))
            assert all(start <= offset < stop for offset, _ in part)
            found += part
    expected = split_lines(data)
    assert [offset for offset, _ in found] == [offset for offset, _ in expected]
    for (_, got), (_, line) in zip(found, expected, strict=True):
        assert got == line or (got == len(line) and len(line) > limit)


def test_a_long_line_is_passed_over_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_in_pieces(monkeypatch, 16)
    path = tmp_path / "file"
    path.write_bytes(b"short\n" + b"x" * 1000 + b"\nafter\n")
    found = list(line_blocks(str(path), 0, END, 50))
    assert [block for block in found if block.data is None] == [Block(6, None, 1001)]
    assert max(len(block.data or b"") for block in found) < 100
    assert b"".join(block.data or b"" for block in found) == b"short\nafter\n"


@pytest.mark.parametrize("extension", ["gz", "zst", "zstd"])
def test_all_members_of_a_compressed_file_are_read(extension: str, tmp_path: Path) -> None:
    """Concatenated gzip members and zstd frames, with a line that goes on from one to the next."""
    pack = gzip.compress if extension == "gz" else zstandard.compress
    path = tmp_path / f"file.{extension}"
    path.write_bytes(pack(b"one\ntw") + pack(b"o\n") + pack(b"three"))
    assert expanded(list(line_blocks(str(path), 0, END, 100))) == split_lines(b"one\ntwo\nthree")


@pytest.mark.parametrize("extension", ["gz", "zst"])
def test_a_compressed_file_that_is_cut_off_is_an_error(extension: str, tmp_path: Path) -> None:
    """Never a silent end: half of a file must not pass for all of it."""
    data = b"".join(b"%d line\n" % n for n in range(20_000))
    packed = gzip.compress(data) if extension == "gz" else zstandard.compress(data)
    path = tmp_path / f"file.{extension}"
    for keep in (len(packed) // 2, len(packed) - 1, 20):
        path.write_bytes(packed[:keep])
        with pytest.raises((OSError, EOFError)):
            list(line_blocks(str(path), 0, END, 100))


@pytest.mark.parametrize("extension", ["gz", "zst"])
def test_what_comes_before_the_cut_is_read(extension: str, tmp_path: Path) -> None:
    """The lines of the part that is there are given out before the error."""
    data = b"".join(b"%d line\n" % (n * n) for n in range(100_000))
    packed = gzip.compress(data) if extension == "gz" else zstandard.compress(data)
    path = tmp_path / f"file.{extension}"
    path.write_bytes(packed[: len(packed) // 2])
    blocks = line_blocks(str(path), 0, END, 100)
    found = next(blocks)
    assert found.data and data.startswith(found.data) and len(found.data) > len(data) // 4
    with pytest.raises((OSError, EOFError)):
        list(blocks)

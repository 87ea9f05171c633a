"""Plain text: a file or a line as one document, with a url that names it; what is no text is a dead record."""

import gzip
from pathlib import Path

import pytest

from curation.readers import text
from curation.readers.lines import END
from curation.readers.raw import RAW
from curation.recipe import Input

FILE = Input(name="notes", paths=["x"], format="text", license="CC0")
LINE = FILE.model_copy(update={"document": "line"})


def collect(steps):
    rows, dead = [], []
    for step in steps:
        assert step.batch.schema.equals(RAW)
        rows += step.batch.to_pylist()
        dead += step.dead
    return rows, dead


def read_file(path: Path, max_bytes: int = 1 << 20):
    return collect(text.read_file(str(path), path.name, FILE, max_bytes))


def read_lines(path: Path, start: int = 0, stop: int = END, max_bytes: int = 1 << 20):
    return collect(text.read_lines(str(path), path.name, LINE, start, stop, max_bytes))


def test_a_file_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"Zwei\r\nZeilen \xff")
    found, dead = read_file(tmp_path / "a.txt")
    assert found == [
        {"id": None, "text": b"Zwei\r\nZeilen \xff", "url": "notes/a.txt", "license": "CC0", "date": None,
         "metadata": None}
    ]  # fmt: skip
    assert not dead
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"packed"))
    assert read_file(tmp_path / "a.txt.gz")[0][0]["text"] == b"packed"


def test_files_that_are_no_documents(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\x7fELF\x00\x01")
    (tmp_path / "long").write_bytes(b"x" * 30)
    (tmp_path / "long.gz").write_bytes(gzip.compress(b"x" * 30_000))
    packed = gzip.compress(bytes(range(32, 127)) * 100)
    (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "broken.gz").write_bytes(packed[:12] + b"\xff" * 20 + packed[32:])
    expected = {"binary": "NUL", "long": "30 bytes", "long.gz": "over", "cut.gz": "cannot", "broken.gz": "cannot"}
    for name, words in expected.items():
        found, dead = read_file(tmp_path / name, max_bytes=20 if name == "long" else 20_000)
        assert not found and len(dead) == 1, name
        assert dead[0].location == "file" and words in dead[0].error, dead[0]
        assert dead[0].path == str(tmp_path / name)


def test_every_line_that_is_not_blank_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\n\n  \n\xc3\xa4 two \nthree")
    found, dead = read_lines(path)
    assert [(row["text"], row["url"]) for row in found] == [
        (b"one", "notes/a.txt#0"), (b"\xc3\xa4 two ", "notes/a.txt#9"), (b"three", "notes/a.txt#17"),
    ]  # fmt: skip
    assert not dead
    whole = found
    for cut in range(path.stat().st_size + 1):
        assert read_lines(path, stop=cut)[0] + read_lines(path, start=cut)[0] == whole


def test_a_line_over_the_limit_is_dead(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"short\n" + b"x" * 50 + b"\nlast\n")
    found, dead = read_lines(tmp_path / "a.txt", max_bytes=20)
    assert [row["text"] for row in found] == [b"short", b"last"]
    assert [(record.location, record.records) for record in dead] == [("line at byte 6", 1)]


@pytest.mark.parametrize("damage", ["cut", "broken"])
def test_a_damaged_gzip_is_a_dead_record(damage: str, tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b"%d\n" % (n * n) for n in range(20_000)))
    half = len(packed) // 2
    data = packed[:half] if damage == "cut" else packed[:half] + b"\xff" * 50 + packed[half + 50 :]
    (tmp_path / "a.txt.gz").write_bytes(data)
    _, dead = read_lines(tmp_path / "a.txt.gz")
    assert len(dead) == 1 and "cannot be decompressed" in dead[0].error

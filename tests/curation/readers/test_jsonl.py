"""JSON lines: columns as mapped, every bad line one dead record with its place, the same documents however cut."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from curation.readers import jsonl, lines
from curation.readers.lines import END
from curation.readers.raw import RAW, DeadRecord
from curation.recipe import Columns, Input

PLAIN = Input(name="web", paths=["x"], format="jsonl")
MAPPED = Input(
    name="web", paths=["x"], format="jsonl", license="CC0",
    columns=Columns(text="body", id="key", url="link", license="rights", date="day"),
)  # fmt: skip
KEPT = PLAIN.model_copy(update={"metadata": ["tag", "score"]})


def dump(*rows: object) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def read(path: Path, item: Input = PLAIN, start: int = 0, stop: int = END, max_bytes: int = 1 << 20):
    rows: list[dict] = []
    dead: list[DeadRecord] = []
    for step in jsonl.read(str(path), item, start, stop, max_bytes):
        assert step.batch.schema.equals(RAW)
        rows += step.batch.to_pylist()
        dead += step.dead
    return rows, dead


def read_data(tmp_path: Path, data: bytes, item: Input = PLAIN, **limits: int):
    path = tmp_path / "file.jsonl"
    path.write_bytes(data)
    return read(path, item, **limits)


@pytest.mark.parametrize("extension", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_plain_gzip_and_zstd_give_the_same(extension: str, tmp_path: Path) -> None:
    rows = [{"text": f"Text {n} – テキスト"} for n in range(100)]
    data = dump(*rows)
    pack = {"jsonl": bytes, "jsonl.gz": lambda d: gzip.compress(d[:77]) + gzip.compress(d[77:]),
            "jsonl.zst": lambda d: zstandard.compress(d[:77]) + zstandard.compress(d[77:])}  # fmt: skip
    path = tmp_path / f"file.{extension}"
    path.write_bytes(pack[extension](data))
    found, dead = read(path)
    assert [row["text"].decode() for row in found] == [row["text"] for row in rows] and not dead


def test_columns_are_mapped_and_filled(tmp_path: Path) -> None:
    data = dump(
        {"body": "a", "key": "k1", "link": "u", "rights": "MIT", "day": "2024-01-02", "text": "not this"},
        {"body": "b", "key": None, "rights": None},
    )
    for item, blank in ((MAPPED, b""), (MAPPED, b"\n")):  # the blank line sends the block to the line-by-line parser
        found, dead = read_data(tmp_path, blank + data, item)
        assert not dead
        assert found == [
            {"id": "k1", "text": b"a", "url": "u", "license": "MIT", "date": "2024-01-02", "metadata": None},
            {"id": None, "text": b"b", "url": None, "license": "CC0", "date": None, "metadata": None},
        ]


def test_numbers_as_ids_are_their_decimal_digits(tmp_path: Path) -> None:
    item = PLAIN.model_copy(update={"columns": Columns(id="id")})
    found, dead = read_data(tmp_path, dump({"text": "a", "id": 17}, {"text": "b", "id": "x"}, {"text": "c"}), item)
    assert [row["id"] for row in found] == ["17", "x", None] and not dead


def test_metadata_is_the_json_of_the_kept_keys_whatever_their_neighbours(tmp_path: Path) -> None:
    """Dates stay as written and 1 stays 1 beside 1.5: a value does not depend on the others of its block."""
    values = [
        {"tag": "2024-01-01", "score": 1}, {"tag": "2024-01-01 00:00:00", "score": 1.5}, {"tag": None, "score": True},
        {"tag": {"a": [1, "é\"\n"]}, "score": -3}, {"tag": 2**63, "score": "1"},
    ]  # fmt: skip
    found, dead = read_data(tmp_path, dump(*({"text": "t", "other": 1, **value} for value in values)), KEPT)
    assert [json.loads(row["metadata"]) for row in found] == values and not dead
    assert read_data(tmp_path, dump({"text": "t"}), KEPT)[0][0]["metadata"] == '{"tag":null,"score":null}'


def test_text_may_be_kept_as_metadata_too(tmp_path: Path) -> None:
    item = PLAIN.model_copy(update={"metadata": ["text"]})
    found, _ = read_data(tmp_path, dump({"text": "t"}), item)
    assert (found[0]["text"], found[0]["metadata"]) == (b"t", '{"text":"t"}')


BAD = {
    b'{"text": "cut off': "not valid JSON",
    b"<html>error page</html>": "not valid JSON",
    b"{'text': 'python'}": "not valid JSON",
    b'["a", "list"]': "object",
    b"null": "object",
    b'{"txt": "misspelt"}': "'text' is missing",
    b'{"text": null}': "NoneType, not a string",
    b'{"text": 3}': "int, not a string",
    b'{"text": "raw \x00 NUL"}': "not valid JSON",
    b"[" * 100_000: "not valid JSON",
    b'{"text": "over the limit, as it is rather long"}': "over annotate.max_document_bytes",
}


@pytest.mark.parametrize("item", [PLAIN, KEPT], ids=["plain", "metadata"])
@pytest.mark.parametrize("bad", BAD, ids=[str(bad[:20]) for bad in BAD])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_bad_line_costs_one_dead_record_with_its_place(item: Input, bad: bytes, end: bytes, tmp_path: Path) -> None:
    before = b'{"text": "before"}' + end + b" " + end
    data = before + bad + end + b'{"text": "after"}' + end
    found, dead = read_data(tmp_path, data, item, max_bytes=20)
    assert [row["text"] for row in found] == [b"before", b"after"]
    if BAD[bad].startswith("'text' is") or "NoneType" in BAD[bad]:  # the fast reader has its own words for no text
        assert "text" in dead[0].error
    else:
        assert BAD[bad] in dead[0].error
    assert len(dead) == 1 and dead[0].records == 1
    assert (dead[0].source, dead[0].location) == ("web", f"line at byte {len(before)}")
    assert dead[0].sample is None or len(dead[0].sample) <= 200


def test_null_text_is_dead_in_a_block_that_arrow_can_parse(tmp_path: Path) -> None:
    found, dead = read_data(tmp_path, b'{"text": "a"}\n{"text": null}\n{"text": "c"}\n')
    assert [row["text"] for row in found] == [b"a", b"c"]
    assert [record.location for record in dead] == ["line at byte 14"]


@pytest.mark.parametrize("item", [PLAIN, KEPT], ids=["plain", "metadata"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Stra\xdfe", b"Stra\xdfe"),  # Latin-1: the bytes are kept for normalisation to count
        (b"\\ud83d", b"\xed\xa0\xbd"),  # half of a surrogate pair
        (b"\\ud83d\\ude00", "😀".encode()),
        (b"a\\u0000b", b"a\x00b"),
        (b"tab\\tnew\\nline", b"tab\tnew\nline"),
    ],
)
def test_odd_text_is_kept_as_bytes(item: Input, value: bytes, expected: bytes, tmp_path: Path) -> None:
    for blank in (b"", b"\n"):
        found, dead = read_data(tmp_path, blank + b'{"text": "' + value + b'"}\n', item)
        assert [row["text"] for row in found] == [expected] and not dead


@pytest.mark.parametrize("value", [b'"\\ud800"', b'"\xff"', b"123456789012345678901234567890", b"[" * 300 + b"]" * 300])
def test_odd_metadata_never_stops_the_reader(value: bytes, tmp_path: Path) -> None:
    found, dead = read_data(tmp_path, b'{"text": "a", "tag": ' + value + b'}\n{"text": "b"}\n', KEPT)
    assert [row["text"] for row in found] == [b"a", b"b"] and not dead
    json.loads(found[0]["metadata"])


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    for item in (PLAIN, KEPT):
        found, dead = read_data(tmp_path, b"\xef\xbb\xbf" + dump({"text": "a"}, {"text": "b"}), item)
        assert [row["text"] for row in found] == [b"a", b"b"] and not dead
    assert jsonl.first_keys(str(tmp_path / "file.jsonl")) == {"text"}


@pytest.mark.parametrize("read_size", [5, 1 << 20])
def test_ranges_at_every_cut_give_every_document_once(
    read_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Good, bad and blank lines, at every cut: the same documents, the same dead records at the same places."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", read_size)
    data = b'{"text": "\xc3\xa4"}\n\n{"text": 1}\nno\n{"text": "b"}\r\n{"text": "c"}'
    whole, dead = read_data(tmp_path, data)
    assert [row["text"].decode() for row in whole] == ["ä", "b", "c"] and len(dead) == 2
    path = tmp_path / "file.jsonl"
    for cut in range(1, len(data)):
        first, second = read(path, stop=cut), read(path, start=cut, stop=len(data))
        assert first[0] + second[0] == whole
        assert first[1] + second[1] == dead


def test_a_line_too_long_to_hold_is_one_dead_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 64)
    monkeypatch.setattr(jsonl, "LINE_OVERHEAD", 100)
    data = dump({"text": "a"}) + dump({"text": "x" * 5000}) + dump({"text": "b"})
    found, dead = read_data(tmp_path, data, max_bytes=50)
    assert [row["text"] for row in found] == [b"a", b"b"]
    assert len(dead) == 1 and dead[0].location == "line at byte 14"


@pytest.mark.parametrize("extension", ["gz", "zst"])
def test_a_truncated_file_is_one_dead_record(extension: str, tmp_path: Path) -> None:
    data = dump(*({"text": str(n) * 20} for n in range(5000)))
    packed = gzip.compress(data) if extension == "gz" else zstandard.compress(data)
    path = tmp_path / f"file.jsonl.{extension}"
    path.write_bytes(packed[: len(packed) // 2])
    _, dead = read(path)
    assert len(dead) == 1 and "after byte" in dead[0].location and "cannot be decompressed" in dead[0].error

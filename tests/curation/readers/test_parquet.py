"""Parquet: any ranges of rows cover every row once, columns are mapped, and damage costs only what it hit."""

import json
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.readers import parquet
from curation.readers.raw import RAW
from curation.recipe import Columns, Input

PLAIN = Input(name="books", paths=["x"], format="parquet")


def read(path: Path, item: Input = PLAIN, start: int = 0, stop: int = 1 << 40, max_bytes: int = 1 << 20):
    rows, dead = [], []
    for step in parquet.read(str(path), item, start, stop, max_bytes):
        assert step.batch.schema.equals(RAW)
        rows += step.batch.to_pylist()
        dead += step.dead
    return rows, dead


def write(path: Path, columns: dict, row_group_size: int = 1000) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 40), st.integers(1, 12), st.lists(st.integers(0, 45), max_size=4), st.integers(1, 5))
def test_any_ranges_cover_every_row_once(
    tmp_path_factory: pytest.TempPathFactory, rows: int, group: int, cuts: list[int], batch_rows: int
) -> None:
    path = write(tmp_path_factory.mktemp("p") / "f.parquet", {"text": [f"row {i}" for i in range(rows)]}, group)
    borders = sorted({0, rows, *(min(cut, rows) for cut in cuts)})
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "BATCH_ROWS", batch_rows)
        for start, stop in zip(borders, borders[1:], strict=False):
            part, dead = read(path, start=start, stop=stop)
            assert len(part) == stop - start and not dead
            found += part
    assert [row["text"].decode() for row in found] == [f"row {i}" for i in range(rows)]


def test_columns_are_mapped_and_turned_into_strings(tmp_path: Path) -> None:
    path = write(
        tmp_path / "f.parquet",
        {
            "body": ["a", "b"],
            "number": pa.array([7, None], pa.int64()),
            "day": pa.array([datetime(2024, 1, 2), None]),
            "rights": ["MIT", None],
            "link": pa.array([b"http://x/\xff", b"u"]),
        },
    )
    item = PLAIN.model_copy(
        update={
            "columns": Columns(text="body", id="number", date="day", license="rights", url="link"),
            "license": "CC0",
        }
    )
    found, dead = read(path, item)
    assert not dead
    assert [row["id"] for row in found] == ["7", None]
    assert [row["license"] for row in found] == ["MIT", "CC0"]
    assert found[0]["date"].startswith("2024-01-02 00:00:00") and found[1]["date"] is None
    assert [row["url"] for row in found] == ["http://x/\ufffd", "u"]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.string())]
)
def test_every_type_of_text(kind: pa.DataType, tmp_path: Path) -> None:
    column = pa.array(["a", "ü", "a"]).cast(kind) if not pa.types.is_dictionary(kind) else pa.array(
        ["a", "ü", "a"]).dictionary_encode()  # fmt: skip
    found, _ = read(write(tmp_path / "f.parquet", {"text": column}))
    assert [row["text"] for row in found] == [b"a", "ü".encode(), b"a"]


def test_ill_formed_text_is_kept_as_bytes(tmp_path: Path) -> None:
    found, dead = read(write(tmp_path / "f.parquet", {"text": pa.array([b"ok", b"Stra\xdfe"])}))
    assert [row["text"] for row in found] == [b"ok", b"Stra\xdfe"] and not dead


def test_null_and_over_long_text_are_dead_with_their_rows(tmp_path: Path) -> None:
    texts = ["a", None, "b", "x" * 30, "c"]
    found, dead = read(write(tmp_path / "f.parquet", {"text": texts}, 2), max_bytes=20)
    assert [row["text"] for row in found] == [b"a", b"b", b"c"]
    assert [(record.location, record.records) for record in dead] == [("row 1", 1), ("row 3", 1)]
    assert "null" in dead[0].error and "30 bytes" in dead[1].error and dead[1].sample == "x" * 30


def test_metadata_is_the_json_of_the_kept_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path / "f.parquet",
        {
            "text": ["a", "b"],
            "tags": [["x", "y"], None],
            "score": [1.5, None],
            "count": pa.array([2**40, 0]),
            "name": ['é"\n', None],
            "raw": pa.array([b"ab", b"\xff"]),
            "hash": pa.array([b"ab", b"cd"], pa.binary(2)),
            "inner": [{"k": None}, {"k": 1}],
        },
    )
    item = PLAIN.model_copy(update={"metadata": ["tags", "score", "count", "name", "raw", "hash", "inner"]})
    found, _ = read(path, item)
    assert [json.loads(row["metadata"]) for row in found] == [
        {"tags": ["x", "y"], "score": 1.5, "count": 2**40, "name": 'é"\n', "raw": "ab", "hash": "ab",
         "inner": {"k": None}},
        {"tags": None, "score": None, "count": 0, "name": None, "raw": "\ufffd", "hash": "cd", "inner": {"k": 1}},
    ]  # fmt: skip


def test_a_damaged_row_group_is_one_dead_record_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    columns = {"text": [f"Zeile {i} " * 20 for i in range(30)]}
    pq.write_table(pa.table(columns), path, row_group_size=10, compression="zstd", use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    for at in range(chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size):
        data[at] ^= 0xFF
    path.write_bytes(data)
    found, dead = read(path)
    assert [row["text"].decode() for row in found] == columns["text"][:10] + columns["text"][20:]
    assert len(dead) == 1 and dead[0].records == 10
    assert dead[0].location == "rows 10 to 19" and "row group 1" in dead[0].error


def test_the_size_counts_the_columns_that_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "f.parquet", {"text": ["x" * 1000] * 2 + ["y" * 1000], "big": ["z" * 10_000] * 3})
    _, metadata = parquet.describe(str(path))
    assert 2000 <= parquet.text_bytes(PLAIN, metadata) < 9000
    with_big = PLAIN.model_copy(update={"metadata": ["big"]})
    assert parquet.text_bytes(with_big, metadata) > 10_000

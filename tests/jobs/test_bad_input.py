"""Bad input through the whole `annotate` job: a clear error or a dead record, and every good record survives."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from curation import dataset
from curation.readers.units import PlanError
from curation.recipe import load_recipe
from jobs import pipeline
from jobs.annotate import annotate
from jobs.run_context import JobError, Run

WEB = {"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}}
PAGES = {"name": "pages", "paths": ["*.parquet"], "format": "parquet", "columns": {"text": "text", "id": "id"}}


@pytest.fixture
def read(corpus, tmp_path: Path) -> Callable[..., tuple[list[str], list[dict[str, Any]]]]:
    """Runs `annotate` over the inputs; returns the ids of the documents and the dead records."""

    def run(*inputs: dict[str, Any], **settings: Any) -> tuple[list[str], list[dict[str, Any]]]:
        recipe = corpus.recipe(tmp_path, list(inputs), annotate={"max_bad_fraction": 1.0, **settings})
        opened = Run(load_recipe(recipe), str(tmp_path / "run"), workers=1)
        annotate(opened)
        rows: dict[str, list[dict[str, Any]]] = {}
        for name in ("documents", "dead"):
            assert dataset.verify(opened.output, name) == []
            files = sorted(dataset.read_manifest(opened.output, name)["files"])
            rows[name] = [row for file in files for row in dataset.read_part(opened.output, name, file).to_pylist()]
        return [row["id"] for row in rows["documents"]], rows["dead"]

    return run


def _rows(corpus, count: int, prefix: str = "web") -> list[dict[str, str]]:
    return [{"id": f"{prefix}-{n}", "text": corpus.text("en", n, 30)} for n in range(count)]


def _ids(rows: list[dict[str, str]]) -> list[str]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize("unit_bytes", [700, 1 << 20])
def test_broken_lines_cost_themselves_alone_wherever_the_units_are_cut(corpus, read, tmp_path, unit_bytes):
    good = _rows(corpus, 40)
    broken = [
        "null", '{"id": "cut", "text": "unterminated', "", "[1, 2]", '{"id": "no-text"}', '{"id": "n", "text": 7}',
        '{"id": "null", "text": null}', b'{"id": "nul", "text": "a\x00b"}', "plain text", "{}{}",
    ]  # fmt: skip
    lines: list[Any] = []
    for number, row in enumerate(good):
        lines += [row, broken[number % len(broken)]]
    corpus.jsonl(tmp_path / "web.jsonl", lines)
    ids, dead = read(WEB, unit_bytes=unit_bytes)
    assert ids == _ids(good)
    assert len(dead) == 36, "a blank line is no record; all the others are"
    data = (tmp_path / "web.jsonl").read_bytes()
    for record in dead:
        place = int(record["location"].removeprefix("line at byte "))
        line = data[place : data.index(b"\n", place)]
        assert place == 0 or data[place - 1 : place] == b"\n"
        assert line.decode() in {b.decode() if isinstance(b, bytes) else b for b in broken}
        assert record["records"] == 1 and record["error"] and record["source"] == "web"


def test_a_truncated_parquet_file_is_one_dead_record_and_the_others_are_read(corpus, read, tmp_path):
    good = _rows(corpus, 30)
    pq.write_table(pa.Table.from_pylist(good), tmp_path / "good.parquet")
    whole = (tmp_path / "good.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "footer.parquet").write_bytes(whole[:-4] + b"\xff\xff\xff\xff")
    (tmp_path / "text.parquet").write_bytes(b"this is no Parquet file at all, only its name says so")
    ids, dead = read(PAGES)
    assert ids == _ids(good)
    assert sorted(Path(record["path"]).name for record in dead) == ["cut.parquet", "footer.parquet", "text.parquet"]
    assert all("not a readable Parquet file" in record["error"] for record in dead)


def test_a_damaged_row_group_costs_its_own_rows_alone(corpus, read, tmp_path):
    good = _rows(corpus, 60)
    pq.write_table(pa.Table.from_pylist(good), tmp_path / "pages.parquet", row_group_size=20, use_dictionary=False)
    column = pq.ParquetFile(tmp_path / "pages.parquet").metadata.row_group(1).column(1)
    data = bytearray((tmp_path / "pages.parquet").read_bytes())
    start = column.data_page_offset + 40
    data[start : start + 200] = b"\xff" * 200
    (tmp_path / "pages.parquet").write_bytes(data)
    ids, dead = read(PAGES)
    assert ids == _ids(good[:20] + good[40:])
    assert [(record["location"], record["records"]) for record in dead] == [("rows 20 to 39", 20)]


@pytest.mark.parametrize("name", ["web.jsonl", "web.jsonl.gz", "pages.parquet"])
def test_a_file_of_zero_bytes_is_a_dead_record(corpus, read, tmp_path, name):
    corpus.jsonl(tmp_path / "good.jsonl", _rows(corpus, 5))
    (tmp_path / name).write_bytes(b"")
    empty = {**(PAGES if name.endswith("parquet") else WEB), "name": "empty", "paths": [name]}
    ids, dead = read({**WEB, "paths": ["good.jsonl"]}, empty)
    assert len(ids) == 5
    assert [(Path(record["path"]).name, record["error"]) for record in dead] == [(name, "the file is empty (0 bytes)")]


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_compressed_file_cut_short_gives_what_it_holds_and_one_dead_record(corpus, read, tmp_path, ending):
    good = _rows(corpus, 2000)
    data = corpus.jsonl(tmp_path / "plain", good).read_bytes()
    packed = gzip.compress(data) if ending == ".gz" else zstandard.compress(data)
    (tmp_path / f"web.jsonl{ending}").write_bytes(packed[: len(packed) * 9 // 10])
    ids, dead = read({**WEB, "paths": [f"web.jsonl{ending}"]})
    assert ids == _ids(good)[: len(ids)]
    assert len(ids) > 1000, "nearly half of the records lie in whole blocks before the break"
    [*torn, broken_off] = dead
    assert "cannot be decompressed" in broken_off["error"]
    assert len(torn) <= 1, "at most the line the break is in"


def test_invalid_utf8_is_repaired_counted_and_kept(corpus, read, tmp_path):
    lines = [b'{"id": "latin", "text": "caf\xe9 in the morning"}', b'{"id": "fine", "text": "caf\xc3\xa9"}']
    corpus.jsonl(tmp_path / "web.jsonl", [*lines, b'{"id": "surrogate", "text": "a \\ud800 b"}'])
    (tmp_path / "latin.txt").write_bytes(b"na\xefve\n")
    ids, dead = read(WEB, {"name": "notes", "paths": ["*.txt"], "format": "text"})
    assert ids[:3] == ["latin", "fine", "surrogate"] and len(ids) == 4 and dead == []
    run = str(tmp_path / "run")
    signals = [dataset.read_part(run, "signals", f"part-0000{part}.parquet") for part in (0, 1)]
    counted = signals[0]["invalid_utf8"].to_pylist()
    assert counted[0] == 1 and counted[1] == 0 and counted[2] >= 1
    assert signals[1]["invalid_utf8"].to_pylist() == [1]
    assert dataset.read_part(run, "documents", "part-00000.parquet")["text"][0].as_py() == "caf\ufffd in the morning"


@pytest.mark.parametrize("ending", ["jsonl", "txt"])
def test_an_over_long_line_is_a_dead_record_and_its_neighbours_are_read(corpus, read, tmp_path, ending):
    limit = 50_000
    if ending == "jsonl":
        lines = [json.dumps(row) for row in _rows(corpus, 40)]
        lines.insert(20, json.dumps({"id": "long", "text": "x" * 3_000_000}))
        item = {**WEB, "paths": ["web.jsonl"]}
    else:
        lines = [corpus.text("en", n, 30) for n in range(40)]
        lines.insert(20, "x" * 3_000_000)
        item = {"name": "web", "paths": ["web.txt"], "format": "text", "document": "line"}
    (tmp_path / f"web.{ending}").write_text("\n".join(lines))
    ids, dead = read(item, unit_bytes=20_000, max_document_bytes=limit)
    assert len(ids) == 40
    assert [record["location"] for record in dead] == [f"line at byte {len(chr(10).join(lines[:20])) + 1}"]


def test_a_line_of_200_megabytes_is_passed_over_without_being_held(corpus, tmp_path):
    """The line is a hole in the file, so the disk holds almost nothing of it."""
    good = [json.dumps(row).encode() + b"\n" for row in _rows(corpus, 200)]
    with (tmp_path / "web.jsonl").open("wb") as file:
        file.write(b"".join(good[:100]) + b'{"id": "long", "text": "')
        file.seek(200_000_000, os.SEEK_CUR)
        file.write(b'"}\n' + b"".join(good[100:]))
    recipe = corpus.recipe(tmp_path, [WEB])
    code = "import sys; from jobs.cli import main; sys.argv[0] = 'glotmill'; main()"
    process = subprocess.Popen([sys.executable, "-c", code, "annotate", str(recipe), "--workers", "1"])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) < 1.5 * (1 << 30)
    run = str(tmp_path / "run")
    counts = json.loads(Path(run, "_jobs", "annotate", "done.json").read_text())["counts"]
    assert (counts["documents"], counts["dead"]) == (200, 1)
    [file_name] = dataset.read_manifest(run, "dead")["files"]
    [record] = dataset.read_part(run, "dead", file_name).to_pylist()
    assert record["location"] == f"line at byte {sum(map(len, good[:100]))}"
    assert "200,000,027 bytes" in record["error"]


def test_a_pattern_that_matches_nothing_stops_before_anything_is_written(corpus, read, tmp_path):
    corpus.jsonl(tmp_path / "web.jsonl", _rows(corpus, 3))
    with pytest.raises(PlanError, match=r"input 'web': no file matches .*wbe\.jsonl; did you mean web\.jsonl\?"):
        read({**WEB, "paths": ["wbe.jsonl"]})
    with pytest.raises(PlanError, match=r"no file matches .*nowhere/\*\.jsonl: there is no folder"):
        read({**WEB, "paths": ["nowhere/*.jsonl"]})
    assert not (tmp_path / "run").exists()


def test_every_wrong_column_of_every_input_is_named_at_once(corpus, read, tmp_path):
    corpus.jsonl(tmp_path / "web.jsonl", _rows(corpus, 3))
    pq.write_table(pa.table({"content": ["a"], "id": ["1"], "score": [0.5]}), tmp_path / "pages.parquet")
    with pytest.raises(PlanError) as caught:
        read(
            {**WEB, "columns": {"text": "txt"}},
            {**PAGES, "columns": {"text": "contents"}, "metadata": ["yaer"]},
            {**PAGES, "name": "scores", "columns": {"text": "score"}},
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "web.jsonl: no column 'txt' (did you mean 'text'?)" in lines[0]
    assert "pages.parquet: no column 'contents' (did you mean 'content'?), 'yaer'" in lines[1]
    assert "column 'score' holds double; a text column must hold strings or bytes" in lines[2]


def test_too_many_unreadable_records_fail_with_the_numbers(corpus, read, tmp_path):
    corpus.jsonl(tmp_path / "web.jsonl", [*_rows(corpus, 95), *["{broken"] * 5])
    with pytest.raises(JobError) as caught:
        read(WEB, max_bad_fraction=0.04)
    message = str(caught.value)
    assert "5 of 100 records (5.00%) are unreadable" in message and "max_bad_fraction (4.00%)" in message
    assert str(tmp_path / "run" / "dead") in message
    assert not (tmp_path / "run" / "_jobs" / "annotate" / "done.json").exists()
    ids, dead = read(WEB, max_bad_fraction=0.05)
    assert len(ids) == 95 and len(dead) == 5


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"{broken\n"])
def test_inputs_without_one_readable_document_fail(read, tmp_path, content):
    (tmp_path / "web.jsonl").write_bytes(content)
    with pytest.raises(JobError, match="no document could be read"):
        read(WEB)
    assert not (tmp_path / "run" / "_jobs" / "annotate" / "done.json").exists()


def _until_select(corpus, tmp_path: Path, policy: str, **settings: Any) -> None:
    corpus.jsonl(tmp_path / "web.jsonl", _rows(corpus, 20))
    recipe = corpus.recipe(tmp_path, [WEB], policy=policy, **settings)
    pipeline.run_until(Run(load_recipe(recipe), str(tmp_path / "run"), workers=1), "select")


def test_a_policy_that_rejects_everything_fails_with_the_most_frequent_reasons(corpus, tmp_path):
    policy = """
name: harsh
domains:
  web:
    rules:
      harsh.words: {signal: words, min: 1000}
      harsh.digits: {signal: digit_ratio, min: 0.9}
      harsh.some: {reject_when: "characters > 160"}
"""
    with pytest.raises(JobError, match=r"policy 'harsh' rejects every document; .*: harsh\.(words|digits) \(20\)"):
        _until_select(corpus, tmp_path, policy)
    assert not (tmp_path / "run" / "curated").exists()


def test_a_mixture_that_keeps_nothing_fails(corpus, tmp_path):
    policy = "name: open\ndomains: {}\n"
    with pytest.raises(JobError, match="mixture"):
        _until_select(corpus, tmp_path, policy, select={"mixture": {"budget": 1e-9}})
    assert not (tmp_path / "run" / "_jobs" / "select" / "done.json").exists()


def test_no_selected_language_fails_with_that_reason(corpus, tmp_path):
    with pytest.raises(JobError, match=r"language\.not_selected \(20\)"):
        _until_select(corpus, tmp_path, "name: open\ndomains: {}\n", select={"languages": ["km"]})

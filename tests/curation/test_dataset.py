"""Datasets: parts that equal what was written, ledgers that resume, stale output that goes, damage that is found."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation import dataset, storage
from curation.dataset import Job, PartWriter, iterate_part, read_manifest, read_part, verify, write_parquet

SCHEMA = pa.schema([pa.field("n", pa.int64()), pa.field("text", pa.large_string())])


def batch(*numbers: int) -> pa.RecordBatch:
    return pa.record_batch([list(numbers), [f"Zeile {n}" for n in numbers]], schema=SCHEMA)


def job_of(run: Path, fingerprint: str = "f1") -> Job:
    return Job(str(run), "annotate", ("documents", "signals"), fingerprint, {"seed": 1})


def write_part(job: Job, ordinal: int, *numbers: int) -> None:
    """A whole part of both datasets and its record."""
    name = f"{dataset.part_name(ordinal)}.parquet"
    files = {d: {name: write_parquet(job.path(d, name), [batch(*numbers)], SCHEMA)} for d in job.datasets}
    job.write_record(ordinal, {"files": files})


def test_a_part_equals_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are gathered into row groups, and none is lost between them."""
    monkeypatch.setattr(dataset, "ROW_GROUP_BYTES", 200)
    batches = [batch(*range(i, i + 5)) for i in range(0, 50, 5)]
    with PartWriter(f"{tmp_path}/documents/p.parquet", SCHEMA) as part:
        for each in batches:
            part.write(each)
        assert not os.path.exists(f"{tmp_path}/documents/p.parquet")
    table = read_part(str(tmp_path), "documents", "p.parquet")
    assert table.equals(pa.Table.from_batches(batches))
    assert 1 < pq.ParquetFile(f"{tmp_path}/documents/p.parquet").num_row_groups < 10
    path = f"{tmp_path}/documents/p.parquet"
    assert part.record == {"rows": 50, "bytes": os.path.getsize(path), "sha256": storage.sha256(path)}
    again = pa.Table.from_batches(iterate_part(str(tmp_path), "documents", "p.parquet", 7))
    assert again.equals(table)
    assert read_part(str(tmp_path), "documents", "p.parquet", ["n"]).column_names == ["n"]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    records = [write_parquet(f"{tmp_path}/{i}", [batch(1, 2), batch(3)], SCHEMA) for i in range(2)]
    assert records[0] == records[1]


def test_a_failed_part_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), PartWriter(f"{tmp_path}/p.parquet", SCHEMA) as part:
        part.write(batch(1))
        raise RuntimeError
    wrong = pa.record_batch([["x"]], names=["other"])
    with pytest.raises(pa.ArrowInvalid):
        write_parquet(f"{tmp_path}/q.parquet", [wrong], SCHEMA)
    assert os.listdir(tmp_path) == []


def test_an_empty_part_is_a_part(tmp_path: Path) -> None:
    assert write_parquet(f"{tmp_path}/documents/p.parquet", [], SCHEMA)["rows"] == 0
    assert read_part(str(tmp_path), "documents", "p.parquet").schema.equals(SCHEMA)


def test_a_job_resumes_with_the_parts_that_have_records(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    assert job.open() is False and job.finished_parts() == []
    write_part(job, 0, 1, 2)
    write_part(job, 12, 3)
    leftover = tmp_path / "documents" / f"part-00001.parquet{storage.TEMPORARY_MARK}abc"
    leftover.write_text("half")

    again = job_of(tmp_path)
    assert again.open() is False, "parts are missing, the job is not complete"
    assert again.finished_parts() == [0, 12]
    assert again.record(12)["files"]["documents"]["part-00012.parquet"]["rows"] == 1
    assert not leftover.exists()
    again.close({"parent": "p1"}, {"documents": 3})
    assert job_of(tmp_path).open() is True
    assert job_of(tmp_path).summary() == {"fingerprint": "f1", "documents": 3}


def test_the_manifest_says_what_the_parts_hold(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    job.open()
    write_part(job, 1, 3)
    write_part(job, 0, 1, 2)
    job.close({"raw": "p1"})
    manifest = read_manifest(str(tmp_path), "signals")
    assert manifest["rows"] == 3 and list(manifest["files"]) == ["part-00000.parquet", "part-00001.parquet"]
    assert manifest["bytes"] == sum(file["bytes"] for file in manifest["files"].values())
    assert manifest["schema"] == {"n": "int64", "text": "large_string"}
    assert (manifest["fingerprint"], manifest["parents"], manifest["recipe"]) == ("f1", {"raw": "p1"}, {"seed": 1})


def test_output_of_another_fingerprint_is_removed(tmp_path: Path) -> None:
    old = job_of(tmp_path)
    old.open()
    write_part(old, 0, 1)
    old.close({})
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "kept").write_text("another job's")

    new = job_of(tmp_path, "f2")
    assert new.open() is False and new.finished_parts() == []
    assert storage.list_files(f"{tmp_path}/documents") == storage.list_files(f"{tmp_path}/signals") == []
    assert (tmp_path / "tokenizer" / "kept").exists()
    with pytest.raises(FileNotFoundError, match="'documents' is not finished"):
        read_manifest(str(tmp_path), "documents")


def test_verify_names_the_damaged_file(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    job.open()
    for part in range(3):
        write_part(job, part, part)
    job.close({})
    assert verify(str(tmp_path), "documents") == []

    first, second, third = (tmp_path / "documents" / f"part-{i:05d}.parquet" for i in range(3))
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    second.write_bytes(second.read_bytes()[:-1])
    third.unlink()
    problems = verify(str(tmp_path), "documents")
    assert len(problems) == 3
    assert "part-00000" in problems[0] and "SHA-256" in problems[0]
    assert "part-00001" in problems[1] and "bytes" in problems[1]
    assert "part-00002" in problems[2]
    assert verify(str(tmp_path), "signals") == []


def test_fingerprints_depend_on_content_not_spelling() -> None:
    assert dataset.fingerprint({"a": 1, "b": [2]}) == dataset.fingerprint(json.loads('{"b": [2], "a": 1}'))
    assert dataset.fingerprint({"a": 1}) != dataset.fingerprint({"a": 2})
    assert dataset.canonical_json({"ä": 1, "a": None}) == '{"a":null,"ä":1}'.encode()

"""Job report: gathers from a run folder what is there, writes one file, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curation import schema
from curation.dataset import pretty_json, write_parquet
from curation.recipe import Input, Recipe
from jobs.report import (
    SAMPLE_CHARACTERS,
    SAMPLES_PER_REASON,
    UNREADABLE_SHOWN,
    choose_samples,
    gather,
    report,
)
from jobs.run_context import JobError, Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    recipe = Recipe(name="tiny", output=str(tmp_path), inputs=[Input(name="web", paths=["-"], format="text")])
    return Run(recipe, str(tmp_path))


def write_json(run: Run, value: object, *names: str) -> None:
    path = Path(run.path(*names))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pretty_json(value))


def write_dataset(run: Run, name: str, kind: pa.Schema, parts: list[list[dict[str, Any]]]) -> None:
    """A dataset of one file per list of rows, with its manifest."""
    Path(run.path(name)).mkdir()
    files = {}
    for number, rows in enumerate(parts):
        file = f"part-{number:05d}.parquet"
        files[file] = write_parquet(run.path(name, file), [pa.RecordBatch.from_pylist(rows, schema=kind)], kind)
    totals = {total: sum(file[total] for file in files.values()) for total in ("rows", "bytes")}
    write_json(run, {"fingerprint": "f" * 32, "files": files, **totals}, name, "manifest.json")


def rejected(number: int, reasons: list[str], text: str | None, language: str = "en") -> dict[str, Any]:
    return {"id": f"id-{number}", "address": number, "source": "web", "language": language, "domain": "web",
            "reasons": reasons, "keeper": None, "text": text}  # fmt: skip


FUNNEL = [{
    "language": "en", "domain": "web", "documents": 4, "bytes": 4000, "rejected": 3, "duplicates": 0, "passed": 1,
    "passed_bytes": 1000, "reasons": {"gopher.words": 3}, "kept_documents": 1, "kept_bytes": 1000,
    "kept_epoch_bytes": 1000, "asked_share": 1.0, "got_share": 1.0, "rate": 1.0,
}]  # fmt: skip


def test_an_empty_run_gives_a_page_and_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    report(run)
    assert [path.name for path in Path(run.output).iterdir()] == ["report.html"]
    assert "Job <code>annotate</code> has not run yet" in Path(run.path("report.html")).read_text(encoding="utf-8")
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and run.path("report.html") in said


def test_everything_in_the_run_folder_is_gathered(run: Run) -> None:
    counts = {"documents": 4, "utf8_bytes": 4000, "dead": 1, "documents_with_invalid_utf8": 0}
    write_json(run, {"fingerprint": "a", "counts": counts}, "_jobs", "annotate", "done.json")
    write_json(run, {"clusters": 0, "sizes": {}}, "_jobs", "dedup", "done.json")
    write_json(run, FUNNEL, "funnel.json")
    write_json(run, {"vocab_size": 300}, "tokenizer", "evaluation.json")
    write_json(run, {"tokens": 5}, "shards", "train", "manifest.json")
    write_json(run, {"micro": 1.5}, "model", "evaluation.json")
    Path(run.path("model", "metrics.jsonl")).write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo', encoding="utf-8")
    write_dataset(run, "rejected", schema.REJECTED, [[rejected(1, ["gopher.words"], None)]])
    data = gather(run)
    assert data.name == "tiny" and data.annotated == counts and data.funnel == FUNNEL
    assert data.duplicates == {"clusters": 0, "sizes": {}} and data.tokenizer == {"vocab_size": 300}
    assert data.shards == {"train": {"tokens": 5}} and data.evaluation == {"micro": 1.5}
    assert data.metrics == [{"step": 1, "loss": 2.0}], "the line that a crash cut short is left out"
    assert list(data.datasets) == ["rejected"] and data.samples == []


def test_the_page_is_the_same_every_time_and_holds_document_text_escaped(run: Run) -> None:
    write_json(run, FUNNEL, "funnel.json")
    write_dataset(run, "rejected", schema.REJECTED, [[rejected(1, ["gopher.words"], "<script>alert(1)</script>")]])
    report(run)
    first = Path(run.path("report.html")).read_bytes()
    report(run)
    assert Path(run.path("report.html")).read_bytes() == first
    assert b"<script" not in first and b"&lt;script&gt;alert(1)&lt;/script&gt;" in first


def test_unreadable_records_are_the_first_over_all_parts(run: Run) -> None:
    def row(number: int) -> dict[str, Any]:
        return {"source": "web", "path": "a.jsonl", "location": f"line at byte {number}", "records": 1,
                "error": "no JSON", "sample": "x"}  # fmt: skip

    write_dataset(run, "dead", schema.DEAD, [[row(n) for n in range(15)], [row(n) for n in range(15, 40)]])
    shown = gather(run).unreadable
    assert [item["location"] for item in shown] == [f"line at byte {n}" for n in range(UNREADABLE_SHOWN)]


def test_samples_are_beginnings_of_documents_that_kept_their_text(run: Run) -> None:
    write_json(run, FUNNEL, "funnel.json")
    long, short = "ก" * (SAMPLE_CHARACTERS + 50), "ข" * SAMPLE_CHARACTERS
    rows = [rejected(1, ["gopher.words"], None), rejected(2, ["gopher.words"], long)]
    write_dataset(run, "rejected", schema.REJECTED, [rows, [rejected(3, ["gopher.words"], short, "th")]])
    samples = gather(run).samples
    assert [sample.id for sample in samples] == ["id-2", "id-3"]
    assert [sample.text for sample in samples] == ["ก" * SAMPLE_CHARACTERS + "…", short]


def test_samples_prefer_new_languages_then_few_reasons_and_show_none_twice() -> None:
    pool = [
        rejected(0, ["a", "b"], "x"), rejected(1, ["a"], "x"), rejected(2, ["a"], "x"), rejected(3, ["a"], "x"),
        rejected(4, ["a", "b", "c"], "x", "th"),
    ]  # fmt: skip
    for row in pool:
        del row["address"], row["keeper"]
    chosen = choose_samples(pool, ["a", "b", "unseen"])
    assert [(sample.reason, sample.id) for sample in chosen] == [
        ("a", "id-1"), ("a", "id-4"), ("a", "id-2"), ("b", "id-0"),
    ]  # fmt: skip
    assert SAMPLES_PER_REASON == 3


def test_a_damaged_file_is_named(run: Run) -> None:
    Path(run.path("funnel.json")).write_text("{", encoding="utf-8")
    with pytest.raises(JobError, match=r"funnel\.json is damaged .*run its job again"):
        report(run)
    Path(run.path("funnel.json")).unlink()
    Path(run.path("model")).mkdir()
    Path(run.path("model", "metrics.jsonl")).write_text(json.dumps({"step": 1}) + "\n{\n", encoding="utf-8")
    with pytest.raises(JobError, match=r"metrics\.jsonl, line 2 is damaged"):
        report(run)

"""The same bytes whatever happens: more workers, a kill at any moment, changed settings."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curation import storage
from curation.dataset import pretty_json
from curation.recipe import load_recipe
from jobs import pipeline
from jobs.annotate import annotate
from jobs.run_context import Run

COMMAND = "import sys; from jobs.cli import main; sys.argv[0] = 'glotmill'; main()"


def _glotmill(*arguments: str) -> subprocess.Popen[bytes]:
    """The command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _records(run: str, job: str) -> list[Path]:
    return sorted(Path(run, "_jobs", job).glob("part-*.json"))


def _kill_amid(process: subprocess.Popen[bytes], run: str, job: str, at_least: int) -> None:
    """SIGKILL the whole process group, workers included, once some parts are recorded."""
    limit = time.monotonic() + 120
    try:
        while len(_records(run, job)) < at_least:
            assert process.poll() is None, f"{job} ended before it could be killed"
            assert time.monotonic() < limit, f"{job} recorded no part in two minutes"
            time.sleep(0.002)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not Path(run, "_jobs", job, "done.json").exists(), f"{job} was complete before it was killed"


def _stamps(paths: list[Path]) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def _temporary(run: str) -> list[Path]:
    return [path for path in Path(run).rglob("*") if storage.TEMPORARY_MARK in path.name]


def _until(recipe: Path, output: Path, last: str, workers: int = 1) -> Run:
    run = Run(load_recipe(recipe), str(output), workers=workers)
    pipeline.run_until(run, last)
    return run


def test_two_worker_processes_write_the_same_bytes_as_one(finished, tmp_path, checksums, monkeypatch):
    monkeypatch.setattr(Run, "worker_count", lambda self, units: self.workers)  # even where two are not worth it
    _until(finished.recipe, tmp_path / "run", "shard", workers=2)
    parallel = checksums(tmp_path / "run")
    alone = {
        name: digest
        for name, digest in checksums(finished.run.output).items()
        if not name.startswith(("model/", "_jobs/train/"))
    }
    assert parallel == alone


def test_the_model_is_the_same_bytes_when_trained_again(finished, tmp_path, checksums):
    _until(finished.recipe, tmp_path / "run", "train")
    once, again = checksums(Path(finished.run.output, "model")), checksums(tmp_path / "run" / "model")
    assert once.keys() == again.keys()
    assert {name for name in once if once[name] != again[name]} <= {"metrics.jsonl"}


@pytest.mark.parametrize("job", ["annotate", "encode", "shard"])
def test_a_killed_job_goes_on_at_the_next_part_and_ends_with_the_same_bytes(
    job: str, corpus, tmp_path: Path, checksums: Callable[[Path], dict[str, str]], monkeypatch
):
    rows = [{"id": str(n), "text": corpus.text("en", n, 300)} for n in range(160)]
    corpus.jsonl(tmp_path / "web.jsonl", rows)
    recipe = corpus.recipe(
        tmp_path,
        [{"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}}],
        annotate={"unit_bytes": 5000},
        tokenizer={"vocab_size": 400, "sample_bytes": 50_000},
        shards={"unit_bytes": 4000, "validation_fraction": 0.1, "shuffle": True, "shard_tokens": 1500},
    )
    output = tmp_path / "run"
    command = "annotate" if job == "annotate" else "shard"
    if command == "shard":
        _until(recipe, output, "train-tokenizer")
        shutil.copytree(output, tmp_path / "uninterrupted")
    _kill_amid(_glotmill(command, str(recipe), "--workers", "2"), str(output), job, 4)
    killed = _records(str(output), job)
    numbers = {path.stem[-5:] for path in killed}
    folders = {"annotate": ("documents", "signals"), "encode": ("encoded",), "shard": ("shards/train",)}[job]
    files = [path for name in folders for path in (output / name).rglob("*")]
    parts = [path for path in files if path.name.split(".")[0][-5:] in numbers]
    if job == "encode":  # of a small unit it may hold out no document, and write one run
        assert {path.name.split(".")[0][-5:] for path in parts} == numbers
    else:
        assert len(parts) > len(killed)
    # What a kill between writing and renaming leaves behind, wherever it hits.
    for folder in (output / folders[0], output / "_jobs" / job, output):
        (folder / "part-00077.json.tmp-0123456789ab").write_bytes(b"half")
    stamps = _stamps([*parts, *killed])

    if job == "encode":  # its runs are removed in the end, so look at them before
        monkeypatch.setattr("jobs.shard._remove_runs", lambda encoded: None)
    _until(recipe, output, command)
    assert _stamps(list(stamps)) == stamps, "finished parts were written again"
    assert len(_records(str(output), job)) > len(killed)
    assert _temporary(str(output)) == []
    _until(recipe, tmp_path / "uninterrupted", command)
    assert checksums(output) == checksums(tmp_path / "uninterrupted")


def test_a_finished_job_is_found_done_and_nothing_is_touched(finished):
    files = _stamps([path for path in Path(finished.run.output).rglob("*") if path.is_file()])
    _until(finished.recipe, Path(finished.run.output), "train")
    assert _stamps(list(files)) == files


@pytest.fixture
def decided(corpus, tmp_path: Path) -> Callable[..., Run]:
    """Runs a small recipe up to `select`, with the settings given."""
    rows = [{"id": str(n), "text": corpus.text("en", n, 20 + 10 * n)} for n in range(12)]
    corpus.jsonl(tmp_path / "web.jsonl", rows)

    def run(policy: str, **annotate: object) -> Run:
        recipe = corpus.recipe(
            tmp_path,
            [{"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}}],
            policy=policy,
            annotate={"unit_bytes": 2000, **annotate},
        )
        return _until(recipe, tmp_path / "run", "select")

    return run


WORDS_FROM = "name: p\ndomains: {{web: {{rules: {{p.words: {{signal: words, min: {0}}}}}}}}}\n"


def _curated(run: Run) -> int:
    return sum(json.loads(path.read_text())["counts"]["documents"] for path in _records(run.output, "select"))


def test_another_policy_decides_anew_without_annotating_again(decided, tmp_path: Path):
    run = decided(WORDS_FROM.format(30))
    assert _curated(run) == 11
    kept = [*(tmp_path / "run" / "documents").iterdir(), *(tmp_path / "run" / "signals").iterdir()]
    stamps = _stamps(kept)
    assert _curated(decided(WORDS_FROM.format(80))) == 6
    assert _stamps(kept) == stamps


def test_other_annotate_settings_redo_everything_and_leave_nothing_stale(decided, tmp_path: Path, checksums):
    decided(WORDS_FROM.format(30), unit_bytes=900)
    decided(WORDS_FROM.format(30), unit_bytes=2500)
    changed = checksums(tmp_path / "run")
    storage.delete_folder(str(tmp_path / "run"))
    decided(WORDS_FROM.format(30), unit_bytes=2500)
    assert changed == checksums(tmp_path / "run")


def test_max_bad_fraction_is_no_part_of_the_output_so_changing_it_keeps_the_parts(decided, tmp_path: Path):
    decided(WORDS_FROM.format(30))
    stamps = _stamps(list((tmp_path / "run" / "documents").iterdir()))
    decided(WORDS_FROM.format(30), max_bad_fraction=0.5)
    assert _stamps(list(stamps)) == stamps


def test_changed_input_is_annotated_again(decided, corpus, tmp_path: Path):
    run = decided(WORDS_FROM.format(0))
    with (tmp_path / "web.jsonl").open("a") as file:
        file.write('{"id": "new", "text": "a document that came later"}\n')
    assert _curated(run) == 12
    assert _curated(decided(WORDS_FROM.format(0))) == 13


def test_a_run_that_was_stopped_while_stale_output_was_removed_starts_clean(decided, tmp_path: Path, checksums):
    """The ledger goes first: documents without a ledger count as nothing."""
    run = decided(WORDS_FROM.format(30))
    expected = checksums(tmp_path / "run")
    storage.delete_folder(f"{run.output}/_jobs/annotate")
    Path(run.output, "documents", "part-00099.parquet").write_bytes(b"of an older run")
    decided(WORDS_FROM.format(30))
    assert checksums(tmp_path / "run") == expected


def test_a_ledger_of_another_fingerprint_is_never_taken_for_done(decided, tmp_path: Path, checksums):
    run = decided(WORDS_FROM.format(30))
    expected = checksums(tmp_path / "run")
    state = Path(run.output, "_jobs", "annotate", "job.json")
    state.write_bytes(pretty_json({"fingerprint": "0" * 32, "recipe": {}}))
    assert annotate(run).fingerprint != "0" * 32
    decided(WORDS_FROM.format(30))
    assert checksums(tmp_path / "run") == expected

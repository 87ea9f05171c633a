"""An index of finished runs stands for them in ``dedup.against``; the forecast of `plan` grows as the job does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.dataset import read_manifest, read_part
from curation.recipe import load_recipe
from jobs import pipeline
from jobs.dedup_forecast import forecast
from jobs.errors import JobError
from jobs.index import write_index
from jobs.run_context import Run


@pytest.fixture
def deduplicated(corpus, tmp_path: Path) -> Callable[..., tuple[str, dict[str, dict[str, Any]]]]:
    """Runs documents given by id to duplicates/; returns the run's folder and the row of each id."""

    def run(name: str, texts: dict[str, str], **dedup: Any) -> tuple[str, dict[str, dict[str, Any]]]:
        corpus.jsonl(tmp_path / name / "web.jsonl", [{"id": key, "text": text} for key, text in texts.items()])
        item = {"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}}
        settings = {"annotate": {"unit_bytes": 1500}, "dedup": dedup}
        opened = Run(load_recipe(corpus.recipe(tmp_path / name, [item], **settings)), str(tmp_path / name / "run"), 1)
        pipeline.run_until(opened, "dedup")
        files = sorted(read_manifest(opened.output, "duplicates")["files"])
        ids = [row["id"] for f in files for row in read_part(opened.output, "documents", f, ["id"]).to_pylist()]
        rows = [row for f in files for row in read_part(opened.output, "duplicates", f).to_pylist()]
        return opened.output, dict(zip(ids, rows, strict=True))

    return run


def _text(corpus, seed: int) -> str:
    return str(corpus.text("en", seed, 200))


def test_an_index_of_two_runs_finds_what_the_runs_themselves_do(corpus, deduplicated, tmp_path: Path) -> None:
    first, _ = deduplicated("first", {f"a{n}": _text(corpus, n) for n in range(6)} | {"a9": _text(corpus, 0)})
    second, _ = deduplicated("second", {f"b{n}": _text(corpus, 20 + n) for n in range(6)})
    new = {"n0": _text(corpus, 0), "n1": _text(corpus, 21) + " more words", "n2": _text(corpus, 50)}
    write_index([first, second], str(tmp_path / "index"))
    _, expected = deduplicated("by-runs", new, against=[first, second], verify="signature")
    _, found = deduplicated("by-index", new, against=[str(tmp_path / "index")], verify="signature")
    names = ("match", "similarity", "earlier_id", "cluster_size", "rank", "keeper")
    assert {k: [row[n] for n in names] for k, row in found.items()} == \
           {k: [row[n] for n in names] for k, row in expected.items()}  # fmt: skip
    assert [found[k]["earlier_id"] for k in ("n0", "n1", "n2")] == ["a0", "b1", None]
    assert not (tmp_path / "index" / "documents").exists()


def test_indexes_merge_into_the_same_as_an_index_of_all_runs(corpus, deduplicated, tmp_path: Path, checksums) -> None:
    runs = [deduplicated(name, {f"{name}{n}": _text(corpus, seed + n) for n in range(4)})[0]
            for name, seed in (("a", 0), ("b", 10), ("c", 20))]  # fmt: skip
    write_index(runs, str(tmp_path / "all"))
    write_index(runs[:2], str(tmp_path / "two"))
    write_index([str(tmp_path / "two"), runs[2]], str(tmp_path / "merged"))
    all_files, merged = checksums(tmp_path / "all"), checksums(tmp_path / "merged")
    parquet = [name for name in all_files if name.endswith(".parquet")]
    assert parquet and {name: merged[name] for name in parquet} == {name: all_files[name] for name in parquet}


def test_signatures_decide_where_an_index_has_no_text(corpus, deduplicated, tmp_path: Path) -> None:
    text = _text(corpus, 1)
    first, _ = deduplicated("first", {"a": text})
    write_index([first], str(tmp_path / "index"))
    new = {"b": text + " with two more words", "c": _text(corpus, 2), "d": _text(corpus, 2) + " and one"}
    _, found = deduplicated("new", new, against=[str(tmp_path / "index")], verify="exact")
    _, signature = deduplicated("estimated", new, against=[str(tmp_path / "index")], verify="signature")
    _, exact = deduplicated("exact", new, against=[first], verify="exact")
    assert found["b"]["earlier_id"] == "a" and found["b"]["similarity"] == signature["b"]["similarity"]
    assert found["c"]["similarity"] == exact["c"]["similarity"] != signature["c"]["similarity"]


def test_runs_that_cannot_be_compared_are_refused(corpus, deduplicated, tmp_path: Path) -> None:
    first, _ = deduplicated("first", {"a": _text(corpus, 1)})
    with pytest.raises(JobError, match="given twice"):
        write_index([first, first], str(tmp_path / "index"))
    with pytest.raises(FileNotFoundError, match="is not finished"):
        write_index([str(tmp_path / "nothing")], str(tmp_path / "index"))


def test_the_forecast_follows_the_documents_and_the_bands(corpus, tmp_path: Path) -> None:
    item = {"name": "web", "paths": ["x"], "format": "text"}

    def of(documents: int, **settings: Any) -> Any:
        return forecast(Run(load_recipe(corpus.recipe(tmp_path, [item], **settings)), "out"), documents)

    small, large = of(2_000_000), of(20_000_000)
    assert large.shuffled == 10 * small.shuffled and large.seconds == pytest.approx(10 * small.seconds)
    assert large.memory < 2 * small.memory and not large.rounds
    assert of(2_000_000, annotate={"minhash": "refinedweb"}).shuffled > 10 * small.shuffled
    assert of(2_000_000_000).rounds and of(2_000_000_000).memory < 1 << 30

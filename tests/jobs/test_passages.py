"""Shared lines, paragraphs and substrings through the whole job: what is cut, from whom, and what stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.dataset import read_manifest, read_part
from curation.recipe import RecipeError, load_recipe
from jobs import passages, pipeline
from jobs.run_context import Run

NOTICE = "this notice stands at the foot of many pages of the village market"


@pytest.fixture
def cleaned(corpus, tmp_path: Path) -> Callable[..., dict[str, dict[str, Any]]]:
    """Runs documents given by id to curated/ and rejected/; returns text or reasons of each."""

    def run(texts: dict[str, str], workers: int = 1, folder: str = "run", **rules: Any) -> dict[str, dict[str, Any]]:
        corpus.jsonl(tmp_path / "web.jsonl", [{"id": name, "text": text} for name, text in texts.items()])
        item = {"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}}
        settings = {"annotate": {"unit_bytes": 3000}, "dedup": {"passages": rules}, "select": {"rejected_text": 1.0}}
        opened = Run(load_recipe(corpus.recipe(tmp_path, [item], **settings)), str(tmp_path / folder), workers)
        pipeline.run_until(opened, "select")
        found: dict[str, dict[str, Any]] = {}
        for dataset in ("curated", "rejected"):
            for file in sorted(read_manifest(opened.output, dataset)["files"]):
                rows = read_part(opened.output, dataset, file).to_pylist()
                found |= {row["id"]: {**row, "kept": dataset == "curated"} for row in rows}
        return found

    return run


def _pages(corpus, count: int = 8) -> dict[str, str]:
    return {f"page-{n}": f"{corpus.text('en', n, 80)}\n\n{NOTICE}\n\n{corpus.text('en', 100 + n, 40)}"
            for n in range(count)}  # fmt: skip


def test_a_shared_line_stays_in_the_first_document_alone(corpus, cleaned) -> None:
    pages = _pages(corpus)
    found = cleaned({**pages, "short": corpus.text("en", 50) + "\nRead more\n" + corpus.text("en", 51, 30),
                     "short-too": corpus.text("en", 52) + "\nRead more\n" + corpus.text("en", 53, 30)},
                    lines={"min_words": 3})  # fmt: skip
    assert all(row["kept"] for row in found.values())
    assert found["page-0"]["text"] == pages["page-0"]
    for n in range(1, 8):
        assert NOTICE not in found[f"page-{n}"]["text"]
        assert found[f"page-{n}"]["text"] == pages[f"page-{n}"].replace(NOTICE + "\n\n", "")
        assert found[f"page-{n}"]["removed_bytes"] == len(NOTICE) + 2
    assert "Read more" in found["short-too"]["text"]


def test_lines_in_few_documents_stay_where_the_rule_says_so(corpus, cleaned) -> None:
    assert all(NOTICE in row["text"] for row in cleaned(_pages(corpus), lines={"more_than": 8}).values())
    found = cleaned(_pages(corpus), folder="none", lines={"more_than": 7, "keep": 0})
    assert not any(NOTICE in row["text"] for row in found.values())


def test_a_paragraph_goes_only_as_a_whole(corpus, cleaned) -> None:
    shared = f"{NOTICE}\nand it has a second line with some more words in it"
    texts = {"a": f"{corpus.text('en', 1)}\n\n{shared}", "b": f"{corpus.text('en', 2)}\n\n{shared}",
             "c": f"{corpus.text('en', 3)}\n\n{NOTICE}\nand another second line that no other page has"}  # fmt: skip
    found = cleaned(texts, paragraphs={})
    assert found["a"]["text"] == texts["a"] and found["c"]["text"] == texts["c"]
    assert found["b"]["text"] == corpus.text("en", 2)


def test_a_shared_substring_is_cut_inside_of_lines(corpus, cleaned) -> None:
    shared = corpus.text("en", 9, 50).replace("\n", " ")
    texts = {"a": f"{corpus.text('en', 1)} {shared} {corpus.text('en', 2)}",
             "b": f"{corpus.text('en', 3)} {shared} {corpus.text('en', 4)}"}  # fmt: skip
    found = cleaned(texts, substring_bytes=100, lines={})
    assert found["a"]["text"] == texts["a"]
    before, after = corpus.text("en", 3), corpus.text("en", 4)  # the mark and space around it are shared, too
    assert found["b"]["text"].startswith(before[:-1]) and found["b"]["text"].endswith(after[1:])
    assert len(shared) <= found["b"]["removed_bytes"] <= len(shared) + 4


def test_a_document_of_which_little_is_left_is_rejected_and_says_why(corpus, cleaned) -> None:
    lines = [corpus.text("en", n, 10) for n in range(8)]
    texts = {
        "a": "\n".join(lines) + "\n" + corpus.text("en", 70, 600),
        "b": "\n".join(lines),
        "c": corpus.text("en", 9),
    }
    found = cleaned(texts, lines={})
    assert found["a"]["kept"] and found["c"]["kept"]
    assert found["b"]["reasons"] == ["dedup.little_left"]


def test_the_result_is_the_same_for_two_workers_and_after_a_stop(
    corpus, cleaned, checksums, tmp_path, monkeypatch
) -> None:
    pages = {**_pages(corpus, 16), "x": corpus.text("de", 1) + corpus.text("en", 1, 80)}
    rules: dict[str, Any] = {"lines": {}, "paragraphs": {}, "substring_bytes": 64}
    cleaned(pages, **rules)
    expected = checksums(tmp_path / "run" / "passages")
    monkeypatch.setattr(passages, "PARTITION_BYTES", 2000)
    cleaned(pages, workers=2, folder="two", **rules)
    assert checksums(tmp_path / "two" / "passages") == expected
    write = passages.Steps.write

    def stopping(self: passages.Steps, task: int) -> int:
        if task == 2:
            raise RuntimeError("stopped")
        return write(self, task)

    with monkeypatch.context() as patch, pytest.raises(Exception, match="stopped"):
        patch.setattr(passages.Steps, "write", stopping)
        cleaned(pages, folder="stopped", **rules)
    cleaned(pages, folder="stopped", **rules)
    assert checksums(tmp_path / "stopped" / "passages") == expected


def test_an_empty_setting_is_refused(corpus, cleaned) -> None:
    with pytest.raises(RecipeError, match="give lines, paragraphs or substring_bytes"):
        cleaned({"a": "text"})

"""Lines removed in a whole run: recorded, cut out, counted in the mixture, and shown by explain, what-if and report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
import xxhash

from curation.dataset import read_manifest, read_part
from curation.recipe import load_recipe
from curation.schema import CURATED, DECISIONS
from jobs import pipeline, select
from jobs.explain import BEGINNING
from jobs.look_up import decided_files
from jobs.report import report
from jobs.run_context import JobError, Run
from jobs.what_if import ask, pose

POLICY = """
name: lines
domains:
  web:
    rules:
      small.words: {signal: words, min: 20}
    lines:
      page.counter: {reject_when: "REGEXP_LIKE(text, '^[0-9]+ likes$')"}
      page.short: {signal: words, min: 3}
    max_removed: 0.2
    languages:
      de: {page.counter: null, page.short: {min: 2}}
  code:
    rules: {}
"""
PAGES = 24


def paragraphs(corpus, language: str, seed: int) -> list[str]:
    return [corpus.text(language, 100 * seed + n, 30) for n in range(3)]


def page(corpus, number: int) -> tuple[str, str]:
    """A page with page furniture, and what is to be left of it."""
    language = ("en", "de", "es")[number % 3]
    one, two, three = paragraphs(corpus, language, number)
    german = language == "de"
    text = f"Home\n\n{one}\n{number} likes\n\n{two}\nshare this\n\nmenu\n\n{three}\n12 likes"
    likes = [f"\n{number} likes", "\nshare this", "\n12 likes"] if german else ["", "", ""]
    return text, f"{one}{likes[0]}\n\n{two}{likes[1]}\n\n{three}{likes[2]}"


@pytest.fixture(scope="module")
def rows(corpus) -> dict[str, dict[str, Any]]:
    """Documents by id; ``left`` is what they become, None where they are rejected."""
    found = {}
    for number in range(PAGES):
        text, left = page(corpus, number)
        found[f"page-{number}"] = {"text": text, "left": left}
    for number in range(3):
        clean = "\n".join(paragraphs(corpus, "en", 500 + number))
        found[f"clean-{number}"] = {"text": clean, "left": clean}
        menu = corpus.text("en", 9_000 + number, 20) + "\n" + "\n".join(f"{n} likes" for n in range(40))
        found[f"menu-{number}"] = {"text": menu, "left": None}
    found["short"] = {"text": "3 likes\nhome", "left": None}
    late = "\n".join([*(corpus.text("en", 700 + n, 40) for n in range(4)), "7 likes"])
    found["late"] = {"text": late, "left": late.removesuffix("\n7 likes")}
    return found


@pytest.fixture(scope="module")
def run(corpus, rows, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("lines")
    corpus.jsonl(folder / "pages.jsonl", [{"id": name, "text": row["text"]} for name, row in rows.items()])
    inputs = [{"name": "web", "paths": [str(folder / "pages.jsonl")], "format": "jsonl",
               "columns": {"text": "text", "id": "id"}}]  # fmt: skip
    path = corpus.recipe(folder, inputs, POLICY, annotate={"unit_bytes": 6000})
    opened = Run(load_recipe(path), str(folder / "run"), workers=1)
    pipeline.run_until(opened, "select")
    return opened


def table(run: Run, dataset: str) -> list[dict[str, Any]]:
    return [row for file in sorted(read_manifest(run.output, dataset)["files"])
            for row in read_part(run.output, dataset, file).to_pylist()]  # fmt: skip


def test_curated_text_is_without_the_removed_lines_and_identity_is_not_changed(run, rows):
    curated = {row["id"]: row for row in table(run, "curated")}
    assert {name: row["text"] for name, row in curated.items()} == {
        name: row["left"] for name, row in rows.items() if row["left"] is not None
    }
    for name, row in curated.items():
        before = rows[name]["text"].encode()
        assert row["removed_bytes"] == len(before) - len(row["text"].encode())
        assert row["content_hash"] == xxhash.xxh3_128_digest(before)
    file = sorted(read_manifest(run.output, "curated")["files"])[0]
    assert read_part(run.output, "curated", file).schema.equals(CURATED)


def test_decisions_tell_spans_rules_and_documents_that_lose_too_much(run, rows):
    names = {row["address"]: row["id"] for row in table(run, "documents")}
    found = {names[row["address"]]: row for row in table(run, "decisions")}
    assert read_part(run.output, "decisions", decided_files(run.output)[0]).schema.equals(DECISIONS)
    assert found["short"]["reasons"] == ["small.words"] and found["short"]["removed"] == []
    assert found["menu-1"]["reasons"] == ["lines.removed"] and found["menu-1"]["removed"]
    assert found["clean-1"]["removed"] == []
    assert [span["rules"] for span in found["page-0"]["removed"]] == [
        ["page.short"], ["page.counter", "page.short"], ["page.short"], ["page.counter", "page.short"],
    ]  # fmt: skip
    assert [span["rules"] for span in found["page-1"]["removed"]] == [["page.short"], ["page.short"]]  # German
    rejected = {row["id"]: row["reasons"] for row in table(run, "rejected")}
    assert rejected == {"short": ["small.words"]} | {f"menu-{n}": ["lines.removed"] for n in range(3)}


def test_funnel_and_mixture_count_what_is_left(run, rows):
    funnel = json.loads(Path(run.path("funnel.json")).read_text())
    left = [row["left"] for row in rows.values() if row["left"] is not None]
    total = {name: sum(row[name] for row in funnel) for name in funnel[0] if isinstance(funnel[0][name], int)}
    assert total["passed_bytes"] == total["kept_bytes"] == sum(len(text.encode()) for text in left)
    assert total["cleaned"] == PAGES + 1
    kept_before = sum(len(row["text"].encode()) for row in rows.values() if row["left"] is not None)
    assert total["removed_bytes"] == kept_before - total["passed_bytes"]


def test_explain_marks_removed_lines_with_their_rules(run, glotmill):
    said = glotmill("explain", run.output, "page-0")
    assert said.code == 0
    assert "bytes are lines that the policy removes" in said.out
    assert "Home  ← removed: page.short\n" in said.out
    assert "0 likes  ← removed: page.counter, page.short\n" in said.out
    late = glotmill("explain", run.output, "late").out
    assert "removed further on: 1\n" in late
    assert "  7 likes  ← page.counter, page.short" in late
    menu = glotmill("explain", run.output, "menu-0").out
    assert "decision by lines: rejected: lines.removed" in menu
    clean = glotmill("explain", run.output, "clean-0").out
    assert "removed" not in clean[clean.index("\ntext") :]


def test_explain_applies_another_policys_line_rules_on_the_spot(run, glotmill, tmp_path):
    policy = tmp_path / "other.yaml"
    policy.write_text("name: other\ndomains: {web: {rules: {}, lines: {o.menu: {reject_when: \"text = 'menu'\"}}}}")
    said = glotmill("explain", run.output, "menu-0", "--policy", str(policy)).out
    assert "decision by lines: rejected: lines.removed" in said and "decision by other: kept" in said
    said = glotmill("explain", run.output, "page-0", "--policy", str(policy)).out
    assert "menu  ← removed: o.menu\n" in said and "page.short" not in said


def test_explain_cleans_a_text_file_as_the_run_does(run, rows, glotmill, tmp_path):
    policy, file = tmp_path / "policy.yaml", tmp_path / "page.txt"
    policy.write_text(POLICY)
    for name, verdict in (("page-0", "kept"), ("menu-0", "rejected: lines.removed")):
        file.write_text(rows[name]["text"], encoding="utf-8")
        said = glotmill("explain", str(file), "--policy", str(policy), "--language", "en").out
        assert f"decision by lines: {verdict}" in said
        text = said[said.index("\ntext") :]
        assert text == (in_run := glotmill("explain", run.output, name).out)[in_run.index("\ntext") :]
    assert len(rows["menu-0"]["text"]) < BEGINNING


def test_what_if_keeps_the_lines_and_says_so(run, glotmill, tmp_path):
    answer = ask(run.output, pose(run.output, [], None), 0)
    assert answer.rules.is_empty()
    funnel = json.loads(Path(run.path("funnel.json")).read_text())
    assert answer.groups["kept_bytes"].sum() == sum(row["passed_bytes"] for row in funnel)
    said = glotmill("what-if", run.output, "--set", "page.short.min=1")
    assert said.code == 1 and "'page.short' is about lines; what-if reads no text" in said.err
    policy = tmp_path / "other.yaml"
    policy.write_text("name: other\ndomains: {web: {rules: {small.words: {signal: words, min: 1}}}}")
    said = glotmill("what-if", run.output, "--policy", str(policy)).out
    assert "the rules for lines differ; what-if reads no text" in said
    assert "the rules for lines" not in glotmill("what-if", run.output, "--set", "small.words=21").out


def test_the_report_shows_what_was_cleaned(run):
    report(run)
    page = Path(run.path("report.html")).read_text(encoding="utf-8")
    assert f"Cleaned: {PAGES + 1} documents that passed lost" in page


def test_decisions_of_an_older_version_are_an_error_that_says_what_to_run(run, tmp_path):
    copy = Path(shutil.copytree(run.output, tmp_path / "run"))
    manifest = copy / "decisions" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"removed"', '"other"'))
    with pytest.raises(JobError, match="older version; run `glotmill select`"):
        decided_files(str(copy))


def test_text_is_not_read_to_decide_without_line_rules(finished, monkeypatch, tmp_path):
    """By a part of the whole run, whose policy has none."""

    def refuse(*_: Any) -> None:
        raise AssertionError("text was read")

    monkeypatch.setattr(select, "iterate_part", refuse)
    recipe = finished.run.recipe
    part = select.DecidePart(
        select.Job(str(shutil.copytree(finished.run.output, tmp_path / "run")), "decide", ("decisions",), "f", {}),
        select.load_policy(recipe.select.policy), recipe.select.languages, recipe.select.copies,
    )  # fmt: skip
    part.setup()
    assert list(part.process(0)) == [0]
    decided = read_part(str(tmp_path / "run"), "decisions", "part-00000.parquet")
    assert pc.sum(pc.list_value_length(decided["removed"])).as_py() == 0

"""Planted duplicates through the whole `dedup` job: who is found, and which document each cluster keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation import dataset
from curation.recipe import load_recipe
from jobs import pipeline
from jobs.run_context import Run

POLICY = """
name: digits
domains:
  web:
    rules:
      digits.ratio: {signal: digit_ratio, max: 0.0}
      digits.first: {reject_when: "digit_ratio > 0.01"}
"""


@pytest.fixture
def clusters(corpus, tmp_path: Path) -> Callable[..., tuple[dict[str, dict[str, Any]], set[frozenset[str]]]]:
    """Deduplicates the documents given by id; returns each one's row and all clusters of more than one document."""

    def run(texts: dict[str, str], **settings: Any) -> tuple[dict[str, dict[str, Any]], set[frozenset[str]]]:
        corpus.jsonl(tmp_path / "web.jsonl", [{"id": name, "text": text} for name, text in texts.items()])
        item = {"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}}
        recipe = corpus.recipe(tmp_path, [item], policy=POLICY, annotate={"unit_bytes": 1500}, **settings)
        opened = Run(load_recipe(recipe), str(tmp_path / "run"), workers=1)
        pipeline.run_until(opened, "dedup")
        tables = {
            name: [
                row
                for file in sorted(dataset.read_manifest(opened.output, name)["files"])
                for row in dataset.read_part(opened.output, name, file).to_pylist()
            ]
            for name in ("documents", "duplicates")
        }
        identity = {row["address"]: row["id"] for row in tables["documents"]}
        rows = {identity[row["address"]]: {**row, "keeper": identity[row["keeper"]]} for row in tables["duplicates"]}
        members: dict[int, set[str]] = {}
        for name, row in rows.items():
            members.setdefault(row["cluster"], set()).add(name)
            assert (row["match"] is None) == (row["keeper"] == name) == (row["similarity"] is None)
        for row in rows.values():
            assert row["cluster_size"] == len(members[row["cluster"]])
            assert row["cluster"] <= row["address"]
        return rows, {frozenset(names) for names in members.values() if len(names) > 1}

    return run


def _edited(text: str, words: int) -> str:
    """The text with that many words in its middle replaced by others of the same length."""
    pieces = text.split(" ")
    middle = len(pieces) // 2
    return " ".join(
        [*pieces[:middle], *("q" * len(p) for p in pieces[middle : middle + words]), *pieces[middle + words :]]
    )


def _others(corpus, count: int = 30) -> dict[str, str]:
    return {f"other-{n}": corpus.text(("en", "de", "ru", "zh")[n % 4], 100 + n) for n in range(count)}


def test_exact_and_near_duplicates_are_found_across_parts_and_nothing_else(corpus, clusters):
    original, second = corpus.text("en", 1, 200), corpus.text("de", 2, 200)
    texts = {"m-original": original, "m-second": second, **_others(corpus)}
    texts |= {"z-copy": original, "z-near": _edited(second, 2)}
    rows, found = clusters(texts)
    assert found == {frozenset({"m-original", "z-copy"}), frozenset({"m-second", "z-near"})}
    assert (rows["z-copy"]["match"], rows["z-copy"]["similarity"]) == ("exact", 1.0)
    assert rows["z-near"]["match"] == "near" and 0.8 < rows["z-near"]["similarity"] < 1
    parts = {row["address"] >> 32 for row in rows.values()}
    assert len(parts) > 4 and rows["m-original"]["address"] >> 32 != rows["z-copy"]["address"] >> 32


def test_normalisation_makes_different_bytes_exact_duplicates(corpus, clusters):
    text = corpus.text("es", 1, 60)
    decomposed = text.replace("ñ", "n\u0303").replace("í", "i\u0301").replace(". ", ".\r\n")
    rows, found = clusters({"composed": text.replace(". ", ".\n"), "decomposed": decomposed, **_others(corpus, 4)})
    assert found == {frozenset({"composed", "decomposed"})}
    assert rows["decomposed"]["match"] == "exact"


def test_the_keeper_fails_the_fewest_rules_whatever_its_length_and_id(corpus, clusters):
    text = corpus.text("en", 3, 200)
    half, all_digits = text + " 7", text + " " + "1234567890 " * 6
    rows, _ = clusters({"a-two-rules": all_digits, "b-one-rule": half, "z-clean": text, **_others(corpus, 4)})
    assert {rows[name]["keeper"] for name in ("a-two-rules", "b-one-rule", "z-clean")} == {"z-clean"}
    rows, _ = clusters({"a-two-rules": all_digits, "b-one-rule": half, **_others(corpus, 4)})
    assert {rows[name]["keeper"] for name in ("a-two-rules", "b-one-rule")} == {"b-one-rule"}


def test_of_equally_good_documents_the_longest_is_kept(corpus, clusters):
    text = corpus.text("en", 4, 200)
    rows, _ = clusters(
        {"a-short": text, "b-long": text + " and the river", "c-middle": text + " and", **_others(corpus, 4)}
    )
    assert {rows[name]["keeper"] for name in ("a-short", "b-long", "c-middle")} == {"b-long"}


def test_of_equally_long_documents_the_smallest_id_is_kept_wherever_it_lies(corpus, clusters):
    text = corpus.text("en", 5, 100)
    rows, found = clusters({"m": text, **_others(corpus, 12), "z": text, "a": text})
    assert found == {frozenset({"m", "z", "a"})}
    assert {rows[name]["keeper"] for name in ("m", "z", "a")} == {"a"}
    assert {rows[name]["cluster"] for name in ("m", "z", "a")} == {rows["m"]["address"]}


def test_an_empty_document_is_in_no_cluster(corpus, clusters):
    empty = {"empty-1": "", "empty-2": "", "spaces": " \n \n"}
    rows, found = clusters({**empty, **_others(corpus, 4)})
    assert found == set()
    assert all(rows[name]["keeper"] == name for name in empty)


def test_documents_of_punctuation_alone_are_duplicates_only_when_equal(corpus, clusters):
    _, found = clusters(
        {"dots": "... ... ...", "dashes": "--- --- ---", "dots-again": "... ... ...", **_others(corpus, 4)}
    )
    assert found == {frozenset({"dots", "dots-again"})}


def test_a_stricter_similarity_undoes_near_duplicates_and_keeps_exact_ones(corpus, clusters):
    text = corpus.text("en", 6, 200)
    texts = {"text": text, "copy": text, "near": _edited(text, 6), **_others(corpus, 4)}
    _, found = clusters(texts)
    assert found == {frozenset({"text", "copy", "near"})}
    _, found = clusters(texts, dedup={"similarity": 0.99})
    assert found == {frozenset({"text", "copy"})}


def test_the_partitions_of_the_shuffle_do_not_change_the_result(corpus, clusters):
    text = corpus.text("en", 7, 200)
    texts = {"text": text, "copy": text, "near": _edited(text, 2), **_others(corpus, 10)}
    assert clusters(texts, dedup={"partitions": 1}) == clusters(texts, dedup={"partitions": 257})

"""Planted duplicates through the whole `dedup` job: who is found, and which document each cluster keeps."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation import dataset
from curation.recipe import load_recipe
from jobs import dedup_steps, pipeline
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


def test_stars_in_rounds_give_what_union_find_gives(corpus, clusters):
    text = corpus.text("en", 7, 200)
    texts = {"text": text, "copy": text, "near": _edited(text, 2), **_others(corpus, 10)}
    assert clusters(texts, dedup={"memory": 1}) == clusters(texts)


def _run(corpus, folder: Path, texts: dict[str, str], shuffle: int = 0, **settings: Any) -> str:
    """A run up to `dedup` over the documents given by id; the folder of the run."""
    folder.mkdir()
    rows = [{"id": name, "text": text, "url": f"https://example.org/{name[-1]}"} for name, text in texts.items()]
    random.Random(shuffle).shuffle(rows) if shuffle else None
    corpus.jsonl(folder / "web.jsonl", rows)
    columns = {"text": "text", "id": "id", "url": "url"}
    item = {"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": columns}
    recipe = corpus.recipe(folder, [item], policy=POLICY, annotate={"unit_bytes": 1500}, **settings)
    opened = Run(load_recipe(recipe), str(folder / "run"), workers=1)
    pipeline.run_until(opened, "dedup")
    return opened.output


def _found(run: str) -> dict[str, dict[str, Any]]:
    """Rows of ``duplicates/`` by id, with the id of the keeper."""
    files = sorted(dataset.read_manifest(run, "duplicates")["files"])
    ids, rows = {}, []
    for file in files:
        found = dataset.read_part(run, "documents", file, ["address", "id"]).to_pylist()
        ids |= {row["address"]: row["id"] for row in found}
        rows += dataset.read_part(run, "duplicates", file).to_pylist()
    return {ids[row["address"]]: row | {"keeper": row["earlier_id"] or ids[row["keeper"]]} for row in rows}


def _family(corpus, seed: int, name: str) -> dict[str, str]:
    text = corpus.text("en", seed, 200)
    return {f"{name}-{i}": _edited(text, i) for i in range(6)}


FACTS = ("keeper", "cluster_size", "rank", "match", "similarity")


def _facts(found: dict[str, dict[str, Any]], names: Any) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(found[name][fact] for fact in FACTS) for name in names}


def test_a_run_against_an_earlier_one_equals_one_run_that_prefers_its_source(corpus, tmp_path: Path) -> None:
    families = {**_family(corpus, 1, "x"), **_family(corpus, 2, "y"), **_others(corpus, 6)}
    old = {name: text for n, (name, text) in enumerate(families.items()) if n % 3 == 0}
    new = {name: text for name, text in families.items() if name not in old}
    same = {"minhash": {"bands": 8, "rows": 2}, "unit_bytes": 1500}
    items = []
    (tmp_path / "one").mkdir()
    for name, texts in (("old", old), ("new", new)):
        corpus.jsonl(tmp_path / "one" / f"{name}.jsonl", [{"id": n, "text": t} for n, t in texts.items()])
        items.append(
            {"name": name, "paths": [f"{name}.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}}
        )
    recipe = corpus.recipe(
        tmp_path / "one", items, policy=POLICY, annotate=same, dedup={"prefer": ["source", "longest"]}
    )
    opened = Run(load_recipe(recipe), str(tmp_path / "one" / "run"), workers=1)
    pipeline.run_until(opened, "dedup")
    together = _found(opened.output)

    def alone(name: str, texts: dict[str, str], **dedup: Any) -> str:
        folder = tmp_path / name
        folder.mkdir()
        corpus.jsonl(folder / "web.jsonl", [{"id": n, "text": t} for n, t in texts.items()])
        item = {"name": "web", "paths": ["web.jsonl"], "format": "jsonl", "columns": {"text": "text", "id": "id"}}
        recipe = corpus.recipe(folder, [item], policy=POLICY, annotate=same, dedup={"prefer": ["longest"], **dedup})
        run = Run(load_recipe(recipe), str(folder / "run"), workers=1)
        pipeline.run_until(run, "dedup")
        return run.output

    first = alone("first", old)
    second = _found(alone("second", new, against=[first]))
    assert {name: row["keeper"] for name, row in _found(first).items()} == {n: together[n]["keeper"] for n in old}
    assert _facts(second, new) == _facts(together, new)
    assert {row["earlier_id"] for row in second.values()} & set(old), "some are merged into the earlier run's documents"


def test_the_order_of_the_input_does_not_change_which_documents_are_kept(corpus, tmp_path: Path) -> None:
    texts = {**_family(corpus, 1, "x"), **_family(corpus, 2, "y"), **_others(corpus, 6)}
    plain = _found(_run(corpus, tmp_path / "plain", texts))
    for seed in (1, 2):
        assert _facts(_found(_run(corpus, tmp_path / f"shuffled{seed}", texts, seed)), texts) == _facts(plain, texts)


@pytest.mark.parametrize("step", ["keys", "edges", "connect", "candidates", "keepers", "write"])
def test_a_job_stopped_in_any_step_goes_on_to_the_same_bytes(corpus, tmp_path, monkeypatch, step: str) -> None:
    texts = {**_family(corpus, 1, "x"), **_others(corpus, 6)}
    monkeypatch.setattr(dedup_steps, "GROUP_ROWS", 3)
    whole = _run(corpus, tmp_path / "whole", texts)
    original, calls = getattr(dedup_steps.Steps, step), []

    def stops(self: dedup_steps.Steps, task: int) -> int:
        calls.append(task)
        if len(calls) == (1 if step == "connect" else 2) or step == "keepers":
            raise KeyboardInterrupt("stopped")
        return original(self, task)

    monkeypatch.setattr(dedup_steps.Steps, step, stops)
    if step in ("edges",):
        monkeypatch.setattr(dedup_steps, "PARTITION_KEYS", 20)
    with pytest.raises(BaseException):  # noqa: B017 - Beam wraps it
        _run(corpus, tmp_path / "stopped", texts)
    monkeypatch.setattr(dedup_steps.Steps, step, original)
    run = str(tmp_path / "stopped" / "run")
    opened = Run(load_recipe(tmp_path / "stopped" / "recipe.yaml"), run, workers=1)
    pipeline.run_until(opened, "dedup")
    assert _found(run) == _found(whole)
    files = [dataset.read_manifest(folder, "duplicates")["files"] for folder in (run, whole)]
    assert files[0] == files[1]
    assert not (Path(run) / "_jobs" / "dedup" / "exchange").exists()


def test_what_is_preferred_is_kept_and_pages_of_one_url_are_one(corpus, tmp_path: Path) -> None:
    texts = {"short-a": corpus.text("en", 1, 60), "longer-a": corpus.text("de", 2, 90), "else-b": corpus.text("ru", 3)}
    found = _found(_run(corpus, tmp_path / "url", texts, dedup={"same_url": True, "prefer": ["shortest"]}))
    assert found["longer-a"]["keeper"] == "short-a" and found["longer-a"]["match"] == "url"
    assert found["else-b"]["cluster_size"] == 1
    kept = _found(_run(corpus, tmp_path / "high", texts, dedup={"same_url": True, "prefer": ["highest:words"]}))
    assert kept["short-a"]["keeper"] == "longer-a"
    assert _found(_run(corpus, tmp_path / "none", texts))["longer-a"]["cluster_size"] == 1


def test_a_signal_to_prefer_that_is_not_there_is_an_error_that_names_it(corpus, tmp_path: Path) -> None:
    text = corpus.text("en", 1)
    with pytest.raises(Exception, match="no signal 'qualty'"):
        _run(corpus, tmp_path / "wrong", {"a": text, "b": text}, dedup={"prefer": ["highest:qualty"]})


def test_exact_verification_gives_exact_similarities(corpus, tmp_path: Path) -> None:
    texts = {**_family(corpus, 1, "x"), **_others(corpus, 3)}
    found = _found(_run(corpus, tmp_path / "exact", texts, dedup={"verify": "exact", "similarity": 0.5}))
    sets = {n: {tuple(t.lower().split()[i : i + 5]) for i in range(len(t.split()) - 4)} for n, t in texts.items()}
    near = {name: row for name, row in found.items() if row["match"] == "near"}
    assert near
    for name, row in near.items():
        a, b = sets[name], sets[row["keeper"]]
        assert row["similarity"] == pytest.approx(len(a & b) / len(a | b), abs=0.02)

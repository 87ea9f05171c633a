"""One run from inputs to model: everything is there, adds up, and loads in the tools it is made for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from curation import dataset, schema
from filters.annotate import signals_schema
from tokenizer.shards.reader import open_shards
from tokenizer.shards.reader import verify as verify_shards

DATASETS = ("documents", "signals", "dead", "duplicates", "decisions", "curated", "rejected")


def test_every_dataset_has_a_manifest_that_its_files_match(finished):
    for name in DATASETS:
        manifest = dataset.read_manifest(finished.run.output, name)
        assert manifest["files"], name
        assert manifest["rows"] == finished.read(name).num_rows
        assert dataset.verify(finished.run.output, name) == []


def test_no_file_is_outside_the_manifests(finished):
    for name in DATASETS:
        folder = Path(finished.run.output, name)
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert found == {*dataset.read_manifest(finished.run.output, name)["files"], "manifest.json"}


def test_files_have_the_declared_schemas(finished):
    for name, expected in {
        "documents": schema.DOCUMENTS,
        "signals": signals_schema(),
        "dead": schema.DEAD,
        "duplicates": schema.DUPLICATES,
        "decisions": schema.DECISIONS,
        "curated": schema.CURATED,
        "rejected": schema.REJECTED,
    }.items():
        assert finished.read(name).schema.equals(expected), name


def test_every_good_record_of_every_input_became_one_document(finished):
    documents = finished.read("documents")
    ids = documents["id"].to_pylist()
    expected = {f"web-{n}" for n in range(90)} | {f"short-{n}" for n in range(12)} | {f"page-{n}" for n in range(60)}
    expected |= {"copy-of-5", "a-copy-of-7", "longer-8"}
    code = documents.filter(pc.equal(documents["domain"], "code"))
    assert sorted(set(ids) - set(code["id"].to_pylist())) == sorted(expected)
    assert len(ids) == len(expected) + 8
    assert code["url"].to_pylist() == [f"python/package{n % 2}/module{n}.py" for n in (0, 2, 4, 6, 1, 3, 5, 7)]
    dead = finished.read("dead").to_pylist()
    assert len(dead) == 1 and "not valid JSON" in dead[0]["error"] and dead[0]["sample"] == "{broken"


def test_mapped_columns_metadata_and_licence_arrive(finished):
    pages = finished.read("documents")
    pages = pages.filter(pc.equal(pages["source"], "pages"))
    assert set(pages["license"].to_pylist()) == {"CC0-1.0"}
    years = [json.loads(value)["year"] for value in pages["metadata"].to_pylist()]
    assert years == [1960 + int(name.removeprefix("page-")) for name in pages["id"].to_pylist()]


def test_parts_of_documents_signals_duplicates_and_decisions_are_row_aligned(finished):
    run = finished.run.output
    files = sorted(dataset.read_manifest(run, "documents")["files"])
    assert len(files) > 8, "the run should have many parts"
    for part, file in enumerate(files):
        address = dataset.read_part(run, "documents", file, ["address"])["address"]
        assert address.to_pylist() == [part << 32 | row for row in range(len(address))]
        for name in ("signals", "duplicates", "decisions"):
            assert dataset.read_part(run, name, file, ["address"])["address"].equals(address), (name, file)


def test_signals_describe_the_text_beside_them(finished):
    documents, signals = finished.read("documents"), finished.read("signals")
    assert signals["id"].equals(documents["id"]) and signals["content_hash"].equals(documents["content_hash"])
    texts = documents["text"].to_pylist()
    assert signals["characters"].to_pylist() == [len(text) for text in texts]
    assert signals["utf8_bytes"].to_pylist() == [len(text.encode()) for text in texts]


def test_curated_and_rejected_rows_are_all_the_documents(finished):
    documents = finished.read("documents")["address"].to_pylist()
    curated, rejected = finished.read("curated"), finished.read("rejected")
    assert curated.num_rows and rejected.num_rows
    assert sorted(curated["address"].to_pylist() + rejected["address"].to_pylist()) == documents


def test_every_rejected_document_has_a_reason_and_no_curated_one_does(finished):
    reasons = dict(zip(*(finished.read("decisions")[name].to_pylist() for name in ("address", "reasons")), strict=True))
    for row in finished.read("rejected").to_pylist():
        assert row["reasons"]
        assert row["reasons"] == (reasons[row["address"]] or ["mixture.downsampled"])
    assert all(reasons[address] == [] for address in finished.read("curated")["address"].to_pylist())


def test_a_document_that_fails_two_rules_carries_both_reasons(finished):
    short = [row for row in finished.read("rejected").to_pylist() if row["id"].startswith("short-")]
    assert len(short) == 12
    assert all({"small.words", "small.digits"} <= set(row["reasons"]) for row in short)


def test_curated_text_is_the_documents_text_and_lies_in_its_partition(finished):
    run = finished.run.output
    text = dict(zip(*(finished.read("documents")[name].to_pylist() for name in ("address", "text")), strict=True))
    for file in dataset.read_manifest(run, "curated")["files"]:
        language, domain = (piece.split("=")[1] for piece in file.split("/")[:2])
        for row in dataset.read_part(run, "curated", file).to_pylist():
            assert (row["language"], row["domain"]) == (language, domain)
            assert row["text"] == text[row["address"]]
            assert 1 <= row["copies"] <= 2


def test_the_funnel_adds_up(finished):
    rows = json.loads(Path(finished.run.output, "funnel.json").read_text())
    decisions = finished.read("decisions")
    for row in rows:
        assert row["documents"] == row["rejected"] + row["duplicates"] + row["passed"]
        assert row["kept_documents"] <= row["passed"] and row["kept_bytes"] <= row["passed_bytes"] <= row["bytes"]
    assert sum(row["documents"] for row in rows) == decisions.num_rows
    assert sum(row["kept_documents"] for row in rows) == finished.read("curated").num_rows
    curated = finished.read("curated")
    assert sum(row["kept_bytes"] for row in rows) == sum(len(text.encode()) for text in curated["text"].to_pylist())
    assert sum(row["got_share"] for row in rows) == pytest.approx(1)
    counted: dict[str, int] = {}
    for row in rows:
        for reason, count in row["reasons"].items():
            counted[reason] = counted.get(reason, 0) + count
    listed = [reason for reasons in decisions["reasons"].to_pylist() for reason in reasons]
    assert counted == {reason: listed.count(reason) for reason in set(listed)}


def test_shards_verify_and_decode_to_the_curated_text(finished):
    from tokenizers import Tokenizer

    run = Path(finished.run.output)
    tokenizer = Tokenizer.from_file(str(run / "tokenizer" / "tokenizer.json"))
    end = tokenizer.token_to_id("<|endoftext|>")
    curated = {row["address"]: row for row in finished.read("curated").to_pylist()}
    seen: dict[str, list[int]] = {}
    for split in ("train", "validation"):
        assert verify_shards(run / "shards" / split) == []
        shards = open_shards(run / "shards" / split)
        for number in range(shards.num_documents):
            tokens, meta = shards.document(number), shards.meta[number]
            row = curated[int(meta["address"])]
            assert tokens[-1] == end
            assert tokenizer.decode(tokens[:-1].tolist(), skip_special_tokens=False) == row["text"]
            assert shards.languages[meta["language"]] == row["language"]
            assert shards.domains[meta["domain"]] == row["domain"]
            assert shards.sources[meta["source"]] == row["source"]
            assert int(meta["utf8_bytes"]) == len(row["text"].encode())
        seen[split] = shards.meta["address"].tolist()
    assert not set(seen["train"]) & set(seen["validation"])
    assert set(seen["train"]) | set(seen["validation"]) == set(curated)
    assert all(seen["train"].count(a) == curated[a]["copies"] for a in set(seen["train"]))
    assert len(set(seen["validation"])) == len(seen["validation"]), "validation holds every document once"


def test_the_tokenizer_loads_in_tokenizers_and_transformers_and_both_agree(finished):
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    folder = Path(finished.run.output, "tokenizer")
    ours, theirs = Tokenizer.from_file(str(folder / "tokenizer.json")), AutoTokenizer.from_pretrained(folder)
    for text in finished.read("curated")["text"].to_pylist()[:20]:
        assert ours.encode(text).ids == theirs(text)["input_ids"]
        assert theirs.decode(theirs(text)["input_ids"]) == text
    assert ours.get_vocab_size() == 500


def test_the_model_loads_in_transformers_and_scores_a_shard(finished):
    import torch
    from transformers import AutoTokenizer, Qwen2ForCausalLM

    model, loading = Qwen2ForCausalLM.from_pretrained(Path(finished.run.output, "model"), output_loading_info=True)
    assert not loading["missing_keys"] and not loading["unexpected_keys"]
    tokens = open_shards(Path(finished.run.output, "shards", "validation")).read(0, 32)
    with torch.no_grad():
        logits = model(torch.tensor(tokens.astype(np.int64))[None]).logits
    assert logits.shape == (1, 32, 500) and torch.isfinite(logits).all()
    assert len(AutoTokenizer.from_pretrained(Path(finished.run.output, "model"))) == 500
    evaluation = json.loads(Path(finished.run.output, "model", "evaluation.json").read_text())
    assert 0 < evaluation["micro"] < 20 and set(evaluation["languages"])


def test_planted_duplicates_keep_the_longest_then_the_smallest_id(finished):
    rows = finished.read("duplicates").to_pylist()
    identity = dict(zip(*(finished.read("documents")[name].to_pylist() for name in ("address", "id")), strict=True))
    found = {
        identity[row["address"]]: (identity[row["keeper"]], row["match"])
        for row in rows
        if row["address"] != row["keeper"]
    }
    assert found == {
        "web-5": ("copy-of-5", "exact"),
        "web-7": ("a-copy-of-7", "exact"),
        "web-8": ("longer-8", "near"),
    }

"""Job `shard`: splits, sizes, order and tiers as the recipe asks, whatever the work units."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from curation.dataset import read_manifest, read_part, write_parquet
from curation.readers.units import Plan
from curation.recipe import RecipeError, load_recipe
from curation.scores import score_schema
from jobs import pipeline
from jobs.annotate import annotate_job
from jobs.encode import plan_units
from jobs.errors import JobError
from jobs.run_context import Run
from jobs.shard import deciding_recipe
from tokenizer.shards.format import TOKEN_LIMITS
from tokenizer.shards.order import shuffled_keys, split_of
from tokenizer.shards.reader import open_shards, verify

Sharded = Callable[..., Path]


@pytest.fixture
def sharded(finished, tmp_path: Path) -> Sharded:
    """Shards of the finished run, made again with other settings; a copy of the run for each name."""

    def run(name: str = "run", workers: int = 1, **settings: Any) -> Path:
        output = tmp_path / name
        if not output.exists():
            shutil.copytree(finished.run.output, output, ignore=shutil.ignore_patterns("shards", "shard", "model"))
        recipe = yaml.safe_load(finished.recipe.read_text())
        recipe["shards"] = {"validation_fraction": 0.15, **settings}
        path = finished.recipe.parent / f"{name}.yaml"
        path.write_text(yaml.safe_dump(recipe))
        pipeline.run_until(Run(load_recipe(path), str(output), workers=workers), "shard")
        return output / "shards"

    return run


def _bytes(folder: Path, suffix: str = "*") -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob(f"*.{suffix}")) if path.name != "manifest.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _curated(finished: Any) -> dict[int, tuple[bytes, int]]:
    """Content hash and copies of every curated document by address."""
    rows = finished.read("curated", ["address", "content_hash", "copies"]).to_pylist()
    return {row["address"]: (row["content_hash"], row["copies"]) for row in rows}


def test_shuffled_documents_stand_in_the_order_of_their_keys_over_all_shards(finished, sharded):
    curated = _curated(finished)
    content = np.array([hash_ for hash_, _ in curated.values()], "V16")
    split = split_of(content, 0.15, 0.0, 3)
    shards = sharded(shuffle=True, shard_tokens=3000)
    for number, name in enumerate(("train", "validation")):
        expected = []
        for row, (address, (hash_, copies)) in enumerate(curated.items()):
            for copy in range(copies if name == "train" else 1) if split[row] == number else ():
                key = shuffled_keys(np.array([hash_], "V16"), np.array([copy]), 3)[0]
                expected.append((int(key), address))
        opened = open_shards(shards / name)
        assert opened.meta["address"].tolist() == [address for _, address in sorted(expected)]
        assert verify(shards / name) == []
    assert len(open_shards(shards / "train").manifest["shards"]) > 3


def test_without_shuffle_documents_keep_the_order_of_parts_languages_and_rows(finished, sharded):
    files = sorted(read_manifest(finished.run.output, "curated")["files"], key=lambda f: (f.rsplit("/", 1)[1], f))
    addresses = [a for f in files for a in read_part(finished.run.output, "curated", f)["address"].to_pylist()]
    shards = sharded(shard_tokens=3000)
    found = open_shards(shards / "train").meta["address"].tolist()
    place = [addresses.index(address) for address in found]
    assert place == sorted(place) and len(set(place)) > 50


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_work_units_change_no_token(sharded, shuffle: bool):
    """One unit for each part, or all in one: the same documents in the same order; shuffled, even the same files."""
    one = sharded("one", shuffle=shuffle, shard_tokens=3000, unit_bytes=1)
    many = sharded("many", shuffle=shuffle, shard_tokens=3000, unit_bytes=1 << 30)
    if shuffle:
        assert _bytes(one) == _bytes(many) != {}
    for split in ("train", "validation"):
        first, second = open_shards(one / split), open_shards(many / split)
        assert first.meta.tobytes() == second.meta.tobytes()
        np.testing.assert_array_equal(first.read(0, first.num_tokens), second.read(0, second.num_tokens))


def test_shards_are_of_about_equal_token_counts(sharded):
    """None is off by more than the longest document and a fence."""
    shards = sharded(shard_tokens=3000, unit_bytes=20_000)
    for split in ("train", "validation"):
        opened = open_shards(shards / split)
        sizes = [shard["tokens"] for shard in opened.manifest["shards"]]
        longest = int(np.diff(opened.document_offsets).max())
        assert len(sizes) == -(-opened.num_tokens // 3000)
        assert max(sizes) - min(sizes) <= 2 * longest


def test_a_test_split_takes_from_train_and_leaves_validation(sharded):
    without, with_test = sharded("without"), sharded("with_test", test_fraction=0.3)
    assert not (without / "test").exists()
    assert _bytes(without / "validation") == _bytes(with_test / "validation")
    content = {
        split: set(open_shards(with_test / split).meta["content_hash"].tolist())
        for split in ("train", "validation", "test")
    }
    assert not content["train"] & content["test"] and not content["validation"] & content["test"]
    assert content["train"] | content["test"] == set(open_shards(without / "train").meta["content_hash"].tolist())
    assert len(content["test"]) > 10


def test_tiers_grade_documents_by_a_signal(finished, sharded):
    shards = sharded(tiers={"signal": "words", "bounds": [60, 120]})
    signals = finished.read("signals", ["address", "words"])
    words = dict(zip(signals["address"].to_pylist(), signals["words"].to_pylist(), strict=True))
    opened = open_shards(shards / "train")
    expected = [1 + (words[a] >= 60) + (words[a] >= 120) for a in opened.meta["address"].tolist()]
    assert opened.meta["tier"].tolist() == expected and len(set(expected)) > 1
    assert opened.manifest["recipe"]["shards"]["tiers"] == {"signal": "words", "bounds": [60.0, 120.0]}


def test_tiers_grade_documents_by_a_score_where_there_is_one(finished, sharded):
    """A tenth of a document's words as the score `quality`, null for every third document."""
    run = finished.run.output
    schema = score_schema("quality")
    shards = sharded()  # makes the copy of the run
    expected = {}
    for file in read_manifest(run, "signals")["files"]:
        signals = read_part(run, "signals", file, ["address", "words"])
        address = signals["address"].to_pylist()
        score = [
            None if a % 3 == 0 else words / 10 for a, words in zip(address, signals["words"].to_pylist(), strict=True)
        ]
        table = pa.table([address, pa.array(score, pa.float32())], schema=schema)
        write_parquet(str(shards.parent / "scores" / "quality" / file), table.to_batches(), schema)
        expected |= {a: 0 if s is None else 1 + (s >= 6) + (s >= 12) for a, s in zip(address, score, strict=True)}
    manifest = {"fingerprint": "f", "parents": {"signals": read_manifest(run, "signals")["fingerprint"]}}
    (shards.parent / "scores" / "quality" / "manifest.json").write_text(json.dumps(manifest))
    opened = open_shards(sharded(tiers={"signal": "score_quality", "bounds": [6, 12]}) / "train")
    tiers = opened.meta["tier"].tolist()
    assert tiers == [expected[a] for a in opened.meta["address"].tolist()] and set(tiers) >= {0, 2, 3}


@pytest.mark.parametrize("signal", ["wordz", "id", "score_none"])
def test_tiers_by_something_that_is_no_number_are_refused(sharded, signal: str):
    with pytest.raises(JobError, match="shards.tiers.signal"):
        sharded(tiers={"signal": signal, "bounds": [0.5]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"test_fraction": 0.9}, "leave some to train on"),
        ({"tiers": {"signal": "words", "bounds": [2, 1]}}, "bounds of tiers rise"),
        ({"tiers": {"signal": "words", "bounds": []}}, "shards.tiers.bounds"),
        ({"shard_tokens": 0}, "shards.shard_tokens"),
    ],
)
def test_settings_that_make_no_sense_are_refused(sharded, settings: dict[str, Any], message: str):
    with pytest.raises(RecipeError, match=message):
        sharded(**settings)


def test_a_split_without_documents_says_which_setting_to_change(sharded):
    with pytest.raises(JobError, match=r"no document fell into the test split .*test_fraction 1e-09.*choose others"):
        sharded(test_fraction=1e-9)


def test_uint16_shards_hold_the_same_documents(sharded):
    wide, narrow = sharded("wide", shuffle=True), sharded("narrow", shuffle=True, dtype="uint16")
    assert _bytes(wide, "meta") == _bytes(narrow, "meta")
    for name, data in _bytes(wide, "bin").items():
        assert np.frombuffer(data, "<u4").tolist() == np.frombuffer((narrow / name).read_bytes(), "<u2").tolist()


def test_a_vocabulary_that_the_dtype_cannot_hold_is_refused_before_any_work(sharded, monkeypatch):
    monkeypatch.setitem(TOKEN_LIMITS, "uint16", 499)
    with pytest.raises(JobError, match="shards.dtype uint16 holds 499 ids, the tokenizer has 500; use uint32"):
        sharded(dtype="uint16")


def test_the_manifest_has_the_recipe_and_the_manifests_it_came_from(finished, sharded):
    import hashlib

    shards = sharded()
    manifest = open_shards(shards / "train").manifest
    curated = Path(finished.run.output, "curated", "manifest.json").read_bytes()
    assert manifest["parents"]["curated"] == {
        "fingerprint": json.loads(curated)["fingerprint"],
        "manifest_sha256": hashlib.sha256(curated).hexdigest(),
    }
    assert manifest["recipe"]["seed"] == 3 and manifest["recipe"]["tokenizer"]["vocab_size"] == 500
    assert str(finished.recipe.parent) not in json.dumps(manifest), "where files lie decides no byte"


def test_the_recipe_of_a_manifest_does_not_depend_on_where_its_files_lie(tmp_path: Path, corpus):
    """A recipe that names a file or folder wherever it can, in two folders."""
    settings: dict[str, Any] = {
        "annotate": {"language_model": "lid.bin", "bad_words": {"en": "bad.txt"}, "url_lists": {"ads": ["ads.txt"]}},
        "scores": [{"name": "one", "fasttext": "quality"}, {"name": "two", "transformer": "classifier/"},
                   {"name": "three", "importance": "weights"}],
        "dedup": {"against": ["../earlier"]},
        "select": {"policy": "policy.yaml"},
        "tokenizer": {"parallel": "parallel.jsonl", "extend": "base/tokenizer.json", "add_counts": ["../others"]},
    }  # fmt: skip
    inputs = [{"name": "web", "paths": ["inputs/*.jsonl", "more.jsonl"], "format": "jsonl"}]
    recipes = [load_recipe(corpus.recipe(tmp_path / folder, inputs, **settings)) for folder in ("here", "over/there")]
    here, there = (deciding_recipe(recipe) for recipe in recipes)
    assert here == there and recipes[0].dedup.against != recipes[1].dedup.against
    assert str(tmp_path) not in json.dumps(here)
    assert here["select"]["policy"] == "policy.yaml" and here["tokenizer"]["parallel"] == "parallel.jsonl"


def test_a_language_model_elsewhere_with_the_same_content_keeps_the_annotations(tmp_path: Path, corpus):
    fingerprints = []
    for folder in ("here", "there"):
        path = corpus.recipe(tmp_path / folder, [{"name": "web", "paths": ["*.jsonl"], "format": "jsonl"}],
                             annotate={"language_model": "lid.bin"})  # fmt: skip
        (tmp_path / folder / "lid.bin").write_bytes(b"a model")
        recipe = load_recipe(path)
        fingerprints.append(annotate_job(Run(recipe, recipe.output, workers=1), Plan((), ())).fingerprint)
    assert fingerprints[0] == fingerprints[1]


def test_runs_are_removed_in_the_end_and_other_settings_make_new_ones(finished, sharded):
    assert not Path(finished.run.output, "encoded").exists()
    before = _bytes(sharded(shuffle=False))
    after = _bytes(shards := sharded(shuffle=True))
    assert before.keys() == after.keys() and before != after
    for folder in ("encoded", "_jobs/encode"):
        assert not (shards.parent / folder).exists()


def test_runs_that_a_kill_at_the_very_end_left_are_removed_by_the_next_run(sharded):
    shards = sharded()
    for folder in ("encoded", "_jobs/encode"):
        (shards.parent / folder).mkdir()
        (shards.parent / folder / "left").write_bytes(b"of a killed run")
    before = _bytes(shards)
    assert _bytes(sharded()) == before
    assert not (shards.parent / "encoded").exists() and not (shards.parent / "_jobs/encode").exists()


def test_units_hold_whole_parts_in_order():
    files = {f"language={x}/domain=web/part-{n:05d}.parquet": {"bytes": 10} for x in ("de", "en") for n in range(4)}
    units = plan_units(files, 120)
    assert [len(unit.files) for unit in units] == [4, 4]
    assert [file for unit in units for file in unit.files] == sorted(files, key=lambda f: (f.rsplit("/", 1)[1], f))
    assert [unit.ordinal for unit in plan_units(files, 1)] == [0, 1, 2, 3]

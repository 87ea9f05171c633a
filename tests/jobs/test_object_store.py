"""A run whose inputs and output lie on an object store gives the same bytes as one on the local disk.

Also through a store that fails now and then; one that fails for good ends the job, and costs no document.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs as pafs
import pytest

pytest.importorskip("moto.server", reason="moto is part of the extra 'dev'")

from curation import dataset, storage  # noqa: E402
from curation.readers.units import PlanError, plan_units, read_unit  # noqa: E402
from curation.recipe import load_recipe  # noqa: E402
from jobs import pipeline  # noqa: E402
from jobs.run_context import JobError, Run  # noqa: E402
from tests.faulty_server import STORE_FAULTS, FaultyServer, of_server, running  # noqa: E402
from tests.object_store import environment, moto_server  # noqa: E402

DATASETS = ("documents", "signals", "duplicates", "decisions", "curated", "rejected")
LAYOUTS = ("megatron", "datatrove", "olmo", "torchtitan", "mds", "litdata", "parquet", "jsonl")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def bucket(server: str, monkeypatch) -> Iterator[str]:
    """URL of an empty bucket of this test's own."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    storage._remote_filesystem.cache_clear()
    name = f"bucket-{uuid.uuid4().hex}"
    pafs.S3FileSystem(endpoint_override=server, region="us-east-1", allow_bucket_creation=True).create_dir(name)
    yield f"s3://{name}"
    storage._remote_filesystem.cache_clear()


@pytest.fixture
def faulty(server: str, bucket: str, monkeypatch) -> Iterator[FaultyServer]:
    """What stands between ``bucket`` and us, and counts every request."""
    with running(FaultyServer(of_server(server), counted=lambda request: True)) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", between.url)
        storage._remote_filesystem.cache_clear()
        yield between


def _copy(folder: Path, url: str) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            storage.write_bytes(f"{url}/{path.relative_to(folder)}", path.read_bytes())


def _remote_recipe(recipe: Path, bucket: str, tmp_path: Path) -> Path:
    """The recipe with its inputs copied to the bucket."""
    _copy(recipe.parent / "inputs", f"{bucket}/inputs")
    text = recipe.read_text().replace(str(recipe.parent / "inputs"), f"{bucket}/inputs")
    (tmp_path / "recipe.yaml").write_text(text)
    return tmp_path / "recipe.yaml"


def _temporary_files() -> set[str]:
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("glotmill-")}


def test_a_run_on_s3_through_failing_and_slow_answers_gives_the_bytes_of_a_local_run(
    finished, bucket, faulty, tmp_path, monkeypatch
):
    """One of twenty requests goes wrong, in each way in turn; so often that a quota of retries would be used up."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    recipe = load_recipe(_remote_recipe(finished.recipe, bucket, tmp_path))
    run = Run(recipe, f"{bucket}/runs/small", workers=1)
    faulty.faults = lambda number: None if number % 20 else STORE_FAULTS[number // 20 % len(STORE_FAULTS)]
    pipeline.run_until(run, "train")
    faulty.faults = lambda number: None
    assert {fault for _, fault in faulty.injected} == set(STORE_FAULTS)
    assert {method for method, _ in faulty.injected} >= {"GET", "HEAD", "PUT", "POST"}
    assert faulty.injected.total() > 150
    for name in DATASETS:
        local, remote = (dataset.read_manifest(output, name) for output in (finished.run.output, run.output))
        assert remote == local, name
        assert dataset.verify(run.output, name) == []
    for name in ("funnel.json", "_jobs/shard/job.json", "model/model.safetensors", "model/evaluation.json"):
        assert storage.read_bytes(run.path(name)) == Path(finished.run.output, name).read_bytes(), name
    for folder in ("shards", "tokenizer"):
        local_files = {
            str(path.relative_to(finished.run.output)): path.read_bytes()
            for path in Path(finished.run.output, folder).rglob("*")
            if path.is_file()
        }
        listed = storage.list_files(run.path(folder))
        assert {path.removeprefix(run.output + "/") for path in listed} == set(local_files)
        assert all(storage.read_bytes(run.path(name)) == data for name, data in local_files.items())
    [file] = dataset.read_manifest(run.output, "dead")["files"]
    assert dataset.read_part(run.output, "dead", file)["path"].to_pylist() == [f"{bucket}/inputs/web.jsonl"]
    assert _temporary_files() == set(), "local temporary files were left behind"
    assert not [path for path in storage.list_files(run.output) if storage.TEMPORARY_MARK in path]


def test_a_run_on_s3_resumes_at_part_grain_and_is_found_done(finished, bucket, tmp_path, capsys):
    recipe = load_recipe(_remote_recipe(finished.recipe, bucket, tmp_path))
    run = Run(recipe, f"{bucket}/run", workers=1)
    pipeline.run_until(run, "annotate")
    expected = {path: storage.read_bytes(path) for path in storage.list_files(run.output)}
    capsys.readouterr()
    pipeline.run_until(run, "annotate")
    assert "done already" in capsys.readouterr().out

    filesystem, ledger = storage.resolve(run.path("_jobs/annotate"))
    lost = ["done.json", "part-00002.json", "part-00005.json"]
    for name in lost:
        filesystem.delete_file(f"{ledger}/{name}")
    kept = filesystem.get_file_info(storage.resolve(run.path("documents/part-00003.parquet"))[1]).mtime_ns
    pipeline.run_until(run, "annotate")
    count = len([path for path in expected if "/_jobs/annotate/part-" in path])
    assert f"{count} parts, {count - 2} parts were there already" in capsys.readouterr().out
    assert filesystem.get_file_info(storage.resolve(run.path("documents/part-00003.parquet"))[1]).mtime_ns == kept
    assert {path: storage.read_bytes(path) for path in storage.list_files(run.output)} == expected


def test_stale_output_on_s3_is_removed(corpus, bucket, tmp_path):
    for count in (40, 5):
        rows = [{"id": str(n), "text": corpus.text("en", n)} for n in range(count)]
        path = corpus.jsonl(tmp_path / "web.jsonl", rows)
        storage.write_bytes(f"{bucket}/web.jsonl", path.read_bytes())
        item = {"name": "web", "paths": [f"{bucket}/*.jsonl"], "format": "jsonl", "columns": {"text": "text"}}
        recipe = corpus.recipe(tmp_path, [item], annotate={"unit_bytes": 4000})
        run = Run(load_recipe(recipe), f"{bucket}/run", workers=1)
        pipeline.run_until(run, "select")
        files = storage.list_files(run.path("documents"))
        assert len(files) == len(dataset.read_manifest(run.output, "documents")["files"]) + 1
    assert len(files) == 2 and dataset.read_manifest(run.output, "curated")["rows"] == 5


def test_worker_processes_read_and_write_s3(finished, bucket, tmp_path):
    recipe = load_recipe(_remote_recipe(finished.recipe, bucket, tmp_path))
    run = Run(recipe, f"{bucket}/run", workers=2)
    pipeline.run_until(run, "annotate")
    local = dataset.read_manifest(finished.run.output, "documents")
    assert dataset.read_manifest(run.output, "documents") == local


def test_a_failed_part_is_never_visible_on_s3(bucket):
    with pytest.raises(RuntimeError), storage.atomic_file(f"{bucket}/half.bin") as local:
        Path(local).write_bytes(b"half")
        raise RuntimeError("stopped while writing")
    assert storage.list_files(bucket) == []


def test_a_pattern_without_match_and_a_missing_bucket_are_clear_errors(corpus, bucket, tmp_path):
    storage.write_bytes(f"{bucket}/inputs/web.jsonl", b'{"text": "a"}\n')
    for path in (f"{bucket}/inputs/*.json", f"{bucket}/inputs/none.jsonl", "s3://no-such-bucket-here/*.jsonl"):
        item = {"name": "web", "paths": [path], "format": "jsonl"}
        with pytest.raises(PlanError, match="input 'web': no file matches s3://"):
            plan_units(load_recipe(corpus.recipe(tmp_path, [item])))


def test_job_errors_name_the_remote_place(corpus, bucket, tmp_path):
    storage.write_bytes(f"{bucket}/web.jsonl", b"{broken\n")
    item = {"name": "web", "paths": [f"{bucket}/web.jsonl"], "format": "jsonl"}
    run = Run(load_recipe(corpus.recipe(tmp_path, [item])), f"{bucket}/run", workers=1)
    with pytest.raises(JobError, match=f"see {bucket}/run/dead"):
        pipeline.run_until(run, "annotate")
    state = json.loads(storage.read_text(run.path("_jobs/annotate/job.json")))
    assert state["fingerprint"] and not storage.exists(run.path("_jobs/annotate/done.json"))


@pytest.fixture
def remote_shards(finished, bucket) -> str:
    """The shards and tokenizer of the finished run, in the bucket."""
    for folder in ("shards", "tokenizer"):
        _copy(Path(finished.run.output, folder), f"{bucket}/run/{folder}")
    return f"{bucket}/run/shards/train"


def test_shards_are_looked_into_where_they_lie(finished, remote_shards, glotmill, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    local = str(Path(finished.run.output, "shards", "train"))
    for arguments in (["stats", "--json"], ["decode", "--doc", "3"]):
        remote = glotmill("shards", arguments[0], remote_shards, *arguments[1:])
        assert remote.code == 0 and remote.out == glotmill("shards", arguments[0], local, *arguments[1:]).out
    assert glotmill("shards", "verify", remote_shards).code == 0
    assert glotmill("shards", "diff", remote_shards, local).code == 0
    assert _temporary_files() == set()


@pytest.mark.parametrize(
    "layout", ["megatron", "datatrove", "olmo", "torchtitan", "mds", "litdata", "parquet", "jsonl"]
)
def test_exports_to_s3_are_the_files_of_a_local_export(
    finished, remote_shards, bucket, glotmill, tmp_path, monkeypatch, layout
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    local = str(Path(finished.run.output, "shards", "train"))
    options = ["--layout", layout, *(["--sequence-length", "65"] if layout == "litdata" else [])]
    assert glotmill("shards", "export", local, str(tmp_path / "out"), *options).code == 0
    assert glotmill("shards", "export", remote_shards, f"{bucket}/out", *options).code == 0
    expected = {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    found = {
        path.removeprefix(f"{bucket}/out/"): storage.read_bytes(path) for path in storage.list_files(f"{bucket}/out")
    }
    assert found == expected
    assert _temporary_files() == set()


def test_shuffled_shards_in_two_splits_more_and_many_shards_on_s3(finished, bucket, tmp_path):
    """The external sort reads ranges of its runs from the bucket, and removes them."""
    import yaml

    recipe = yaml.safe_load(finished.recipe.read_text())
    recipe["shards"] = {"validation_fraction": 0.15, "test_fraction": 0.1, "shuffle": True, "shard_tokens": 3000,
                        "unit_bytes": 40_000}  # fmt: skip
    path = finished.recipe.parent / "shuffled.yaml"
    path.write_text(yaml.safe_dump(recipe))
    local = tmp_path / "run"
    shutil.copytree(finished.run.output, local, ignore=shutil.ignore_patterns("shards", "shard", "model", "train"))
    _copy(local, f"{bucket}/run")
    for output in (str(local), f"{bucket}/run"):
        pipeline.run_until(Run(load_recipe(path), output, workers=1), "shard")
    expected = {
        str(path.relative_to(local)): path.read_bytes() for path in (local / "shards").rglob("*") if path.is_file()
    }
    found = storage.list_files(f"{bucket}/run/shards")
    assert {path.removeprefix(f"{bucket}/run/"): storage.read_bytes(path) for path in found} == expected
    assert len(expected) > 20 and storage.list_files(f"{bucket}/run/encoded") == []


def test_less_than_an_error_message_is_read_through_errors(bucket, faulty):
    """Whose message then overflows what Arrow holds ready for the bytes asked for, which it takes for an end."""
    storage.write_bytes(f"{bucket}/few", b"bytes")
    first = len(faulty.fetched)
    faulty.faults = lambda number: "error" if number < first + 4 else None
    assert storage.read_bytes(f"{bucket}/few") == b"bytes"
    assert faulty.injected.total() == 4


@pytest.mark.parametrize("after", [0, 100], ids=["from the start", "inside the pipeline"])
def test_a_store_that_keeps_failing_ends_the_command_and_another_goes_on(
    after, finished, bucket, faulty, glotmill, tmp_path, monkeypatch
):
    monkeypatch.setattr(storage, "RETRIES", 2)
    recipe = str(_remote_recipe(finished.recipe, bucket, tmp_path))
    command = ("annotate", recipe, "--output", f"{bucket}/run", "--workers", "1")
    first = len(faulty.fetched) + after
    faulty.faults = lambda number: "error" if number >= first else None
    said = glotmill(*command)
    assert said.code == 1
    assert f"{bucket}/" in said.err and "the object store failed, after up to 2 retries" in said.err
    assert "then run the same command again" in said.err
    faulty.faults = lambda number: None
    assert not storage.exists(f"{bucket}/run/_jobs/annotate/done.json")
    assert glotmill(*command).code == 0
    local = dataset.read_manifest(finished.run.output, "documents")
    assert dataset.read_manifest(f"{bucket}/run", "documents") == local


@pytest.mark.parametrize("failing", ["HEAD", "GET"])
def test_input_that_the_store_fails_to_give_is_no_dead_record(failing, finished, bucket, faulty, tmp_path, monkeypatch):
    """In planning and in each unit of each format, when files are opened and when they are read.

    Of a damaged file the documents would be passed over.
    """
    monkeypatch.setattr(storage, "RETRIES", 0)
    recipe = load_recipe(_remote_recipe(finished.recipe, bucket, tmp_path))
    units = plan_units(recipe).units
    faulty.counted = lambda request: request.method == failing
    faulty.faults = lambda number: "error"
    with pytest.raises(storage.StorageError, match="the object store failed"):
        plan_units(recipe)
    for unit in units:
        with pytest.raises(storage.StorageError, match=f"{bucket}/inputs/.*the object store failed"):
            list(read_unit(unit, recipe.inputs[unit.input], recipe.annotate))

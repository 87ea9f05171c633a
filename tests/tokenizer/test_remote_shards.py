"""Shards at a URL read like those on the disk, through failures, evictions and any number of processes."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("moto.server", reason="moto is part of the extra 'dev'")

import pyarrow.fs as pafs  # noqa: E402

from curation import storage  # noqa: E402
from tests.faulty_server import FAULTS, FaultyServer, of_folder, of_server, running  # noqa: E402
from tests.object_store import environment, moto_server  # noqa: E402
from tests.tokenizer.conftest import Dataset, make_dataset  # noqa: E402
from tokenizer.shards import remote  # noqa: E402
from tokenizer.shards.cache import FileCache  # noqa: E402
from tokenizer.shards.format import BLOCK_BYTES, ShardDamaged  # noqa: E402
from tokenizer.shards.reader import ShardSet, open_shards  # noqa: E402

BLOCK = BLOCK_BYTES // 4


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Six blocks in two shards."""
    return make_dataset([5_000] * 270)


@pytest.fixture(scope="module")
def folder(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("served")
    dataset.write(directory, shards=2)
    return directory


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "FIRST_PAUSE", 0.005)


@pytest.fixture
def web(folder: Path) -> Iterator[FaultyServer]:
    with running(FaultyServer(of_folder(folder))) as server:
        yield server


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def s3(moto: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, FaultyServer]]:
    """URL of the dataset in a bucket, and the faulty server between it and us."""
    with running(FaultyServer(of_server(moto))) as server:
        for name, value in environment(server.url).items():
            monkeypatch.setenv(name, value)
        name = f"bucket-{uuid.uuid4().hex}"
        bucket = pafs.S3FileSystem(endpoint_override=moto, region="us-east-1", allow_bucket_creation=True)
        bucket.create_dir(name)
        pafs.copy_files(str(folder), f"{name}/tokens", destination_filesystem=bucket)
        storage._remote_filesystem.cache_clear()
        yield f"s3://{name}/tokens", server
        storage._remote_filesystem.cache_clear()


def files_of(cache: Path) -> set[str]:
    """Names of the cache's files; those of locks and counters begin with a dot."""
    found = {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(".")}


def read_everything(shards: ShardSet, dataset: Dataset) -> None:
    np.testing.assert_array_equal(shards.read(0, shards.num_tokens), dataset.tokens)
    assert shards.meta.tobytes() == dataset.meta.tobytes()


@pytest.mark.parametrize("kind", ["web", "web without ranges", "s3"])
def test_a_url_reads_like_the_disk(kind: str, request: Any, folder: Path, dataset: Dataset, tmp_path: Path):
    if kind == "s3":
        url, server = request.getfixturevalue("s3")
    else:
        server = request.getfixturevalue("web")
        server.answer = of_folder(folder, ranges=kind == "web")
        url = server.url
    shards = open_shards(url, cache=tmp_path)
    assert server.fetched == [], "opening reads no tokens"
    starts, stops = np.array([BLOCK - 5, 9, 3 * BLOCK]), np.array([BLOCK + 5, 9, 3 * BLOCK + 7])
    expected = open_shards(folder).gather(starts, stops)
    np.testing.assert_array_equal(shards.gather(starts, stops), expected)
    assert len(server.fetched) == 3, "only the touched blocks are fetched"
    read_everything(shards, dataset)
    read_everything(open_shards(url, cache=tmp_path), dataset)
    assert len(server.fetched) == 6, "each block once"
    assert not [name for name in files_of(tmp_path) if storage.TEMPORARY_MARK in name]


@pytest.mark.parametrize("kind", ["web", "s3"])
def test_failing_cut_wrong_and_slow_answers_change_nothing(kind: str, request: Any, dataset: Dataset, tmp_path: Path):
    """Two of three fetches fail, in turn in each way."""
    url, server = request.getfixturevalue("s3") if kind == "s3" else (request.getfixturevalue("web").url, None)
    server = server or request.getfixturevalue("web")
    server.faults = lambda number: None if number % 3 == 2 else FAULTS[number // 3 % len(FAULTS)]
    read_everything(open_shards(url, cache=tmp_path), dataset)
    assert len(server.fetched) > 6


def test_a_server_that_keeps_failing_is_named(web: FaultyServer, tmp_path: Path) -> None:
    shards = open_shards(web.url, cache=tmp_path)
    web.faults = lambda number: "error"
    with pytest.raises(ConnectionError, match=r"train-0000\d\.bin: not read in 6 attempts, .* 503"):
        shards.read(0, 5)
    web.faults = lambda number: None
    shards.read(0, 5)


def test_a_store_that_keeps_failing_is_named(s3: tuple[str, FaultyServer], tmp_path: Path, monkeypatch: Any) -> None:
    """Its client has tried again by then, so that the loader does not do so once more."""
    monkeypatch.setattr(storage, "RETRIES", 1)
    url, server = s3
    shards = open_shards(url, cache=tmp_path)
    server.faults = lambda number: "error"
    with pytest.raises(storage.StorageError, match=r"train-0000\d\.bin: the object store failed, after up to 1 "):
        shards.read(0, 5)
    assert len(server.fetched) == 2
    server.faults = lambda number: None
    shards.read(0, 5)


def test_what_is_damaged_at_its_source_is_named_and_never_cached(web: FaultyServer, tmp_path: Path) -> None:
    shards = open_shards(web.url, cache=tmp_path)
    web.faults = lambda number: "flip"
    with pytest.raises(ShardDamaged, match=r"http://.*train-00000\.bin: block 1, bytes 1,048,576 to 2,097,151,"):
        shards.read(BLOCK, BLOCK + 1)
    assert not [name for name in files_of(tmp_path) if ".bin/" in name]


def test_a_shorter_file_at_the_source_is_named(dataset: Dataset, tmp_path: Path) -> None:
    dataset.write(tmp_path / "served", shards=2)
    path = tmp_path / "served" / "train-00001.bin"
    path.write_bytes(path.read_bytes()[:-4])
    with running(FaultyServer(of_folder(tmp_path / "served"))) as server:
        shards = open_shards(server.url, cache=tmp_path / "cache")
        with pytest.raises(ShardDamaged, match=r"train-00001\.bin: bytes 2,097,152 on are .*, not "):
            shards.read(shards.num_tokens - 1, shards.num_tokens)


def test_a_block_that_the_disk_damages_is_fetched_again(web: FaultyServer, dataset: Dataset, tmp_path: Path) -> None:
    read_everything(open_shards(web.url, cache=tmp_path), dataset)
    for name in files_of(tmp_path):
        path = tmp_path / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    read_everything(open_shards(web.url, cache=tmp_path), dataset)
    assert len(web.fetched) == 12


def test_a_missing_dataset_or_cache_is_said_at_once(web: FaultyServer, s3: tuple[str, FaultyServer], tmp_path: Path):
    for url in (f"{web.url}/nowhere", f"{s3[0]}-nowhere"):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            open_shards(url, cache=tmp_path)
    with pytest.raises(ValueError, match="is remote: give a local folder as cache"):
        open_shards(web.url)
    with pytest.raises(ValueError, match="the cache needs at least 67,108,864"):
        open_shards(web.url, cache=tmp_path, cache_bytes=1000)


def test_a_missing_shard_is_named(dataset: Dataset, tmp_path: Path) -> None:
    dataset.write(tmp_path / "served", shards=2)
    (tmp_path / "served" / "train-00001.bin").unlink()
    with running(FaultyServer(of_folder(tmp_path / "served"))) as server:
        shards = open_shards(server.url, cache=tmp_path / "cache")
        with pytest.raises(FileNotFoundError, match=r"train-00001\.bin: HTTP Error 404"):
            shards.read(0, shards.num_tokens)
        (tmp_path / "served" / "train-00000.idx").unlink()
        with pytest.raises(FileNotFoundError, match=r"train-00000\.idx: HTTP Error 404"):
            open_shards(server.url, cache=tmp_path / "another cache")


def test_the_cache_keeps_to_its_size_and_reading_goes_on(
    web: FaultyServer, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for three blocks: everything is read twice, in pieces, and what was removed gives its memory back."""
    monkeypatch.setattr(remote, "LEAST_CACHE", 0)
    limit = 3 * BLOCK_BYTES + 100_000
    shards = open_shards(web.url, cache=tmp_path, cache_bytes=limit)
    for _ in range(2):
        for start in range(0, shards.num_tokens, 100_000):
            stop = min(start + 100_000, shards.num_tokens)
            np.testing.assert_array_equal(shards.read(start, stop), dataset.tokens[start:stop])
            assert sum((tmp_path / name).stat().st_size for name in files_of(tmp_path)) <= limit
            assert np.count_nonzero(shards._addresses) <= 4
    assert shards._cache.evictions > 1 and len(web.fetched) >= 12


def test_prefetching_fetches_in_the_background_and_failing_does_not_hurt(web: FaultyServer, tmp_path: Path) -> None:
    shards = open_shards(web.url, cache=tmp_path)
    answering = threading.Event()
    web.faults = lambda number: None if answering.wait(60) else "error"
    for _ in range(3):
        shards.prefetch(np.array([0, BLOCK]), np.array([5, BLOCK + 5]))  # comes back before there is an answer
    answering.set()
    shards.read(0, 5)
    shards.read(BLOCK, BLOCK + 5)
    assert len(web.fetched) == 2, "asking several times fetches once"
    web.faults = lambda number: "error" if number < 8 else None
    shards.prefetch(np.array([2 * BLOCK]), np.array([2 * BLOCK + 5]))
    while shards._fetching:
        time.sleep(0.01)
    shards.read(2 * BLOCK, 2 * BLOCK + 5)


def _reader(url: str, cache: str, results: Any) -> None:
    shards = open_shards(url, cache=cache)
    results.put(int(shards.read(0, shards.num_tokens).sum(dtype=np.int64)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_one_copy(method: str, s3: tuple[str, FaultyServer], dataset: Dataset, tmp_path: Path) -> None:
    """Four at once, also forked from one that has read before: every block is fetched by one of them."""
    url, server = s3
    open_shards(url, cache=tmp_path).read(0, 5)
    context = multiprocessing.get_context(method)
    results = context.Queue()
    processes = [context.Process(target=_reader, args=(url, str(tmp_path), results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=120) for _ in processes] == [int(dataset.tokens.sum(dtype=np.int64))] * 4
    for process in processes:
        process.join()
    assert len(server.fetched) == len(set(server.fetched)) == 6


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_over_s3_gives_the_batches_of_one_over_the_disk(
    workers: int, s3: tuple[str, FaultyServer], folder: Path, tmp_path: Path
) -> None:
    """Through failing and slow answers, with blocks fetched ahead; with workers, each block by one of them."""
    pytest.importorskip("torch")
    from trainer.data.samples import SampleStream, rank_samples
    from trainer.data.torch_dataset import SampleDataset, data_loader

    url, server = s3
    server.faults = lambda number: FAULTS[number // 2 % len(FAULTS)] if number % 2 else None
    streams = []
    for place in (str(folder), url):
        shards = open_shards(place, cache=tmp_path)
        shards.manifest["tokenizer"]["special_tokens"]["<|endoftext|>"] = 0
        streams.append(SampleStream(shards, 2048, seed=1))
    batches = iter(data_loader(SampleDataset(streams[1], 4), workers))
    for step in range(40):
        expected = streams[0].read(rank_samples(step, 4))
        arrays = next(batches)
        for name in expected._fields:
            np.testing.assert_array_equal(arrays[name].numpy(), getattr(expected, name))
    del batches


def test_a_set_of_shards_pickles_as_its_url(web: FaultyServer, dataset: Dataset, tmp_path: Path) -> None:
    shards = open_shards(web.url, cache=tmp_path, cache_bytes=10**9)
    copy = pickle.loads(pickle.dumps(shards))
    assert copy._cache.limit == 10**9
    read_everything(copy, dataset)


def test_many_blocks_do_not_use_up_file_descriptors(web: FaultyServer, dataset: Dataset, tmp_path: Path) -> None:
    shards = open_shards(web.url, cache=tmp_path)
    shards.read(0, 5)
    before = set(os.listdir("/proc/self/fd"))
    shards.read(0, shards.num_tokens)
    opened = [os.path.realpath(f"/proc/self/fd/{name}") for name in set(os.listdir("/proc/self/fd")) - before]
    assert not [path for path in opened if ".bin" in path]


READ_FOR_EVER = {
    "a reader": """
while True:
    shards.prefetch(np.array([0]), np.array([shards.num_tokens]))
    shards.read(0, shards.num_tokens)
""",
    "a loader's workers": """
from trainer.data.samples import SampleStream
from trainer.data.torch_dataset import SampleDataset, data_loader
shards.manifest["tokenizer"]["special_tokens"]["<|endoftext|>"] = 0
for batch in data_loader(SampleDataset(SampleStream(shards, 2048), 4), workers=2):
    pass
""",
}


@pytest.mark.parametrize("loop", READ_FOR_EVER.values(), ids=READ_FOR_EVER.keys())
def test_ctrl_c_leaves_no_process_and_no_half_file(loop: str, web: FaultyServer, tmp_path: Path) -> None:
    """Interrupted while blocks are on their way, as by a terminal: the whole group ends, and only whole files stay."""
    web.faults = lambda number: "slow" if number else None
    code = f"""
import numpy as np
from tokenizer.shards.reader import open_shards
shards = open_shards({web.url!r}, cache={str(tmp_path / "cache")!r})
shards.read(0, 5)
print("reading", flush=True)
{loop}"""
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "reading\n"
        while len(web.fetched) < 3 and process.poll() is None:  # until some blocks are under way
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        assert "KeyboardInterrupt" in process.stderr.read()  # which ends when all who could write to it have
    assert process.returncode != 0
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    sizes = {(tmp_path / "cache" / name).stat().st_size for name in files_of(tmp_path / "cache") if ".bin/" in name}
    assert sizes and sizes <= {BLOCK_BYTES, (5_000 * 135 * 4) % BLOCK_BYTES}
    assert not [path for path in tmp_path.rglob(f"*{storage.TEMPORARY_MARK}*")]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    left, writing = (tmp_path / "data" / f"000001{storage.TEMPORARY_MARK}{number}" for number in (1, 2))
    left.write_bytes(b"half")
    writing.write_bytes(b"half")
    os.utime(left, (0, 0))
    cache = FileCache(tmp_path, 1000)
    assert not left.exists() and writing.exists()
    cache.get("data/a", lambda: bytes(600))
    assert FileCache(tmp_path, 1000).get("data/b", lambda: bytes(600)).exists()
    assert not (tmp_path / "data" / "a").exists(), "the older file made room"


def test_a_lock_is_free_again_although_a_process_was_forked_under_it(tmp_path: Path) -> None:
    """As a DataLoader's workers are, while threads fetch: the child holds the file open, not the lock."""
    cache = FileCache(tmp_path, 1000)
    with cache._locked("usage"):
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
    try:
        with (tmp_path / ".locks" / "usage").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

"""BPE training from pretoken counts against other trainers, on the same texts; with `tokenizers` the same result.

    python benchmarks/bpe_training.py TEXT.parquet... [--megabytes 40] [--size 32000] [--runs 3] [--threads 1]
                                      [--peer-python PYTHON]

The texts are a random sample of the column ``text``. Each run is a process of its own, all in turn. Ours loads its
compiled code from Numba's cache, which is reported apart. ``tokenizers`` reads, cuts and counts texts until its
iterator ends; what comes after that is "train", as ours is from the counts to the vocabulary. ``--threads`` sets
RAYON_NUM_THREADS; ours uses one thread. ``--peer-python`` has rustbpe (with the pattern of Qwen2) and gigabpe (which
has that of GPT-2 alone) installed. Reported are medians: CPU seconds of all threads (which other work on the machine
disturbs least), wall seconds, and the highest resident memory of the process, of which the texts and the interpreter
are part in all cases.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from peak_memory import peak_bytes
from tokenizers import trainers

from curation.text.normalize import normalize
from tokenizer.bpe.counts import PretokenCounter
from tokenizer.bpe.trainer import Options, train, train_exact
from tokenizer.pretokens import build_pipeline, byte_characters

BATCH_ROWS = 1000


def sample_texts(files: list[str], megabytes: float) -> pa.Array:
    """A random sample of documents of about that size, normalised."""
    chunks = [
        chunk.cast(pa.large_string()) for f in files for chunk in pq.read_table(f, columns=["text"])["text"].chunks
    ]
    texts = pa.chunked_array(chunks).drop_null().combine_chunks()
    order = np.random.default_rng(0).permutation(len(texts))
    sizes = np.cumsum(pc.binary_length(texts).to_numpy()[order])
    return normalize(texts.take(pa.array(order[: np.searchsorted(sizes, megabytes * 1e6) + 1]))).text


class Clock:
    """CPU and wall seconds since the last lap."""

    def __init__(self) -> None:
        self._start = time.process_time(), time.perf_counter()

    def lap(self) -> dict[str, float]:
        now = time.process_time(), time.perf_counter()
        cpu, wall = now[0] - self._start[0], now[1] - self._start[1]
        self._start = now
        return {"cpu": cpu, "wall": wall}


def run_ours(texts: pa.Array, size: int) -> dict[str, Any]:
    clock = Clock()
    _load()
    loading = clock.lap()
    counter = PretokenCounter()
    for start in range(0, len(texts), BATCH_ROWS):
        counter.add(texts[start : start + BATCH_ROWS])
    table = counter.table()
    del counter
    counting = clock.lap()
    trained = train_exact(table, size)
    training = clock.lap()
    built = trained.tokenizer().to_str()
    export = clock.lap()
    return _result(built, load=loading, count=counting, train=training, export=export, pretokens=table.num_rows)


def _load() -> None:
    """Load compiled code and Unicode tables."""
    counter = PretokenCounter()
    counter.add(pa.array(["the cat"], pa.large_string()))
    train_exact(counter.table(), 300)


def run_default(texts: pa.Array, size: int) -> dict[str, Any]:
    _load()
    counter = PretokenCounter()
    counter.add(texts)
    table = counter.table()
    clock = Clock()
    trained = train(table, size, Options(min_frequency=1))
    return _result("\n".join(map(bytes.hex, trained.tokens)), train=clock.lap(), pretokens=table.num_rows)


def run_tokenizers(texts: pa.Array, size: int) -> dict[str, Any]:
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(byte_characters()), show_progress=False, min_frequency=0
    )
    tokenizer = build_pipeline()
    clock = Clock()
    counting: dict[str, float] = {}

    def batches() -> Iterator[list[str]]:
        for start in range(0, len(texts), BATCH_ROWS):
            yield texts[start : start + BATCH_ROWS].to_pylist()
        counting.update(clock.lap())

    tokenizer.train_from_iterator(batches(), trainer)
    merging = clock.lap()
    return _result(tokenizer.to_str(), count=counting, train=merging, export={"cpu": 0.0, "wall": 0.0})


def _result(built: str, **measured: Any) -> dict[str, Any]:
    # Not ru_maxrss, which a process inherits from the one that started it.
    peak = peak_bytes(os.getpid()) / 2**20
    return {"hash": hashlib.sha256(built.encode()).hexdigest(), "peak_mib": peak} | measured


RUNS = {"ours": run_ours, "default mode": run_default, "tokenizers": run_tokenizers}
PEERS = ("rustbpe", "gigabpe")


def run_in_process(name: str, texts: Path, size: int, threads: int, peer_python: str | None) -> dict[str, Any]:
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(texts), "--size", str(size), "--child", name]
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    if name in PEERS:
        script = Path(__file__).parent / "peers" / "bpe_peer.py"
        command = [str(peer_python), str(script), name, str(texts), str(size), str(threads)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def median(runs: list[dict[str, Any]], *path: str) -> float:
    values: list[Any] = runs
    for key in path:
        values = [value[key] for value in values]
    return statistics.median(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--megabytes", type=float, default=40)
    parser.add_argument("--size", type=int, default=32_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peer-python")
    parser.add_argument("--child", choices=RUNS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        texts = pa.ipc.open_file(pa.memory_map(arguments.files[0])).read_all()["text"].combine_chunks()
        print(json.dumps(RUNS[arguments.child](texts, arguments.size)))
        return
    with tempfile.TemporaryDirectory(prefix="glotmill-") as folder:
        path = Path(folder) / "texts.arrow"
        texts = sample_texts(arguments.files, arguments.megabytes)
        with pa.ipc.new_file(path, pa.schema([("text", pa.large_string())])) as writer:
            writer.write_table(pa.table({"text": texts}))
        for name in ("ours", "default mode"):  # compile
            run_in_process(name, path, arguments.size, 1, None)
        names = [*RUNS, *(PEERS if arguments.peer_python else ())]
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for _ in range(arguments.runs):
            for name in names:
                runs[name].append(run_in_process(name, path, arguments.size, arguments.threads, arguments.peer_python))
    report(runs, pc.sum(pc.binary_length(texts)).as_py() / 1e6, len(texts), arguments)


def report(runs: dict[str, list[dict[str, Any]]], megabytes: float, documents: int, arguments: Any) -> None:
    ours, theirs = runs["ours"], runs["tokenizers"]
    identical = {run["hash"] for run in ours} == {run["hash"] for run in theirs}
    print(f"{megabytes:.1f} MB, {documents:,} documents, {ours[0]['pretokens']:,} distinct pretokens;", end=" ")
    print(f"{arguments.size:,} tokens, {arguments.runs} runs, RAYON_NUM_THREADS={arguments.threads}")
    print(f"tokenizer.json identical: {identical}")
    print(f"{'':<28}{'ours':>10}{'tokenizers':>12}{'times':>8}")
    for clock in ("cpu", "wall"):
        for what in ("count", "train"):
            row(f"{what}, {clock} seconds", median(ours, what, clock), median(theirs, what, clock))
        row(f"all, {clock} seconds", total(ours, clock), total(theirs, clock))
    row("peak memory, MiB", median(ours, "peak_mib"), median(theirs, "peak_mib"))
    for name in PEERS:
        if name in runs:
            all_, peak = median(runs[name], "all", "cpu"), median(runs[name], "peak_mib")
            print(f"{name:<12} {all_:>8.2f} CPU seconds, {all_ / total(ours, 'cpu'):.1f} times ours; {peak:.0f} MiB")
    print(f"ours, loading compiled code and tables, cpu seconds: {median(ours, 'load', 'cpu'):.2f}")
    print(f"default mode, merge, cpu seconds: {median(runs['default mode'], 'train', 'cpu'):.2f}")


def row(what: str, mine: float, other: float) -> None:
    print(f"{what:<28}{mine:>10.2f}{other:>12.2f}{other / mine:>8.1f}")


def total(runs: list[dict[str, Any]], clock: str) -> float:
    return sum(median(runs, what, clock) for what in ("count", "train", "export"))


if __name__ == "__main__":
    main()

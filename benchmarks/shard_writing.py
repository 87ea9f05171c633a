"""What making shards costs beside encoding: the external sort, writing and hashing, on one core.

    python benchmarks/shard_writing.py [--megabytes 200] [--rounds 5] [--folder /some/disk]

Documents of random ids with lengths of web pages (log-normal, mean about 840 tokens) go the way of job `shard`: sorted
into a run, read back, merged, written as a shard with index, records, sha256 and checksums of blocks. MB are bytes of
uint32 tokens; times are CPU seconds, medians of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tokenizer.shards import reader, runs
from tokenizer.shards.order import shuffled_keys
from tokenizer.shards.writer import write_manifest, write_shard


def random_documents(tokens_bytes: float) -> runs.Documents:
    generator = np.random.default_rng(0)
    lengths = generator.lognormal(6, 1.2, int(tokens_bytes / 4 / 840)).astype(np.int64) + 1
    records = np.zeros(lengths.size, runs.DOCUMENT_DTYPE)
    records["tokens"] = lengths
    content = np.frombuffer(generator.bytes(16 * lengths.size), "V16")
    records["meta"]["content_hash"], records["meta"]["address"] = content, np.arange(lengths.size)
    records["key"] = shuffled_keys(content, np.zeros(lengths.size, np.int64), 0)
    return runs.Documents(records, generator.integers(0, 32_000, int(lengths.sum()), np.uint32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder")
    arguments = parser.parse_args()
    documents = random_documents(arguments.megabytes * 1e6)
    megabytes, fences = documents.tokens.nbytes / 1e6, runs.fence_count(1)
    rows = np.arange(len(documents.records))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        run = str(Path(folder, "unit.run"))
        runs.write_run(run, documents, fences, "uint32")
        whole = runs.places(run, np.array([0, fences]), "uint32")
        read = runs.read_range(run, *whole, "uint32")
        merged = runs.merge([read])
        shard = write_shard(folder, "s", merged.tokens, merged.offsets, merged.records["meta"])
        tokenizer = {"fingerprint": "", "vocabulary_size": 32_000, "special_tokens": {}}
        write_manifest(folder, [shard], tokenizer=tokenizer, languages=["en"], domains=["web"], sources=["s"],
                       recipe={}, parents=[])  # fmt: skip
        steps: dict[str, Callable[[], Any]] = {
            "repeat and split": lambda: runs.take(documents, rows),
            "sort, write run": lambda: runs.write_run(run, documents, fences, "uint32"),
            "read run": lambda: runs.read_range(run, *whole, "uint32"),
            "merge": lambda: runs.merge([read]),
            "write shard": lambda: write_shard(folder, "s", merged.tokens, merged.offsets, merged.records["meta"]),
        }
        seconds = {name: _median(step, arguments.rounds) for name, step in steps.items()}
        checking = _median(lambda: reader.verify(folder), arguments.rounds)
    print(f"{len(rows):,} documents, {documents.tokens.size:,} tokens, {megabytes:,.0f} MB")
    seconds["all of it"] = sum(seconds.values())
    for name, spent in (*seconds.items(), ("verify a shard", checking)):
        rates = f"{megabytes / spent:>7,.0f} MB/s  {documents.tokens.size / spent / 1e6:>6,.0f} M tokens/s"
        print(f"{name:<18} {spent:>7.3f} s  {rates}")


def _median(step: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.process_time()
        step()
        times.append(time.process_time() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()

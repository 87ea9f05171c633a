"""The job `dedup` over millions of synthetic documents: time per document, memory in total, one graph or many rounds.

python benchmarks/dedup_scale.py FOLDER --documents 2000000 [--rounds] [--like RUN]

Signatures are made, text is not: a cluster's first document has random values, and each other one keeps a value with
the probability of a similarity between 0.75 and 1, so bands collide as they do between real documents. Sizes of
clusters follow those of the run ``--like`` (its ``_jobs/dedup/done.json``), by default one document in eight is in one.
``--rounds`` connects the graph by stars in rounds instead of union-find. Prints a checksum of the clusters.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from peak_memory import POLL_SECONDS, family

from curation.dataset import Job, part_name, write_parquet
from curation.dedup.minhash import band_lists, sketches
from curation.recipe import Recipe
from curation.recipe_dedup import MinHash
from curation.schema import addresses
from jobs.dedup import dedup
from jobs.run_context import Run

PART_ROWS = 100_000
BLOCK_PARTS = 8
MINHASH = MinHash()


def part(number: int, sizes: np.ndarray, share: np.ndarray) -> pa.RecordBatch:
    """Signals of one part. Members of a cluster are the same row of the parts of a block."""
    width = MINHASH.bands * MINHASH.rows
    signature = np.empty((PART_ROWS, width), np.uint32)
    block, place = divmod(number, len(sizes))
    rows = np.random.default_rng([7, block])
    size_of_row = rows.choice(sizes, PART_ROWS, p=share)  # of the clusters that begin in the first part of the block
    base_seed = np.random.default_rng([8, block])
    signature[:] = base_seed.integers(0, 2**32, signature.shape, np.uint32)
    own = np.random.default_rng([9, number])
    member = place < size_of_row
    similarity = own.uniform(0.75, 1.0, PART_ROWS)
    changes = (own.random(signature.shape) > similarity[:, None]) & (place > 0)
    changes |= ~member[:, None]
    fresh = own.integers(0, 2**32, signature.shape, np.uint32)
    signature[changes] = fresh[changes]
    content = own.bytes(16 * PART_ROWS)
    columns = {
        "address": addresses(number, PART_ROWS),
        "id": pa.array([f"{number}-{row}" for row in range(PART_ROWS)]),
        "source": pa.array(["web"] * PART_ROWS),
        "characters": pa.array(own.integers(200, 100_000, PART_ROWS).astype(np.uint32)),
        "content_hash": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), PART_ROWS, [None, pa.py_buffer(content)]),
        "bands": band_lists(signature, MINHASH.bands, np.ones(PART_ROWS, bool)),
        "sketch": sketches(signature),
    }
    return pa.RecordBatch.from_pydict(columns)


def annotated(folder: Path, documents: int, sizes: np.ndarray, share: np.ndarray) -> Job:
    """A finished job `annotate` with signals/ alone."""
    recipe = {"version": 0, "annotate": {"minhash": MINHASH.model_dump()}}
    job = Job(str(folder), "annotate", ("signals",), f"synthetic {documents}", recipe)
    if job.open():
        return job
    for number in range(documents // PART_ROWS):
        batch = part(number, sizes, share)
        name = f"{part_name(number)}.parquet"
        file = write_parquet(job.path("signals", name), [batch], batch.schema)
        job.write_record(number, {"files": {"signals": {name: file}}, "counts": {"documents": PART_ROWS}})
    job.close({})
    return job


def cluster_sizes(run: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Sizes 1 to `BLOCK_PARTS`, and the share of the rows of a block that hold a cluster of each size."""
    counts, documents = np.array([0, 0, 50.0, 15.0, 8.0, 7.0, 5.0, 5.0, 10.0]), 3500
    if run is not None:
        found = json.loads((Path(run) / "_jobs/dedup/done.json").read_text())
        documents = json.loads((Path(run) / "duplicates/manifest.json").read_text())["rows"]
        counts = np.zeros(BLOCK_PARTS + 1)
        for size, count in found["sizes"].items():
            counts[min(int(size), BLOCK_PARTS)] += count
    share = counts * BLOCK_PARTS / documents  # a block's row has BLOCK_PARTS documents
    share[1] = 1 - share[2:].sum()
    return np.arange(1, BLOCK_PARTS + 1), share[1:]


class Memory(threading.Thread):
    """Watches the resident memory of this process and its children, shared pages counted once (PSS)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._stopped = 0, threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            self.peak = max(self.peak, sum(_proportional_bytes(pid) for pid in family(os.getpid())))

    def stop(self) -> float:
        self._stopped.set()
        return self.peak / 2**30


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    # Pages of mapped files are the system's cache: it takes them back when asked.
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:")) * 1024


def clusters_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted((folder / "duplicates").glob("*.parquet")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=2_000_000)
    parser.add_argument("--rounds", action="store_true")
    parser.add_argument("--resume", action="store_true", help="go on where a killed run was")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--like", help="a finished run whose sizes of clusters are taken")
    arguments = parser.parse_args()
    sizes, share = cluster_sizes(arguments.like)
    job = annotated(arguments.folder, arguments.documents, sizes, share)
    if not arguments.resume:
        shutil.rmtree(arguments.folder / "_jobs/dedup", ignore_errors=True)
    recipe = Recipe.model_validate({
        "name": "scale", "output": str(arguments.folder),
        "inputs": [{"name": "web", "paths": ["-"], "format": "jsonl"}],
        "dedup": {"prefer": ["longest"], "verify": "signature", "memory": 1 if arguments.rounds else 2 << 30},
    })  # fmt: skip
    memory = Memory()
    memory.start()
    started = time.monotonic()
    done = dedup(Run(recipe, str(arguments.folder), arguments.workers), job)
    seconds = time.monotonic() - started
    summary = {key: value for key, value in done.summary().items() if key not in ("sizes", "fingerprint")}
    print(f"{arguments.documents:,} documents, {'rounds' if arguments.rounds else 'union-find'}: {seconds:.1f} s, "
          f"{seconds / arguments.documents * 1e6:.2f} microseconds a document, memory {memory.stop():.2f} GiB, "
          f"clusters {clusters_digest(arguments.folder)}")  # fmt: skip
    print(json.dumps(summary))


if __name__ == "__main__":
    main()

"""`glotmill tokenizer merge-counts`: the counts of several runs as one dataset, added up part by part.

The output is a folder like a run with ``counts/`` alone, which ``tokenizer.add_counts`` and another merge-counts read.
"""

from __future__ import annotations

from collections.abc import Sequence

from curation import storage
from curation.dataset import Job, fingerprint, read_manifest, read_part
from jobs import progress
from jobs.count import write_count_part
from jobs.count_tables import common_pattern, counted_text, distinct_sources
from jobs.errors import JobError
from jobs.order import ORDER
from tokenizer.bpe.partitions import PartitionedCounts

VERSION = 1
PARTITION_BYTES = 64 << 20
"""Of the counts that are merged, as they lie on disk, for each part of the output."""


def merge_counts(runs: Sequence[str], output: str) -> Job:
    """Add up the counts of finished runs into ``output``/counts/.

    Raises:
        JobError: runs of different pretoken patterns, text that would count double, or an output that is itself a run
            or holds counts that are to be merged.
        FileNotFoundError: a run has no finished counts.
    """
    pattern = common_pattern(runs)
    manifests = [read_manifest(run, "counts") for run in runs]
    described = {
        "version": VERSION,
        "pattern": pattern,
        "back_off": max(manifest["recipe"]["back_off"] for manifest in manifests),
        "counts": distinct_sources(runs),
    }
    _check_output(output, [manifest["fingerprint"] for manifest in manifests])
    job = Job(output, "merge-counts", ("counts",), fingerprint(described), described)
    if job.open():
        storage.delete_folder(_exchange(job))  # a run killed at the very end leaves it
        progress.say(f"{output}: done already")
        return job
    sources = [(run, file) for run, manifest in zip(runs, manifests, strict=True) for file in sorted(manifest["files"])]
    partitions = 1 + sum(manifest["bytes"] for manifest in manifests) // PARTITION_BYTES
    counts = PartitionedCounts(_exchange(job), pattern, len(sources), partitions)
    finished = set(job.finished_parts())
    with progress.counter(job.name, len(sources) + partitions, "parts") as show:
        for task, (run, file) in enumerate(sources):
            show(task, "read")
            if not counts.has(task):
                counts.add(task, read_part(run, "counts", file))
        for partition in range(partitions):
            show(len(sources) + partition, "added up")
            if partition not in finished:
                write_count_part(job, partition, partition, counts.part(partition))
    parents = {run: manifest["fingerprint"] for run, manifest in zip(runs, manifests, strict=True)}
    job.close(parents, counted_text(runs))
    counts.delete()
    rows = read_manifest(output, "counts")["rows"]
    progress.say(f"{output}: {rows:,} rows of {len(runs)} runs")
    return job


def _check_output(output: str, merged: Sequence[str]) -> None:
    """Opening the job removes what other counts lie in its output."""
    if any(storage.exists(storage.join(output, "_jobs", name, "job.json")) for name in ORDER):
        raise JobError(f"merge-counts: {output} is a run, whose own counts would be lost; give a folder of its own")
    counted = storage.exists(storage.join(output, "counts", "manifest.json"))
    if counted and read_manifest(output, "counts")["fingerprint"] in merged:
        raise JobError(f"merge-counts: {output} is to be merged and is the output; give another folder for it")


def _exchange(job: Job) -> str:
    return storage.join(job.ledger, "exchange")

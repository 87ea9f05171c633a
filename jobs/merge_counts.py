"""`glotmill tokenizer merge-counts`: the counts of several runs as one dataset, added up part by part.

The output is a folder like a run with ``counts/`` alone, which ``tokenizer.add_counts`` and another merge-counts read.
"""

from __future__ import annotations

from collections.abc import Sequence

from curation import storage
from curation.dataset import Job, fingerprint, read_manifest, read_part
from jobs import progress
from jobs.count import write_count_part
from jobs.count_tables import common_pattern, counted_text
from jobs.errors import JobError
from tokenizer.bpe.partitions import PartitionedCounts

VERSION = 1
PARTITION_BYTES = 64 << 20
"""Of the counts that are merged, as they lie on disk, for each part of the output."""


def merge_counts(runs: Sequence[str], output: str) -> Job:
    """Add up the counts of finished runs into ``output``/counts/.

    Raises:
        JobError: runs of different pretoken patterns, or the same run twice.
        FileNotFoundError: a run has no finished counts.
    """
    if len(set(runs)) < len(runs):
        raise JobError("merge-counts: a run is given twice; its text would count double")
    pattern = common_pattern(runs)
    manifests = [read_manifest(run, "counts") for run in runs]
    described = {
        "version": VERSION,
        "pattern": pattern,
        "back_off": max(manifest["recipe"]["back_off"] for manifest in manifests),
        "counts": [manifest["fingerprint"] for manifest in manifests],
    }
    job = Job(output, "merge-counts", ("counts",), fingerprint(described), described)
    if job.open():
        progress.say(f"{output}: done already")
        return job
    sources = [(run, file) for run, manifest in zip(runs, manifests, strict=True) for file in sorted(manifest["files"])]
    partitions = 1 + sum(manifest["bytes"] for manifest in manifests) // PARTITION_BYTES
    counts = PartitionedCounts(storage.join(job.ledger, "exchange"), pattern, len(sources), partitions)
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

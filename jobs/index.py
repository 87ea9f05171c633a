"""`glotmill index`: what ``dedup.against`` needs of finished runs, merged into one folder without their text.

The folder is like a run with ``signals/`` and ``duplicates/`` alone: bands, signature, hash and id of every document,
and which it was merged into; about 300 bytes a document. Documents of a run that was deduplicated against another and
merged into one of it are found through that one: it should be in the index too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from curation.dataset import Job, fingerprint, part_name, read_manifest, read_part, write_parquet
from curation.dedup.keys import SETTLED
from curation.schema import ADDRESS_ROW_BITS, DUPLICATES
from jobs import progress
from jobs.errors import JobError

VERSION = 1
COLUMNS = ("address", "id", "source", "characters", "content_hash", "bands", "sketch")


def write_index(runs: Sequence[str], output: str) -> Job:
    """Merge finished runs or indexes, in order of priority, into the folder ``output``.

    Raises:
        JobError: runs of different MinHash parameters or versions, or the same run twice.
        FileNotFoundError: a run has not been deduplicated.
    """
    if len(set(runs)) < len(runs):
        raise JobError("index: a run is given twice; each document would have a copy")
    manifests = [(read_manifest(run, "signals"), read_manifest(run, "duplicates")) for run in runs]
    recipe = _common_recipe(runs, [signals["recipe"] for signals, _ in manifests])
    print_ = fingerprint([VERSION, [[s["fingerprint"], d["fingerprint"]] for s, d in manifests]])
    job = Job(output, "index", ("signals", "duplicates"), print_, recipe)
    if job.open():
        progress.say(f"{output}: done already")
        return job
    first, finished = 0, set(job.finished_parts())
    for run, (signals, _) in zip(runs, manifests, strict=True):
        parts = sorted(int(name[5:10]) for name in signals["files"])
        for part in parts:
            if first + part not in finished:
                _copy_part(job, run, part, first)
        first += max(parts, default=-1) + 1
    job.close({run: signals["fingerprint"] for run, (signals, _) in zip(runs, manifests, strict=True)})
    manifest = read_manifest(output, "signals")
    progress.say(f"{output}: {manifest['rows']:,} documents of {len(runs)} runs, {manifest['bytes'] / 1e6:,.1f} MB")
    return job


def _common_recipe(runs: Sequence[str], recipes: list[dict[str, object]]) -> dict[str, object]:
    """What decides whether signatures can be compared, the same in all runs."""
    kept = [{"version": r["version"], "annotate": {"minhash": r["annotate"]["minhash"]}} for r in recipes]  # type: ignore[index]
    for run, found in zip(runs, kept, strict=True):
        if found != kept[0]:
            raise JobError(f"index: {run} was annotated with {found}, {runs[0]} with {kept[0]}; "
                           "signatures of different parameters cannot be compared")  # fmt: skip
    return kept[0]


def _copy_part(job: Job, run: str, part: int, first: int) -> None:
    """One part of a run as part ``first + part`` of the index."""
    name, new = f"{part_name(part)}.parquet", f"{part_name(first + part)}.parquet"
    moved = np.uint64(first << ADDRESS_ROW_BITS)
    signals = read_part(run, "signals", name, COLUMNS).select(COLUMNS)
    duplicates = read_part(run, "duplicates", name)
    for table_name in ("address", "candidates", "cluster", "keeper"):
        values = duplicates[table_name].to_numpy()
        own = values < SETTLED  # others name documents of runs that this one was deduplicated against
        duplicates = _replace(duplicates, table_name, np.where(own, values + moved, values))
    signals = _replace(signals, "address", signals["address"].to_numpy() + moved)
    files = {
        "signals": {new: write_parquet(job.path("signals", new), signals.to_batches(), signals.schema)},
        "duplicates": {new: write_parquet(job.path("duplicates", new), duplicates.to_batches(), DUPLICATES)},
    }
    job.write_record(first + part, {"files": files, "counts": {"documents": signals.num_rows}})


def _replace(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    position = table.schema.get_field_index(name)
    return table.set_column(position, table.schema.field(name), pa.array(values))

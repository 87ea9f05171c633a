"""Job `dedup`: the bands and content hashes of ``signals/`` to ``duplicates/``. Text is neither read nor shuffled.

keys of each part -> by key partition -> star edges -> to one -> components -> by part -> what the choice of a
keeper needs -> by cluster -> keepers -> by part -> written, row-aligned with ``signals/``
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.dataset import Job, fingerprint, part_name, read_part, write_parquet
from curation.dedup import blocks, clusters
from curation.recipe import Dedup
from curation.schema import DUPLICATES
from filters.policy import Policy, load_policy
from jobs import progress
from jobs.run_context import Block, Run

VERSION = 3


def dedup_job(run: Run, annotated: Job) -> Job:
    described = {
        "version": VERSION,
        "dedup": run.recipe.dedup.model_dump(),
        "policy": load_policy(run.recipe.select.policy).model_dump(),  # keepers fail the fewest of its rules
        "signals": annotated.fingerprint,
    }
    return Job(run.output, "dedup", ("duplicates",), fingerprint(described), described)


class PartKeys(beam.DoFn):
    """KEYS of one part of ``signals/``, by partition of the key."""

    def __init__(self, run: str, parameters: Dedup) -> None:
        self._run, self._partitions = run, parameters.partitions

    def process(self, part: int) -> Iterator[Block]:
        columns = read_part(
            self._run, "signals", f"{part_name(part)}.parquet", ["address", "bands", "content_hash"]
        ).combine_chunks()
        for batch in columns.to_batches():
            keys = clusters.keys_of(batch["address"], batch["bands"], batch["content_hash"])
            yield from blocks.split(keys, clusters.partition_of(keys["key"].to_numpy(), self._partitions))


def star_edges(group: tuple[int, Iterable[bytes]]) -> Iterator[Block]:
    """EDGES of one partition of the keys, all to one place."""
    keys = blocks.concat(group[1], clusters.KEYS)
    edges = clusters.star_edges(keys["key"].to_numpy(), keys["address"].to_numpy())
    if edges.num_rows:
        yield 0, blocks.encode(edges)


def components(group: tuple[int, Iterable[bytes]]) -> Iterator[Block]:
    """MEMBERS of all components, by part. About 16 bytes an edge on one worker."""
    edges = blocks.concat(group[1], clusters.EDGES)
    members = clusters.components(edges["address"].to_numpy(), edges["smallest"].to_numpy())
    yield from blocks.split(members, clusters.parts_of(members["address"].to_numpy()))


class Candidates(beam.DoFn):
    """For the members in one part: what the choice of a keeper needs, by partition of the component."""

    def __init__(self, run: str, policy: Policy, parameters: Dedup) -> None:
        self._run, self._policy, self._partitions = run, policy, parameters.partitions

    def process(self, group: tuple[int, Iterable[bytes]]) -> Iterator[Block]:
        part, data = group
        members = blocks.concat(data, clusters.MEMBERS)
        signals = read_part(self._run, "signals", f"{part_name(part)}.parquet")
        rows = (members["address"].to_numpy() & np.uint64(0xFFFFFFFF)).astype(np.int64)
        signals = signals.take(pa.array(rows)).combine_chunks()
        frame = pl.from_arrow(signals.drop_columns(["bands", "sketch", "content_hash"]))
        assert isinstance(frame, pl.DataFrame)
        failing = frame.select(self._policy.reasons().list.len()).to_series().to_numpy().astype(np.uint32)
        columns = {**{n: signals[n] for n in ("characters", "id", "content_hash", "sketch")}, "failing": failing}
        columns |= {name: members[name] for name in ("address", "candidates")}
        table = pa.table([columns[f.name] for f in clusters.CANDIDATES], schema=clusters.CANDIDATES).combine_chunks()
        for batch in table.to_batches():
            # Component numbers are addresses: a multiplicative hash spreads them.
            spread = batch["candidates"].to_numpy() * np.uint64(0x9E3779B97F4A7C15)
            yield from blocks.split(batch, clusters.partition_of(spread, self._partitions))


class Keepers(beam.DoFn):
    """DUPLICATES rows of the components of one partition, by part."""

    def __init__(self, parameters: Dedup) -> None:
        self._similarity = parameters.similarity

    def process(self, group: tuple[int, Iterable[bytes]]) -> Iterator[Block]:
        chosen = clusters.choose_keepers(blocks.concat(group[1], clusters.CANDIDATES), self._similarity)
        yield from blocks.split(chosen, clusters.parts_of(chosen["address"].to_numpy()))


class WriteDuplicates(beam.DoFn):
    """Writes one part of ``duplicates/``."""

    def __init__(self, job: Job, rows: dict[int, int]) -> None:
        self._job, self._rows = job, rows

    def process(self, group: tuple[int, Iterable[bytes]]) -> Iterator[int]:
        part, data = group
        members = blocks.concat([block for block in data if block], DUPLICATES)
        batch = clusters.fill_part(members, part, self._rows[part])
        name = f"{part_name(part)}.parquet"
        file = write_parquet(self._job.path("duplicates", name), [batch], DUPLICATES)
        self._job.write_record(part, {"files": {"duplicates": {name: file}}, "counts": {"documents": batch.num_rows}})
        yield part


class FindDuplicates(beam.PTransform):
    """Part numbers in, parts of ``duplicates/`` written."""

    def __init__(self, run: Run, job: Job, rows: dict[int, int]) -> None:
        super().__init__()
        self._run, self._job, self._rows = run, job, rows

    def expand(self, parts: beam.PCollection[int]) -> beam.PCollection[int]:
        recipe, output = self._run.recipe, self._run.output
        parameters = recipe.dedup
        members = (
            parts
            | "Keys" >> beam.ParDo(PartKeys(output, parameters)).with_output_types(Block)
            | "ByKey" >> beam.GroupByKey()
            | "Stars" >> beam.FlatMap(star_edges).with_output_types(Block)
            | "ToOne" >> beam.GroupByKey()
            | "Components" >> beam.FlatMap(components).with_output_types(Block)
            | "MembersByPart" >> beam.GroupByKey()
            | "Candidates"
            >> beam.ParDo(Candidates(output, load_policy(recipe.select.policy), parameters)).with_output_types(Block)
            | "ByComponent" >> beam.GroupByKey()
            | "Keepers" >> beam.ParDo(Keepers(parameters)).with_output_types(Block)
        )
        every_part = parts | "EveryPart" >> beam.Map(lambda part: (part, b"")).with_output_types(Block)
        return (
            (members, every_part)
            | "Join" >> beam.Flatten()
            | "ByPart" >> beam.GroupByKey()
            | "Write" >> beam.ParDo(WriteDuplicates(self._job, self._rows))
        )


def dedup(run: Run, annotated: Job) -> Job:
    """Run the job, or find it done."""
    job = dedup_job(run, annotated)
    if job.open():
        progress.say(f"{job.name:<16} done already")
        return job
    rows = {part: record["counts"]["documents"] for part, record in zip(
        annotated.finished_parts(), annotated.records(), strict=True)}  # fmt: skip
    with progress.parts(job, len(rows)):
        run.execute(
            lambda pipeline: (
                pipeline
                | "Parts" >> beam.Create(sorted(rows))
                | "Spread" >> beam.Reshuffle()
                | "Duplicates" >> FindDuplicates(run, job, rows)
            ),
            # Each worker process costs about two seconds; a small graph is done before that.
            1 if sum(rows.values()) < 1_000_000 else len(rows),
        )
    summary = summarise(job)
    progress.say(
        f"{'':<16} {summary['clusters']:,} clusters of {summary['members']:,} documents, "
        f"the largest of {summary['largest']:,} (before verification {summary['largest_before_verification']:,}); "
        f"{summary['duplicates']:,} documents have a better copy"
    )
    job.close({"signals": annotated.fingerprint}, summary)
    return job


def summarise(job: Job) -> dict[str, object]:
    """Clusters of more than one document: how many, of how many documents, and how many of each size.

    ``spared`` counts the clusters that verification split off components of the LSH graph.
    """
    sizes: dict[int, int] = {}
    components: dict[int, int] = {}
    duplicates = spared = 0
    for part in job.finished_parts():
        table = read_part(job.run, "duplicates", f"{part_name(part)}.parquet")
        is_keeper = pc.equal(table["address"], table["keeper"])
        keepers = table.filter(is_keeper)
        duplicates += table.num_rows - keepers.num_rows
        spared += pc.sum(pc.not_equal(keepers["candidates"], keepers["cluster"])).as_py() or 0
        for size, count in zip(*np.unique(keepers["cluster_size"].to_numpy(), return_counts=True), strict=True):
            sizes[int(size)] = sizes.get(int(size), 0) + int(count)
        for component, count in zip(*np.unique(table["candidates"].to_numpy(), return_counts=True), strict=True):
            components[int(component)] = components.get(int(component), 0) + int(count)
    many = {size: count for size, count in sorted(sizes.items()) if size > 1}
    return {
        "clusters": sum(many.values()),
        "members": sum(size * count for size, count in many.items()),
        "duplicates": duplicates,
        "spared": spared,
        "largest": max(many, default=1),
        "largest_before_verification": max(components.values(), default=1),
        "sizes": {str(size): count for size, count in many.items()},
    }

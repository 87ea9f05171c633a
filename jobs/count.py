"""Job `count`: a sample of ``curated/`` to ``counts/``: its distinct pretokens, by language and domain.

count, unit by unit -> cut up rare pretokens, in rounds -> add up, partition by partition. Nothing is shuffled: each
step is a file for each of its tasks (`tokenizer.bpe.partitions`), so memory is that of one task, and a killed job goes
on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from curation import storage
from curation.dataset import Job, Record, fingerprint, part_name, write_parquet
from jobs import progress
from jobs.parts import EXPANSION, Each, in_units
from jobs.run_context import JobError, Run
from jobs.sample import Sample, group_of, sample_of
from jobs.tokenizer_settings import pattern_of
from tokenizer.bpe.partitions import PartitionedCounts
from tokenizer.composition import composed

VERSION = 1
PARTITION_UNITS = 4
"""Units of counted text for each part of the table."""


def count_job(run: Run, selected: Job) -> Job:
    recipe = run.recipe.tokenizer
    described = {
        "version": VERSION,
        "pattern": pattern_of(recipe),
        "back_off": recipe.back_off,
        "sample_bytes": recipe.sample_bytes,
        "temperature": recipe.temperature,
        "unit_bytes": recipe.unit_bytes,
        "seed": run.recipe.seed,
        "curated": selected.fingerprint,
    }
    return Job(run.output, "count", ("counts",), fingerprint(described), described)


@dataclass(frozen=True)
class Steps:
    """What the steps share. A unit and then a partition are the numbered parts of the job's ledger."""

    job: Job
    sample: Sample
    units: tuple[tuple[str, ...], ...]  # files of curated/
    counts: PartitionedCounts

    def count(self, unit: int) -> int:
        """Count the sampled documents of some files."""
        if not storage.exists(storage.join(self.job.ledger, f"{part_name(unit)}.json")):
            documents, languages = Counter[str](), Counter[str]()
            self.counts.count(unit, self._texts(unit, documents, languages))
            counts = {"documents": documents.total(), "utf8_bytes": languages.total()}
            self.job.write_record(unit, {"files": {}, "counts": counts, "languages": languages})
        return unit

    def _texts(
        self, unit: int, documents: Counter[str], bytes_: Counter[str]
    ) -> Iterator[tuple[Sequence[str], pa.Array]]:
        """The unit's texts; counts documents and bytes of each language on the way."""
        for file in self.units[unit]:
            language, domain = group_of(file)
            for text in self.sample.texts(file):
                documents[language] += len(text)
                bytes_[language] += pc.sum(pc.binary_length(text)).as_py() or 0
                yield (language, domain), composed(text)

    def cut(self, partition: int, round_: int) -> int:
        self.counts.cut(round_, partition)
        return partition

    def write(self, partition: int) -> int:
        """One part of ``counts/``."""
        ordinal = len(self.units) + partition
        if not storage.exists(storage.join(self.job.ledger, f"{part_name(ordinal)}.json")):
            write_count_part(self.job, ordinal, partition, self.counts.part(partition))
        return partition


def write_count_part(job: Job, ordinal: int, partition: int, table: pa.Table) -> None:
    name = f"{part_name(partition)}.parquet"
    file = write_parquet(job.path("counts", name), table.to_batches(), table.schema)
    job.write_record(ordinal, {"files": {"counts": {name: file}}, "counts": {}})


def plan_units(sample: Sample, unit_bytes: int) -> tuple[tuple[str, ...], ...]:
    """Files of ``curated/`` in groups of about ``unit_bytes`` of sampled text, languages and domains together."""
    sizes = ((file, size * EXPANSION * sample.rate(file)) for file, size in sample.files().items())
    return tuple(tuple(unit) for unit in in_units(sizes, unit_bytes))


def count(run: Run, selected: Job) -> Job:
    """Run the job, or find it done.

    Raises:
        JobError: the sample holds no text.
    """
    job = count_job(run, selected)
    exchange = storage.join(job.ledger, "exchange")
    if job.open():
        storage.delete_folder(exchange)  # a run killed at the very end leaves it
        progress.say(f"{job.name:<16} done already")
        return job
    sample = sample_of(run.recipe, run.output, selected)
    units = plan_units(sample, run.recipe.tokenizer.unit_bytes)
    partitions = 1 + len(units) // PARTITION_UNITS
    counts = PartitionedCounts(
        exchange, pattern_of(run.recipe.tokenizer), len(units), partitions, run.recipe.tokenizer.back_off
    )
    steps = Steps(job, sample, units, counts)
    with progress.parts(job, len(units) + partitions):
        run.execute(partial(_build, steps=steps), len(units))
    sampled = _sampled(job)
    if not sampled["utf8_bytes"]:
        raise JobError(f"the sample holds no text ({sampled['documents']:,} documents): check tokenizer.sample_bytes "
                       f"({run.recipe.tokenizer.sample_bytes:,}) and the mixture")  # fmt: skip
    job.close({"curated": selected.fingerprint}, sampled)
    counts.delete()
    return job


def _build(pipeline: beam.Pipeline, steps: Steps) -> beam.PCollection[int]:
    partitions = range(steps.counts.partitions)
    done = (
        pipeline
        | "Start" >> beam.Create([0])
        | "Count" >> Each(steps.count, range(len(steps.units)))
    )  # fmt: skip
    for round_ in steps.counts.rounds:
        done = done | f"Cut{round_}" >> Each(partial(steps.cut, round_=round_), partitions)
    return done | "Write" >> Each(steps.write, partitions)


def _sampled(job: Job) -> Record:
    """Documents and UTF-8 bytes of the sample, and the bytes of each language."""
    documents, languages = 0, Counter[str]()
    for record in job.records():
        documents += record["counts"].get("documents", 0)
        languages.update(record.get("languages", {}))
    return {"documents": documents, "utf8_bytes": languages.total(), "languages": languages}

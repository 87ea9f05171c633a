"""Job `annotate`: inputs to ``documents/``, ``signals/`` and ``dead/``, in one fused Beam stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import apache_beam as beam
import pyarrow.compute as pc
import zstandard

from curation import schema
from curation.dataset import Job, PartWriter, Record, fingerprint, part_name
from curation.langid import specialist
from curation.langid.fasttext_model import model_fingerprint
from curation.readers.raw import DeadRecord, dead_batch
from curation.readers.units import Plan, WorkUnit, plan_units, read_unit
from curation.recipe import Recipe
from filters import bad_words, url_lists
from filters.annotate import Annotator, signals_schema
from filters.mixture_counts import add_counts
from filters.signals import SIGNALS
from jobs import progress
from jobs.run_context import JobError, Run

VERSION = 11
"""Raised whenever the job's output changes for the same input, so that old output counts as stale."""


def annotate_job(run: Run, plan: Plan) -> Job:
    recipe = run.recipe
    described = {
        "version": VERSION,
        "annotate": recipe.annotate.model_dump(
            exclude={"max_bad_fraction", "bad_words", "url_lists", "language_model"}
        ),
        "bad_words": bad_words.list_fingerprints(recipe.annotate.bad_words),
        "url_lists": url_lists.list_fingerprints(recipe.annotate.url_lists),
        "signals": [signal.versioned_name for signal in SIGNALS],
        "inputs": [item.model_dump(exclude={"paths"}) for item in recipe.inputs],
        "zstd": zstandard.ZSTD_VERSION,  # a signal measures compression
        "language_model": model_fingerprint(recipe.annotate.language_model),
        "specialists": specialist.fingerprints(),
        "units": plan.fingerprint(),
    }
    return Job(run.output, "annotate", ("documents", "signals", "dead"), fingerprint(described), described)


class AnnotateUnit(beam.DoFn):
    """Reads, annotates and writes one work unit; the model and the kernels live as long as the worker."""

    def __init__(self, job: Job, recipe: Recipe) -> None:
        self._job, self._recipe = job, recipe

    def setup(self) -> None:
        self._annotator = Annotator(self._recipe.annotate)

    def process(self, unit: WorkUnit) -> Iterator[int]:
        self._job.write_record(unit.ordinal, annotate_unit(self._job, self._recipe, unit, self._annotator))
        yield unit.ordinal


def annotate_unit(job: Job, recipe: Recipe, unit: WorkUnit, annotator: Annotator) -> Record:
    """Write all parts of one unit; returns the part's record."""
    item = recipe.inputs[unit.input]
    file = f"{part_name(unit.ordinal)}.parquet"
    dead: list[DeadRecord] = []
    rows = utf8_bytes = invalid = 0
    mixtures: Record = {}
    with ExitStack() as stack:
        documents = stack.enter_context(PartWriter(job.path("documents", file), schema.DOCUMENTS))
        signals = stack.enter_context(PartWriter(job.path("signals", file), signals_schema()))
        for read in read_unit(unit, item, recipe.annotate):
            dead += read.dead
            if read.batch.num_rows:
                annotated = annotator.annotate(read.batch, item, unit.ordinal, rows)
                documents.write(annotated.documents)
                signals.write(annotated.signals)
                mixtures = add_counts(mixtures, annotated.mixtures)
                rows += read.batch.num_rows
                utf8_bytes += pc.sum(annotated.signals["utf8_bytes"]).as_py()
                invalid += pc.sum(pc.greater(annotated.signals["invalid_utf8"], 0)).as_py()
    files = {"documents": {file: documents.record}, "signals": {file: signals.record}}
    if dead:
        with PartWriter(job.path("dead", file), schema.DEAD) as part:
            part.write(dead_batch(dead))
        files["dead"] = {file: part.record}
    lost = sum(record.records for record in dead)
    counts = {"documents": rows, "utf8_bytes": utf8_bytes, "dead": lost, "documents_with_invalid_utf8": invalid}
    return {"files": files, "counts": counts, "input": item.name, "mixtures": mixtures}


def annotate(run: Run) -> Job:
    """Run the job, or find it done.

    Raises:
        PlanError: inputs that are not as the recipe says.
        JobError: nothing could be read, or more than ``max_bad_fraction`` of the records were unreadable.
    """
    plan = plan_units(run.recipe)
    job = annotate_job(run, plan)
    if job.open():
        progress.say(f"{job.name:<16} done already")
        return job
    finished = set(job.finished_parts())
    waiting = [unit for unit in plan.units if unit.ordinal not in finished]
    with progress.parts(job, len(plan.units)):
        if waiting:
            Annotator(run.recipe.annotate)  # compiles the kernels once, before workers start, and checks the model
            run.execute(
                lambda pipeline: (
                    pipeline
                    | "Units" >> beam.Create(_interleave(waiting))
                    | "Spread" >> beam.Reshuffle()
                    | "Annotate" >> beam.ParDo(AnnotateUnit(job, run.recipe))
                ),
                len(waiting),
            )
    total = _total(job)
    counts = total["counts"]
    _check(counts, run.recipe.annotate.max_bad_fraction, job)
    job.close({}, total)
    return job


def _total(job: Job) -> Record:
    """The sums of ``counts`` and ``mixtures`` over all parts."""
    total: Record = {"counts": {}, "mixtures": {}}
    for record in job.records():
        total = add_counts(total, {name: record[name] for name in total})
    return total


def _check(counts: dict[str, int], max_bad_fraction: float, job: Job) -> None:
    dead, documents = counts.get("dead", 0), counts.get("documents", 0)
    where = f"see {job.path('dead')} for each with its place and reason"
    if not documents:
        raise JobError(f"no document could be read, {dead} records are unreadable; {where}")
    if dead > max_bad_fraction * (dead + documents):
        share = dead / (dead + documents)
        raise JobError(
            f"{dead:,} of {dead + documents:,} records ({share:.2%}) are unreadable, more than "
            f"annotate.max_bad_fraction ({max_bad_fraction:.2%}) allows; {where}"
        )
    if dead:
        progress.say(f"{'':<16} {dead:,} unreadable records were kept aside in {job.path('dead')}")


def _interleave(units: list[WorkUnit]) -> list[WorkUnit]:
    """Largest first, so that a static split gives every worker about the same."""
    return sorted(units, key=lambda unit: (-unit.bytes, unit.ordinal))

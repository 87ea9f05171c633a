"""Job `dedup`: the bands and content hashes of ``signals/`` to ``duplicates/``. Text is never shuffled; that of
documents with candidates is scanned once more to compare them exactly, unless the recipe is content with signatures.

keys of groups of parts -> star edges by partition of the key -> components -> what the choice of a keeper needs, by
group -> keepers, by partition of the component -> written by group, row-aligned with ``signals/``. Each step is a file
for each of its tasks (`curation.dedup.exchange`), so memory is that of one task and a killed job goes on where it was.
"""

from __future__ import annotations

from functools import partial

import apache_beam as beam
import numpy as np

from curation import storage
from curation.dataset import Job, Record, fingerprint, read_manifest
from curation.schema import ADDRESS_ROW_BITS
from filters.policy import load_policy
from jobs import progress
from jobs.dedup_steps import Source, Steps, grouped
from jobs.look_up import score_fingerprints
from jobs.parts import Each
from jobs.run_context import JobError, Run

VERSION = 4
EARLIER = 1 << (63 - ADDRESS_ROW_BITS)
"""Ordinal of the first part of earlier runs in addresses, see `curation.dedup.keys.SETTLED`."""
SMALL = 1_000_000
"""Documents up to which one worker is faster: each process costs about two seconds to start."""


def dedup_job(run: Run, annotated: Job) -> Job:
    policy = load_policy(run.recipe.select.policy)
    described = {
        "version": VERSION,
        "dedup": run.recipe.dedup.model_dump(exclude={"memory", "passages", "against"}),
        "shingle": run.recipe.annotate.minhash.shingle,
        "policy": policy.model_dump(),  # keepers fail the fewest of its rules
        "scores": score_fingerprints(run.output, policy),
        "signals": annotated.fingerprint,
        "against": [read_manifest(path, "duplicates")["fingerprint"] for path in run.recipe.dedup.against],
    }
    return Job(run.output, "dedup", ("duplicates",), fingerprint(described), described)


def sources(run: Run, annotated: Job) -> list[Source]:
    """The parts of the run, then those of the earlier runs that it is deduplicated against.

    Raises:
        JobError: an earlier run has other MinHash parameters.
    """
    records = zip(annotated.finished_parts(), annotated.records(), strict=True)
    found = [Source(run.output, part, part, record["counts"]["documents"]) for part, record in records]
    own = annotated.recipe["annotate"]["minhash"]
    first = EARLIER
    for path in run.recipe.dedup.against:
        manifest = read_manifest(path, "signals")
        theirs = manifest["recipe"]["annotate"]["minhash"]
        if theirs != own:
            raise JobError(f"dedup.against: {path} has minhash {theirs}, this recipe {own}; signatures of different "
                           "parameters cannot be compared: give both the same")  # fmt: skip
        if manifest["recipe"]["version"] != annotated.recipe["version"]:
            raise JobError(f"dedup.against: {path} was annotated by another version of glotmill; annotate it again")
        parts = {int(name[5:10]): file["rows"] for name, file in manifest["files"].items()}
        found += [Source(path, part, first + part, parts[part]) for part in sorted(parts)]
        first += max(parts, default=-1) + 1
    return found


def dedup(run: Run, annotated: Job) -> Job:
    """Run the job, or find it done.

    Raises:
        JobError: an earlier run does not fit, or a signal of ``dedup.prefer`` is not there.
        FileNotFoundError: an earlier run is not there or has not been deduplicated.
    """
    job = dedup_job(run, annotated)
    if job.open():
        progress.say(f"{job.name:<16} done already")
        return job
    steps = Steps(job, run.recipe, grouped(sources(run, annotated)))
    documents = steps.documents()
    workers = 1 if documents < SMALL else len(steps.groups)
    with progress.parts(job, len(annotated.finished_parts())):
        if documents * 8 <= run.recipe.dedup.memory:
            run.execute(lambda pipeline: _finish(_connected(pipeline, steps), steps), workers)
        else:
            run.execute(lambda pipeline: _edges(pipeline, steps), workers)
            stars = connect_in_rounds(run, steps, workers)
            run.execute(lambda pipeline: _finish(_collected(pipeline, stars), stars), workers)
    summary = summarise(job, steps)
    progress.say(
        f"{'':<16} {summary['clusters']:,} clusters of {summary['members']:,} documents, "
        f"the largest of {summary['largest']:,} (before verification {summary['largest_before_verification']:,}); "
        f"{summary['duplicates']:,} documents have a better copy"
    )
    job.close({"signals": annotated.fingerprint}, summary)
    storage.delete_folder(steps.folder())
    return job


def _edges(pipeline: beam.Pipeline, steps: Steps) -> beam.PCollection[int]:
    return (
        pipeline
        | "Start" >> beam.Create([0])
        | "Keys" >> Each(steps.keys, range(len(steps.groups)))
        | "Edges" >> Each(steps.edges, range(steps.partitions))
    )


def _connected(pipeline: beam.Pipeline, steps: Steps) -> beam.PCollection[int]:
    return _edges(pipeline, steps) | "Connect" >> Each(steps.connect, [0])


def _collected(pipeline: beam.Pipeline, stars: Steps) -> beam.PCollection[int]:
    return pipeline | "Start" >> beam.Create([0]) | "Members" >> Each(stars.members_of_stars, range(stars.partitions))


def _one_round(pipeline: beam.Pipeline, steps: Steps) -> beam.PCollection[int]:
    return (
        pipeline
        | "Start" >> beam.Create([0])
        | "LargeStar" >> Each(steps.large_stars, range(steps.partitions))
        | "SmallStar" >> Each(steps.small_stars, range(steps.partitions))
    )


def _finish(members: beam.PCollection[int], steps: Steps) -> beam.PCollection[int]:
    return (
        members
        | "Candidates" >> Each(steps.candidates, range(len(steps.groups)))
        | "Keepers" >> Each(steps.keepers, range(steps.components))
        | "Write" >> Each(steps.write, range(steps.own_groups()))
    )


def connect_in_rounds(run: Run, steps: Steps, workers: int) -> Steps:
    """Large-star and small-star in turn, one pipeline a round, until a round changes nothing; the last round's steps.

    Each round at least halves the longest path or shrinks the graph: log2 of the documents bounds their number.
    """
    before = None
    for number in range(2 + 2 * max(1, steps.documents()).bit_length()):
        now = steps.round(number)
        if number:
            last = steps.round(number - 1)
            run.execute(partial(_one_round, steps=last), workers)
        checksum = now.edge_checksum()
        if checksum == before:
            return now
        before = checksum
    raise JobError("the components did not settle; please report this with the recipe")


def summarise(job: Job, steps: Steps) -> Record:
    """Clusters of more than one document: how many, of how many documents, and how many of each size.

    ``spared`` counts the clusters that verification split off components of the LSH graph; ``compared`` and
    ``confirmed`` the pairs of candidates; ``candidates`` the documents that an unverified run would remove.
    """
    sizes: dict[int, int] = {}
    duplicates = spared = earlier = 0
    for record in job.records():
        duplicates += record["duplicates"]
        spared += record["spared"]
        earlier += record["earlier"]
        for size, count in record["sizes"].items():
            sizes[int(size)] = sizes.get(int(size), 0) + count
    facts = steps.keeper_facts()
    many = {size: count for size, count in sorted(sizes.items()) if size > 1}
    return {
        "clusters": sum(many.values()),
        "members": sum(size * count for size, count in many.items()),
        "duplicates": duplicates,
        "of_earlier_runs": earlier,
        "spared": spared,
        "candidates": sum(f["members"] - f["components"] for f in facts),
        "compared": sum(f["compared"] for f in facts),
        "confirmed": sum(f["confirmed"] for f in facts),
        "largest": max(many, default=1),
        "largest_before_verification": int(np.max([f["largest_component"] for f in facts] + [1])),
        "sizes": {str(size): count for size, count in many.items()},
    }

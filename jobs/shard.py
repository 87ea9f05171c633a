"""Job `shard`: ``curated/`` and ``tokenizer/`` to token shards in ``shards/train/``, ``shards/validation/``, and
``shards/test/`` where the recipe asks for it.

An external sort in two passes. `jobs.encode` leaves sorted runs of tokens; here each shard takes its range of keys out
of all runs and merges it (`tokenizer.shards.runs`). A document goes to a split by the hash of its content, so that
copies of one text never lie in two. Only numbers of work units and shards go through Beam.
"""

from __future__ import annotations

import hashlib
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from curation import storage
from curation.dataset import Job, Record, fingerprint, read_manifest
from curation.recipe import Recipe, with_paths
from jobs import progress
from jobs.encode import Tables, encode, encode_job, run_file, tables, tier_fingerprint
from jobs.errors import JobError
from jobs.parts import for_each_part
from jobs.run_context import Run
from tokenizer.export import tokenizer_info
from tokenizer.shards import runs
from tokenizer.shards.format import TOKEN_LIMITS
from tokenizer.shards.order import SPLITS
from tokenizer.shards.writer import write_manifest, write_shard

VERSION = 3
DECIDING = ("seed", "inputs", "annotate", "scores", "dedup", "select", "tokenizer", "shards")
"""Sections of the recipe that shards depend on."""
TOKENS_A_WORKER = 100_000_000
"""About what is merged and written in the two seconds that a worker needs to start."""
TEXT_BYTES_A_TOKEN = 3.0
"""About; only how finely the sizes of shards are balanced depends on it."""


@dataclass(frozen=True)
class Task:
    """One shard: the documents between two places of every run of its split."""

    split: str
    number: int

    @property
    def name(self) -> str:
        return f"shard-{self.number:05d}"


@dataclass(frozen=True)
class Plan:
    """All shards, and of each split the files of its runs, the file of the shards' places in them, and the tokens.

    Places are int64[shards + 1, runs, 2], `runs.places`: a file rather than memory, as 3,300 shards of 15,000 runs, a
    terabyte of text, have 800 MB of them, of which a shard needs two rows.
    """

    runs: dict[str, list[str]]
    places: dict[str, str]
    tokens: dict[str, int]
    tasks: list[Task]

    @property
    def shards_a_worker(self) -> int:
        """So many shards are worth starting another worker for."""
        return max(1, len(self.tasks) * TOKENS_A_WORKER // max(1, sum(self.tokens.values())))


def shard_job(run: Run, selected: Job, tokenizer: Job) -> Job:
    described = {
        "version": VERSION,
        "shards": run.recipe.shards.model_dump(),
        "tiers": tier_fingerprint(run),
        "seed": run.recipe.seed,
        "curated": selected.fingerprint,
        "tokenizer": tokenizer.fingerprint,
    }
    return Job(run.output, "shard", ("shards",), fingerprint(described), described)


class WriteShard(beam.DoFn):
    """Merges one shard from the runs and writes it."""

    def __init__(self, job: Job, plan: Plan, dtype: str) -> None:
        self._job, self._plan, self._dtype = job, plan, dtype

    def process(self, ordinal: int) -> Iterator[int]:
        task = self._plan.tasks[ordinal]
        merged = runs.merge(list(self._pieces(task)))
        shard = self._write(task, merged)
        counts = {name: shard[name] for name in ("documents", "utf8_bytes", "tokens")}
        self._job.write_record(ordinal, {"split": task.split, "shard": shard, "counts": counts})
        yield ordinal

    def _pieces(self, task: Task) -> Iterator[runs.Documents]:
        """The shard's part of every run that has one."""
        files = self._plan.runs[task.split]
        row = 16 * len(files)
        data = storage.read_bytes(self._plan.places[task.split], task.number * row, 2 * row)
        for file, start, stop in zip(files, *np.frombuffer(data, np.int64).reshape(2, -1, 2), strict=True):
            if start[0] < stop[0]:
                yield runs.read_range(file, start, stop, self._dtype)

    def _write(self, task: Task, merged: runs.Documents) -> Record:
        folder = self._job.path("shards", task.split)
        arguments = merged.tokens, merged.offsets, merged.records["meta"]
        if not storage.is_remote(folder):
            return write_shard(folder, task.name, *arguments, dtype=self._dtype)
        with tempfile.TemporaryDirectory(prefix="glotmill-") as local:
            record = write_shard(local, task.name, *arguments, dtype=self._dtype)
            for path in storage.list_files(local):
                storage.publish(path, storage.join(folder, path.rsplit("/", 1)[1]))
        return record


def shard(run: Run, selected: Job, tokenizer: Job) -> Job:
    """Run the job, or find it done.

    Raises:
        JobError: a split that the recipe asks for has no document, what tiers are graded by is not there, or the
            tokens' type is too small for the tokenizer.
    """
    job = shard_job(run, selected, tokenizer)
    encoded = encode_job(run, job.recipe)
    if job.open():
        _remove_runs(encoded)
        progress.say(f"{job.name:<16} done already")
        return job
    info = _tokenizer(run)
    curated = tables(run, read_manifest(run.output, "curated")["files"])
    fences = _fences(run.recipe, selected)
    units = encode(run, encoded, curated, fences)
    plan = plan_shards(run, encoded, units, fences)
    step = WriteShard(job, plan, run.recipe.shards.dtype)
    for_each_part(run, job, list(range(len(plan.tasks))), lambda: beam.ParDo(step), plan.shards_a_worker)
    _write_manifests(run, job, info, curated)
    job.mark_done()
    _remove_runs(encoded)
    return job


def _fences(recipe: Recipe, selected: Job) -> int:
    """Fences of the runs, enough to make shards about equal."""
    text_bytes = sum(group["epoch_bytes"] for group in selected.summary()["groups"].values())
    return runs.fence_count(text_bytes / TEXT_BYTES_A_TOKEN / recipe.shards.shard_tokens)


def plan_shards(run: Run, encoded: Job, units: Sequence[int], fences: int) -> Plan:
    """Shards of about equally many tokens within each split.

    Raises:
        JobError: a split that the recipe asks for has no document.
    """
    settings = run.recipe.shards
    plan = Plan({}, {}, {}, [])
    for split in SPLITS if settings.test_fraction else SPLITS[:2]:
        files = [run_file(encoded, unit, split) for unit in units if split in encoded.record(unit)["runs"]]
        if not files:
            raise JobError(
                f"no document fell into the {split} split (shards.validation_fraction {settings.validation_fraction}, "
                f"shards.test_fraction {settings.test_fraction}); choose others"
            )
        tokens = runs.tokens_before_fences(files, fences)
        ranges = runs.cut(tokens, settings.shard_tokens)
        plan.runs[split], plan.tokens[split] = files, int(tokens[-1])
        plan.places[split] = encoded.path("encoded", f"{split}.places")
        _write_places(plan.places[split], files, np.array([0, *(stop for _, stop in ranges)]), settings.dtype)
        plan.tasks.extend(Task(split, number) for number in range(len(ranges)))
    return plan


def _write_places(url: str, files: list[str], fences: NDArray[np.int64], dtype: str) -> None:
    places = np.empty((len(fences), len(files), 2), np.int64)
    for number, file in enumerate(files):
        places[:, number] = runs.places(file, fences, dtype)
    with storage.atomic_file(url) as local:
        places.tofile(local)


def _remove_runs(encoded: Job) -> None:
    """Ledger first: runs without a ledger count as nothing."""
    storage.delete_folder(encoded.ledger)
    storage.delete_folder(encoded.path("encoded"))


def _tokenizer(run: Run) -> Record:
    """What manifests say of the tokenizer.

    Raises:
        JobError: it has more ids than the tokens' type.
    """
    with tempfile.TemporaryDirectory(prefix="glotmill-") as local:
        info = tokenizer_info(storage.download_folder(run.path("tokenizer"), local))
    size, dtype = info["vocabulary_size"], run.recipe.shards.dtype
    if size > TOKEN_LIMITS[dtype]:
        raise JobError(
            f"shards.dtype {dtype} holds {TOKEN_LIMITS[dtype]:,} ids, the tokenizer has {size:,}; use uint32"
        )
    return info


def _write_manifests(run: Run, job: Job, info: Record, tables: Tables) -> None:
    records = job.records()
    for split in SPLITS:
        shards = [record["shard"] for record in records if record["split"] == split]
        if not shards:
            continue
        with tempfile.TemporaryDirectory(prefix="glotmill-") as local:
            write_manifest(
                local, shards, tokenizer=info, languages=tables.languages, domains=tables.domains,
                sources=tables.sources, recipe=deciding_recipe(run.recipe), parents=_parents(run, job),
            )  # fmt: skip
            storage.publish_folder(local, job.path("shards", split))
        tokens = sum(shard["tokens"] for shard in shards)
        progress.say(f"{'':<16} {split}: {len(shards)} shards, {tokens:,} tokens")


def deciding_recipe(recipe: Recipe) -> Record:
    """The resolved recipe as far as it decides the shards: not what is trained on them, nor in which folders lie the
    files that it names, so that a run made elsewhere has the same manifest. What is in the files is in ``parents``."""
    named = with_paths(recipe, lambda path: posixpath.basename(path.rstrip("/")))
    sections: Record = named.model_dump(mode="json", include=set(DECIDING))
    for item in sections["inputs"]:
        del item["paths"]
    return sections


def _parents(run: Run, job: Job) -> Record:
    """What the shards were made from: fingerprints, and the sha256 of the manifest of ``curated/``."""
    manifest = storage.read_bytes(run.path("curated", "manifest.json"))
    return {
        "shard": job.fingerprint,
        "curated": {"fingerprint": job.recipe["curated"], "manifest_sha256": hashlib.sha256(manifest).hexdigest()},
        "tokenizer": {"fingerprint": job.recipe["tokenizer"]},
    }

"""Job `encode`: ``curated/`` and ``tokenizer/`` to ``encoded/``, one sorted run of tokens for each work unit and split.

The first half of making shards, which reads text; `jobs.shard` merges the runs and then removes them. The splits and
the order of documents are decided here, by `tokenizer.shards.order`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import storage
from curation.dataset import Job, Record, fingerprint, read_manifest, read_part
from curation.dedup.keys import content_halves
from curation.recipe import Recipe
from curation.recipe_shards import Shards, Tiers
from curation.schema import ADDRESS_ROW_BITS
from curation.scores import SCORE_PREFIX, dataset, score_names, with_scores
from jobs import progress
from jobs.errors import JobError
from jobs.parts import EXPANSION, for_each_part, in_units
from jobs.run_context import Run
from jobs.sample import group_of
from tokenizer.encoding import Encoder
from tokenizer.shards import runs
from tokenizer.shards.order import SPLITS, placed_keys, shuffled_keys, split_of

COLUMNS = ["address", "content_hash", "source", "text", "copies"]


@dataclass(frozen=True)
class Unit:
    ordinal: int
    files: tuple[str, ...]  # of curated/, in the order of their parts


@dataclass(frozen=True)
class Tables:
    """The names behind the numbers in the shards' document records."""

    languages: list[str]
    domains: list[str]
    sources: list[str]


def encode_job(run: Run, described: Record) -> Job:
    return Job(run.output, "encode", ("encoded",), fingerprint(described), described)


def run_file(job: Job, unit: int, split: str) -> str:
    return job.path("encoded", f"{split}-{unit:05d}.run")


def plan_units(files: dict[str, Record], unit_bytes: int) -> list[Unit]:
    """Group the files of ``curated/`` by part, and consecutive parts up to about ``unit_bytes`` of text."""
    by_part: dict[str, list[str]] = {}
    for file in sorted(files):
        by_part.setdefault(file.rsplit("/", 1)[1], []).append(file)
    sizes = [(part, sum(files[file]["bytes"] * EXPANSION for file in by_part[part])) for part in sorted(by_part)]
    units = in_units(sizes, unit_bytes)
    return [Unit(ordinal, tuple(file for part in unit for file in by_part[part])) for ordinal, unit in enumerate(units)]


def tables(run: Run, files: dict[str, Record]) -> Tables:
    pairs = [group_of(file) for file in files]
    return Tables(
        sorted({language for language, _ in pairs}),
        sorted({domain for _, domain in pairs}),
        [item.name for item in run.recipe.inputs],
    )


class EncodeUnit(beam.DoFn):
    """Encodes the documents of one unit and writes its run of each split."""

    def __init__(
        self, job: Job, tokenizer_folder: str, recipe: Recipe, units: Sequence[Unit], tables: Tables, fences: int
    ) -> None:
        self._job, self._folder, self._units, self._tables, self._fences = job, tokenizer_folder, units, tables, fences
        self._parameters: Shards = recipe.shards
        self._seed = recipe.seed

    def setup(self) -> None:
        self._encoder = load_encoder(self._folder)
        self._checked: set[tuple[str, str]] = set()

    def process(self, ordinal: int) -> Iterator[int]:
        unit, parameters = self._units[ordinal], self._parameters
        pieces = [self._encode(file) for file in unit.files]
        documents = runs.Documents(*map(np.concatenate, zip(*((p.records, p.tokens) for p in pieces), strict=True)))
        content = documents.records["meta"]["content_hash"]
        split = split_of(content, parameters.validation_fraction, parameters.test_fraction, self._seed)
        if parameters.shuffle:
            documents.records["key"] = shuffled_keys(content, documents.records["copy"], self._seed)
        else:
            documents.records["key"] = placed_keys(ordinal, len(self._units), len(content))
        record: Record = {"runs": {}, "counts": {"documents": 0, "utf8_bytes": 0, "tokens": 0}}
        for number, name in enumerate(SPLITS):
            # Only an epoch of training uses a document several times.
            rows = np.flatnonzero((split == number) & ((documents.records["copy"] == 0) | (name == "train")))
            if len(rows):
                record["runs"][name] = self._write(ordinal, name, runs.take(documents, rows))
                for count in record["counts"]:
                    record["counts"][count] += record["runs"][name][count]
        if self._encoder.difference:
            record["difference"] = self._encoder.difference
        self._job.write_record(ordinal, record)
        yield ordinal

    def _write(self, ordinal: int, split: str, documents: runs.Documents) -> Record:
        runs.write_run(run_file(self._job, ordinal, split), documents, self._fences, self._parameters.dtype)
        return {
            "documents": len(documents.records),
            "utf8_bytes": int(documents.records["meta"]["utf8_bytes"].sum()),
            "tokens": len(documents.tokens),
        }

    def _encode(self, file: str) -> runs.Documents:
        """The documents of one file in its order, each as often as the mixture uses it."""
        table = read_part(self._job.run, "curated", file, COLUMNS).combine_chunks()
        language, domain = group_of(file)
        text = table["text"].combine_chunks()
        if (language, domain) not in self._checked:
            self._checked.add((language, domain))
            self._encoder.check(text)  # each worker, on some text of every language and domain it meets
        tokens, offsets = self._encoder.encode(text, append_end=True)
        records = np.zeros(table.num_rows, runs.DOCUMENT_DTYPE)
        records["tokens"] = np.diff(offsets)
        meta = records["meta"]
        meta["address"] = table["address"].to_numpy()
        meta["content_hash"] = content_halves(table["content_hash"].combine_chunks()).view("V16").ravel()
        meta["utf8_bytes"] = pc.binary_length(text).to_numpy()
        meta["language"] = self._tables.languages.index(language)
        meta["domain"] = self._tables.domains.index(domain)
        meta["source"] = pc.index_in(table["source"], pa.array(self._tables.sources)).to_numpy()
        if self._parameters.tiers is not None:
            meta["tier"] = tiers(self._job.run, file, meta["address"], self._parameters.tiers)
        rows = np.repeat(np.arange(table.num_rows), table["copies"].to_numpy())
        documents = runs.take(runs.Documents(records, tokens), rows)
        documents.records["copy"] = np.arange(len(rows)) - np.searchsorted(rows, rows)
        return documents


def load_encoder(folder: str) -> Encoder:
    """The encoder of the tokenizer in a folder or URL."""
    with tempfile.TemporaryDirectory(prefix="glotmill-") as local:
        return Encoder(Path(storage.download_folder(folder, local)) / "tokenizer.json")


def say_if_slow(folder: str) -> None:
    """Say it once where compiled code does not know the tokenizer in ``folder``."""
    if not load_encoder(folder).compiled:
        progress.say(f"{'':<16} warning: compiled code does not know this kind of tokenizer; tokenizers encodes all "
                     "text, which is exact but some 25 times slower")  # fmt: skip


def tiers(run: str, file: str, address: np.ndarray, settings: Tiers) -> np.ndarray:
    """The quality tier of each document of a file of ``curated/``: uint8[n]."""
    part, name = file.rsplit("/", 1)[1], settings.signal
    is_score = name.startswith(SCORE_PREFIX)
    signals = read_part(run, "signals", part, ["address"] if is_score else ["address", name])
    column = with_scores(run, part, signals, [name.removeprefix(SCORE_PREFIX)] if is_score else [])[name]
    rows = pa.array(address & ((1 << ADDRESS_ROW_BITS) - 1))
    value = column.cast(pa.float64()).take(rows).to_numpy()
    graded: np.ndarray = np.where(np.isnan(value), 0, 1 + np.searchsorted(settings.bounds, value, side="right"))
    return graded.astype(np.uint8)


def tier_fingerprint(run: Run) -> str | None:
    """Fingerprint of what the recipe grades documents by, None where by nothing.

    Raises:
        JobError: there is no such signal or score, or it is not a number.
    """
    if run.recipe.shards.tiers is None:
        return None
    name, signals = run.recipe.shards.tiers.signal, read_manifest(run.output, "signals")
    score = name.removeprefix(SCORE_PREFIX)
    if name != score and score in score_names(run.output):
        return str(read_manifest(run.output, dataset(score))["fingerprint"])
    if not signals["schema"].get(name, "").startswith(("int", "uint", "float", "double")):
        raise JobError(
            f"shards.tiers.signal: the run has no number '{name}' of every document; `glotmill signals` lists the "
            f"signals, and {SCORE_PREFIX}NAME is a score of the recipe"
        )
    return str(signals["fingerprint"])


def encode(run: Run, job: Job, tables: Tables, fences: int) -> list[int]:
    """Run the job, or find it done; returns the numbers of its units."""
    units = plan_units(read_manifest(run.output, "curated")["files"], run.recipe.shards.unit_bytes)
    numbers = [unit.ordinal for unit in units]
    if not job.open():
        say_if_slow(run.path("tokenizer"))
        step = EncodeUnit(job, run.path("tokenizer"), run.recipe, units, tables, fences)
        for_each_part(run, job, numbers, lambda: beam.ParDo(step))
        if differences := [record["difference"] for record in job.records() if "difference" in record]:
            progress.say(f"{'':<16} warning: {len(differences)} units were encoded by tokenizers. {differences[0]}")
        job.mark_done()
    return numbers

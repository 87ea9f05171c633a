"""Job `shard`: ``curated/`` and ``tokenizer/`` to token shards in ``shards/train/`` and ``shards/validation/``.

A shard holds the curated documents of some consecutive parts. A document goes to validation by the hash of its
content, so that copies of one text never lie on both sides.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import storage
from curation.dataset import Job, Record, fingerprint, read_manifest, read_part
from curation.mixture import uniform
from curation.recipe import Shards
from jobs import progress
from jobs.run_context import JobError, Run
from tokenizer.encoding import Encoder
from tokenizer.export import tokenizer_info
from tokenizer.shards.format import META_DTYPE
from tokenizer.shards.writer import write_manifest, write_shard

VERSION = 1
SPLITS = ("train", "validation")
COLUMNS = ["address", "content_hash", "source", "text", "copies"]


@dataclass(frozen=True)
class ShardUnit:
    ordinal: int
    files: tuple[str, ...]  # of curated/


@dataclass(frozen=True)
class Tables:
    """The names behind the numbers in the shards' document records."""

    languages: list[str]
    domains: list[str]
    sources: list[str]


def shard_job(run: Run, selected: Job, tokenizer: Job) -> Job:
    described = {
        "version": VERSION,
        "shards": run.recipe.shards.model_dump(),
        "seed": run.recipe.seed,
        "curated": selected.fingerprint,
        "tokenizer": tokenizer.fingerprint,
    }
    return Job(run.output, "shard", ("shards",), fingerprint(described), described)


def plan_shards(files: dict[str, Record], unit_bytes: int) -> list[ShardUnit]:
    """Group the files of ``curated/`` by part, and consecutive parts up to about ``unit_bytes`` of compressed text."""
    by_part: dict[str, list[str]] = {}
    for file in sorted(files):
        by_part.setdefault(file.rsplit("/", 1)[1], []).append(file)
    units: list[list[str]] = []
    filled = unit_bytes
    for part in sorted(by_part):
        size = sum(files[file]["bytes"] * _EXPANSION for file in by_part[part])
        if filled + size > unit_bytes:
            units.append([])
            filled = 0
        units[-1] += by_part[part]
        filled += size
    return [ShardUnit(ordinal, tuple(unit)) for ordinal, unit in enumerate(units)]


_EXPANSION = 3
"""Text bytes of a byte of zstd Parquet, about; only the size of a shard depends on it."""


class WriteShard(beam.DoFn):
    """Encodes the documents of one unit and writes its shard of each split."""

    def __init__(self, job: Job, tokenizer_folder: str, parameters: Shards, tables: Tables, seed: int) -> None:
        self._job, self._folder, self._parameters = job, tokenizer_folder, parameters
        self._tables, self._seed = tables, seed

    def setup(self) -> None:
        self._encoder = Encoder(Path(self._folder) / "tokenizer.json")
        self._checked: set[tuple[str, str]] = set()

    def process(self, unit: ShardUnit) -> Iterator[int]:
        pieces: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {split: [] for split in SPLITS}
        for file in unit.files:
            table = read_part(self._job.run, "curated", file, COLUMNS).combine_chunks()
            language, domain = (piece.split("=", 1)[1] for piece in file.split("/")[:2])
            held_out = is_validation(table["content_hash"], self._parameters.validation_fraction, self._seed)
            for split, rows in (("train", ~held_out), ("validation", held_out)):
                chosen = table.filter(pa.array(rows)).combine_chunks()
                if chosen.num_rows:
                    pieces[split].append(self._encode(chosen, language, domain, repeat=split == "train"))
        record: Record = {"shards": {}, "counts": {"documents": 0, "utf8_bytes": 0, "tokens": 0}}
        for split, encoded in pieces.items():
            if encoded:
                record["shards"][split] = shard = self._write(split, unit.ordinal, encoded)
                for name in record["counts"]:
                    record["counts"][name] += shard[name]
        if self._encoder.difference:
            record["difference"] = self._encoder.difference
        self._job.write_record(unit.ordinal, record)
        yield unit.ordinal

    def _encode(
        self, table: pa.Table, language: str, domain: str, repeat: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens uint32, lengths int64[n] and records META_DTYPE[n]; a document as often as the mixture uses it."""
        text = table["text"].combine_chunks() if isinstance(table["text"], pa.ChunkedArray) else table["text"]
        if (language, domain) not in self._checked:
            self._checked.add((language, domain))
            self._encoder.check(text)  # each worker, on some text of every language and domain it meets
        tokens, offsets = self._encoder.encode(text, append_end=True)
        meta = np.zeros(table.num_rows, META_DTYPE)
        meta["address"] = table["address"].to_numpy()
        meta["content_hash"] = np.array(table["content_hash"].to_pylist(), "V16")
        meta["utf8_bytes"] = pc.binary_length(text).to_numpy()
        meta["language"] = self._tables.languages.index(language)
        meta["domain"] = self._tables.domains.index(domain)
        meta["source"] = [self._tables.sources.index(source) for source in table["source"].to_pylist()]
        copies = table["copies"].to_numpy() if repeat else np.ones(table.num_rows, np.uint8)
        order = np.repeat(np.arange(table.num_rows), copies)
        lengths = np.diff(offsets)[order]
        if len(order) > table.num_rows:
            starts = np.repeat(offsets[:-1][order] - (np.cumsum(lengths) - lengths), lengths)
            tokens = tokens[starts + np.arange(len(starts))]
        return tokens, lengths, meta[order]

    def _write(self, split: str, ordinal: int, encoded: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Record:
        tokens, lengths, meta = (np.concatenate(columns) for columns in zip(*encoded, strict=True))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        folder, name = self._job.path("shards", split), f"shard-{ordinal:05d}"
        if not storage.is_remote(folder):
            return write_shard(folder, name, tokens, offsets, meta, dtype=self._parameters.dtype)
        with tempfile.TemporaryDirectory(prefix="glotmill-") as local:
            record = write_shard(local, name, tokens, offsets, meta, dtype=self._parameters.dtype)
            storage.publish_folder(local, folder)
        return record


def is_validation(content_hash: pa.ChunkedArray, fraction: float, seed: int) -> np.ndarray:
    """Which documents are held out, a pure function of content and seed: bool[n]."""
    return uniform([value.hex() for value in content_hash.to_pylist()], seed, "validation") < fraction


def shard(run: Run, selected: Job, tokenizer: Job) -> Job:
    """Run the job, or find it done.

    Raises:
        JobError: no document was held out for validation.
    """
    job = shard_job(run, selected, tokenizer)
    if job.open():
        progress.say(f"{job.name:<16} done already")
        return job
    curated = read_manifest(run.output, "curated")
    units = plan_shards(curated["files"], run.recipe.shards.unit_bytes)
    tables = _tables(run, curated["files"])
    finished = set(job.finished_parts())
    waiting = [unit for unit in units if unit.ordinal not in finished]
    with tempfile.TemporaryDirectory(prefix="glotmill-") as local:
        folder = storage.download_folder(run.path("tokenizer"), local)
        info = tokenizer_info(folder)
        with progress.parts(job, len(units)):
            if waiting:
                step = WriteShard(job, folder, run.recipe.shards, tables, run.recipe.seed)
                run.execute(
                    lambda p: (
                        p | "Units" >> beam.Create(waiting) | "Spread" >> beam.Reshuffle() | "Shard" >> beam.ParDo(step)
                    ),
                    len(waiting),
                )
    _write_manifests(run, job, info, tables)
    job.mark_done()
    return job


def _tables(run: Run, files: dict[str, Any]) -> Tables:
    pairs = [[piece.split("=", 1)[1] for piece in file.split("/")[:2]] for file in files]
    return Tables(
        sorted({language for language, _ in pairs}),
        sorted({domain for _, domain in pairs}),
        [item.name for item in run.recipe.inputs],
    )


def _write_manifests(run: Run, job: Job, info: dict[str, Any], tables: Tables) -> None:
    records = job.records()
    if differences := [record["difference"] for record in records if "difference" in record]:
        progress.say(f"{'':<16} warning: {len(differences)} units were encoded by tokenizers. {differences[0]}")
    for split in SPLITS:
        shards = [record["shards"][split] for record in records if split in record["shards"]]
        if not shards:
            fraction = run.recipe.shards.validation_fraction
            raise JobError(
                f"no document fell into the {split} split with shards.validation_fraction {fraction}; choose another"
            )
        with tempfile.TemporaryDirectory(prefix="glotmill-") as local:
            write_manifest(
                local, shards, tokenizer=info, languages=tables.languages, domains=tables.domains,
                sources=tables.sources, recipe=job.recipe, parents={"shard": job.fingerprint},
            )  # fmt: skip
            storage.publish_folder(local, job.path("shards", split))
        tokens = sum(shard["tokens"] for shard in shards)
        progress.say(f"{'':<16} {split}: {len(shards)} shards, {tokens:,} tokens")

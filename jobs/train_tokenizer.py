"""Job `train-tokenizer`: a language-balanced sample of ``curated/`` to ``tokenizer/``, and how well it does."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import mixture, storage
from curation.dataset import Job, fingerprint, pretty_json, read_manifest, read_part
from curation.mixture import Group
from jobs import progress
from jobs.run_context import JobError, Run
from tokenizer.card import Card, write_card
from tokenizer.evaluation import evaluate, read_parallel
from tokenizer.export import export
from tokenizer.training import train_bpe

VERSION = 3
BATCH_ROWS = 1000
EVALUATION_CHARACTERS = 200_000
"""Text of each language the tokenizer is measured on, in characters."""


def tokenizer_job(run: Run, selected: Job) -> Job:
    parallel = run.recipe.tokenizer.parallel
    described = {
        "version": VERSION,
        "tokenizer": run.recipe.tokenizer.model_dump(exclude={"parallel"}),
        "parallel": fingerprint(storage.read_text(parallel)) if parallel else None,
        "seed": run.recipe.seed,
        "curated": selected.fingerprint,
    }
    return Job(run.output, "train-tokenizer", ("tokenizer",), fingerprint(described), described)


def sample_rates(available: dict[Group, int], sample_bytes: int, temperature: float) -> dict[Group, float]:
    """The fraction of each group's documents to sample, so that the groups are balanced and the sample is that large.

    A group's weight is its bytes to the power 1 / temperature; a group smaller than its share is taken whole.
    """
    weights = {group: float(size) ** (1 / temperature) for group, size in available.items() if size}
    most = {group: float(size) for group, size in available.items()}
    dealt = mixture.deal(weights, most, float(sample_bytes))
    return {group: size / available[group] for group, size in dealt.items()}


def documents(run: Run, columns: list[str]) -> Iterator[tuple[Group, pa.RecordBatch]]:
    """All curated documents in a fixed order, in batches of one language and domain."""
    for file in sorted(read_manifest(run.output, "curated")["files"]):
        language, domain = (piece.split("=", 1)[1] for piece in file.split("/")[:2])
        for batch in read_part(run.output, "curated", file, columns).to_batches(BATCH_ROWS):
            yield (language, domain), batch


UNSEEN_FRACTION = 0.05
"""Of every group kept out of the sample, to measure the tokenizer on text it has not seen."""


class _Sample:
    """Streams the sample to the trainer and sets aside some text of each language to measure the tokenizer on."""

    def __init__(self, run: Run, rates: dict[Group, float], show: Callable[[int, str], None]) -> None:
        self._run, self._show = run, show
        self._rates = {group: min(rate, 1 - UNSEEN_FRACTION) for group, rate in rates.items()}
        self.bytes: dict[str, int] = {}
        self._unseen: dict[str, list[str]] = {}
        self._seen: dict[str, list[str]] = {}

    def __iter__(self) -> Iterator[list[str]]:
        started, read = time.monotonic(), 0
        for group, batch in documents(self._run, ["id", "text"]):
            read += batch.num_rows
            self._show(read, progress.rate(read, sum(self.bytes.values()), time.monotonic() - started))
            number = mixture.uniform(batch["id"].to_pylist(), self._run.recipe.seed, "tokenizer")
            taken = pa.array(number < self._rates[group])
            chosen = batch["text"].filter(taken)
            self.bytes[group[0]] = self.bytes.get(group[0], 0) + (pc.sum(pc.binary_length(chosen)).as_py() or 0)
            _set_aside(self._unseen.setdefault(group[0], []), batch["text"].filter(pc.invert(taken)))
            _set_aside(self._seen.setdefault(group[0], []), chosen)
            yield chosen.to_pylist()

    def evaluation(self) -> tuple[dict[str, list[str]], set[str]]:
        """Text of each language, and the languages too small to have any that was not trained on."""
        seen = {language for language, unseen in self._unseen.items() if not unseen}
        chosen = {language: self._unseen[language] or self._seen[language] for language in sorted(self._unseen)}
        return chosen, seen


def _set_aside(kept: list[str], text: pa.Array) -> None:
    room = EVALUATION_CHARACTERS - sum(len(document) for document in kept)
    for document in text.to_pylist():
        if room <= 0:
            return
        kept.append(document)
        room -= len(document)


def train_tokenizer(run: Run, selected: Job) -> Job:
    """Run the job, or find it done."""
    job = tokenizer_job(run, selected)
    if job.open():
        progress.say(f"{job.name:<16} done already")
        return job
    recipe = run.recipe.tokenizer
    groups = selected.summary()["groups"]
    available = {tuple(name.split("/")): counts["bytes"] for name, counts in groups.items()}
    rates = sample_rates(available, recipe.sample_bytes, recipe.temperature)
    total = sum(counts["documents"] for counts in groups.values())
    with progress.counter(job.name, total, "documents read") as show, warnings.catch_warnings(record=True) as caught:
        sample = _Sample(run, rates, show)
        try:
            trained = train_bpe(iter(sample), recipe.vocab_size)
        except ValueError as error:
            raise JobError(f"tokenizer: {error}") from error
    for warning in caught:
        progress.say(f"{'':<16} {warning.message}")
    texts, seen = sample.evaluation()
    evaluation: dict[str, Any] = {
        "vocab_size": trained.get_vocab_size(),
        "sample_bytes": dict(sorted(sample.bytes.items())),
        **evaluate(trained, texts, read_parallel(recipe.parallel) if recipe.parallel else None),
    }
    for row in evaluation["languages"]:
        row["seen_in_training"] = row["language"] in seen
    with tempfile.TemporaryDirectory(prefix="glotmill-") as folder:
        export(trained, folder)
        write_card(folder, Card(run.recipe.name, "hf_exact", evaluation["sample_bytes"], evaluation))
        storage.publish_folder(folder, job.path("tokenizer"))
    storage.write_bytes(job.path("tokenizer", "evaluation.json"), pretty_json(evaluation))
    job.mark_done()
    sampled = sum(sample.bytes.values())
    rows = [row for row in evaluation["languages"] if row["bytes_per_token"]]
    mean = np.mean([row["bytes_per_token"] for row in rows]) if rows else float("nan")
    progress.say(
        f"{job.name:<16} {evaluation['vocab_size']:,} tokens from {sampled / 1e6:,.1f} MB, "
        f"{mean:.2f} bytes per token on average over {len(rows)} languages"
    )
    return job

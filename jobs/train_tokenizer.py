"""Job `train-tokenizer`: ``counts/`` to ``tokenizer/``, and how well it does on text that was not counted."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from curation import storage
from curation.dataset import Job, Record, fingerprint, pretty_json, read_manifest
from curation.recipe_tokenizer import Tokenizer as Settings
from jobs import progress
from jobs.count_tables import counted_text, distinct_sources
from jobs.run_context import JobError, Run
from jobs.sample import evaluation_texts, sample_of
from jobs.vocabulary import Trained, Training
from tokenizer.card import Card, write_card
from tokenizer.evaluation import evaluate, read_parallel
from tokenizer.export import export

VERSION = 4
OF_THE_SAMPLE = {"parallel", "extend", "add_counts", "sample_bytes", "temperature", "unit_bytes", "back_off", "pattern"}
"""Keys that the fingerprint has by what they lead to."""


def tokenizer_job(run: Run, counted: Job) -> Job:
    """The job of a run that has counted.

    Raises:
        JobError: text of ``add_counts`` would count double.
    """
    recipe = run.recipe.tokenizer
    distinct_sources([run.output, *recipe.add_counts])
    described = {
        "version": VERSION,
        "tokenizer": recipe.model_dump(exclude=OF_THE_SAMPLE),
        "parallel": _content(recipe.parallel),
        "extend": _content(recipe.extend),
        "add_counts": [read_manifest(other, "counts")["fingerprint"] for other in recipe.add_counts],
        "counts": counted.fingerprint,
    }
    return Job(run.output, "train-tokenizer", ("tokenizer",), fingerprint(described), described)


def _content(path: str | None) -> str | None:
    return fingerprint(storage.read_text(path)) if path else None


def train_tokenizer(run: Run, selected: Job, counted: Job) -> Job:
    """Run the job, or find it done; a killed one goes on from its last checkpoint.

    Raises:
        JobError: counts and settings do not fit together.
    """
    job = tokenizer_job(run, counted)
    if job.open():
        progress.say(f"{job.name:<16} done already")
        return job
    recipe = run.recipe.tokenizer
    runs = [run.output, *recipe.add_counts]
    folder = storage.join(job.ledger, "training")
    with progress.counter(job.name, recipe.vocab_size, "tokens") as show:
        try:
            parallel = read_parallel(recipe.parallel) if recipe.parallel else {}
            trained = Training(recipe, runs, parallel, folder, show).run()
        except ValueError as error:
            raise JobError(f"tokenizer: {error}") from error
    text = counted_text(runs)
    _say_if_smaller(trained, recipe, text)
    texts, seen = evaluation_texts(sample_of(run.recipe, run.output, selected))
    evaluation: dict[str, Any] = {
        "vocab_size": trained.tokenizer.get_vocab_size(),
        "sample_bytes": text["languages"],
        **evaluate(trained.tokenizer, texts, parallel),
        **trained.facts,
    }
    for row in evaluation["languages"]:
        row["seen_in_training"] = row["language"] in seen
    card = Card(run.recipe.name, recipe.mode, text["languages"], evaluation, recipe.license, counted.fingerprint)
    for size, smaller in trained.smaller.items():
        remark = f"The first {size:,} tokens of a vocabulary of {evaluation['vocab_size']:,}; figures are of the whole."
        _publish(smaller, job.path("tokenizer", str(size)), replace(card, remarks=(remark,)))
    _publish(trained.tokenizer, job.path("tokenizer"), card)
    storage.write_bytes(job.path("tokenizer", "evaluation.json"), pretty_json(evaluation))
    storage.delete_folder(folder)
    job.mark_done()
    rows = [row for row in evaluation["languages"] if row["bytes_per_token"]]
    mean = np.mean([row["bytes_per_token"] for row in rows]) if rows else float("nan")
    progress.say(
        f"{job.name:<16} {evaluation['vocab_size']:,} tokens from {text['utf8_bytes'] / 1e6:,.1f} MB, "
        f"{mean:.2f} bytes per token on average over {len(rows)} languages"
    )
    return job


def _publish(tokenizer: Tokenizer, url: str, card: Card) -> None:
    with tempfile.TemporaryDirectory(prefix="glotmill-") as folder:
        with warnings.catch_warnings(record=True) as caught:
            export(tokenizer, folder)
        write_card(folder, card)
        storage.publish_folder(folder, url)
    for warning in caught:
        progress.say(f"{'':<16} {warning.message}")


def _say_if_smaller(trained: Trained, recipe: Settings, text: Record) -> None:
    size = trained.tokenizer.get_vocab_size()
    if size < recipe.vocab_size:
        progress.say(
            f"{'':<16} asked for {recipe.vocab_size:,} tokens, found {size:,}: the sample ({text['documents']:,} "
            f"documents, {text['utf8_bytes']:,} bytes) has no more pairs that occur {recipe.min_frequency} times. "
            "Give a larger sample, a smaller vocab_size or a lower min_frequency."
        )
    if left_out := sorted(set(recipe.sizes) - trained.smaller.keys()):
        progress.say(f"{'':<16} tokenizer.sizes {left_out}: not written, they are no smaller than what was found")

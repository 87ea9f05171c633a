"""The main job: every job of a recipe in order, each resuming or found done."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from rich.table import Table

from curation import storage
from curation.dataset import Job
from curation.readers.raw import RAW
from curation.readers.units import plan_units
from curation.recipe import Annotate, Input
from filters.annotate import Annotator
from jobs import progress
from jobs.annotate import annotate
from jobs.count import count
from jobs.dedup import dedup
from jobs.dedup_forecast import DOCUMENT_BYTES, forecast_lines
from jobs.order import ORDER
from jobs.report import report
from jobs.run_context import Run
from jobs.score import check_scores, score
from jobs.select import select
from jobs.shard import shard
from jobs.train import train
from jobs.train_tokenizer import train_tokenizer

ANNOTATE_MEGABYTES_PER_SECOND = 15
"""Of one core, as measured on the project's test text; only for the estimate of `plan`."""


def run_until(run: Run, last: str) -> None:
    """Run the jobs up to ``last``; earlier ones that are done are found so."""
    wanted = ORDER[: ORDER.index(last) + 1]
    check_scores(run.recipe)
    annotated = annotate(run)
    if "score" in wanted:
        score(run, annotated)
    if "dedup" in wanted:
        deduplicated = dedup(run, annotated)
    if "select" in wanted:
        selected = select(run, annotated, deduplicated)
        print_funnel(selected)
    if "count" in wanted:
        counted = count(run, selected)
    if "train-tokenizer" in wanted:
        tokenizer = train_tokenizer(run, selected, counted)
    if "shard" in wanted:
        sharded = shard(run, selected, tokenizer)
    if "train" in wanted:
        train(run, sharded)
    if "report" in wanted:
        report(run)


def print_funnel(selected: Job) -> None:
    """The funnel on the terminal: one row per language and domain, largest first."""
    rows: list[dict[str, Any]] = json.loads(storage.read_text(storage.join(selected.run, "funnel.json")))
    table = Table(title="funnel (documents)", title_justify="left", box=None)
    for name in ("language", "domain"):
        table.add_column(name)
    for name in ("read", "rejected", "duplicates", "passed", "kept", "kept MB", "asked", "got"):
        table.add_column(name, justify="right", no_wrap=True)
    shown = [row for row in rows if row["kept_documents"]]
    other = [row for row in rows if not row["kept_documents"]]
    for row in sorted(shown, key=lambda r: -r["bytes"]):
        table.add_row(row["language"], row["domain"], *_numbers(row))
    if other:
        total = {k: sum(row[k] for row in other) for k, v in other[0].items() if isinstance(v, int | float)}
        table.add_row(f"{len(other)} others", "", *_numbers(total))
    total = {k: sum(row[k] for row in rows) for k, v in rows[0].items() if isinstance(v, int | float)}
    table.add_row("all", "", *_numbers(total), style="bold")
    progress.console.print(table)


def _numbers(row: dict[str, Any]) -> list[str]:
    counts = [f"{row[n]:,}" for n in ("documents", "rejected", "duplicates", "passed", "kept_documents")]
    return [*counts, f"{row['kept_bytes'] / 1e6:,.2f}", f"{row['asked_share']:.1%}", f"{row['got_share']:.1%}"]


def print_plan(run: Run, documents: int | None = None) -> None:
    """What a run would read and do.

    Raises:
        PlanError: inputs that are not as the recipe says.
        JobError: the model of a score is missing or does not fit.
    """
    check_scores(run.recipe)
    plan = plan_units(run.recipe)
    table = Table("input", "domain", "format", box=None)
    for name in ("files", "work units", "MB", "unreadable"):
        table.add_column(name, justify="right")
    for number, item in enumerate(run.recipe.inputs):
        units = [unit for unit in plan.units if unit.input == number]
        files = sum(1 for file in plan.files if file["input"] == item.name)
        bad = sum(1 for unit in units for piece in unit.slices if piece.error)
        megabytes = sum(unit.bytes for unit in units) / 1e6
        table.add_row(
            item.name, item.domain, item.format, f"{files:,}", f"{len(units):,}", f"{megabytes:,.1f}", f"{bad:,}"
        )
    progress.console.print(table)
    workers = run.worker_count(len(plan.units))
    megabytes = sum(unit.bytes for unit in plan.units) / 1e6
    seconds = megabytes / ANNOTATE_MEGABYTES_PER_SECOND / workers
    progress.say(f"annotate: about {seconds:,.0f} s on {workers} workers")
    for line in forecast_lines(run, documents or max(1, sum(unit.bytes for unit in plan.units) // DOCUMENT_BYTES)):
        progress.say(line)
    progress.say(f"output: {run.output}")


def print_places(run: Run) -> None:
    """Where everything is."""
    places = {
        "report.html": "what happened, on one page",
        "funnel.json": "the numbers of the funnel",
        "curated/": "the documents that were kept, by language and domain",
        "rejected/": "the others, with every reason",
        "dead/": "what could not be read, if anything",
        "counts/": "pretokens by language and domain: what tokenizers are trained from",
        "tokenizer/": "loads in tokenizers, transformers and tiktoken",
        "shards/": "token shards for train and validation",
        "model/": "the reference model; loads in transformers",
    }
    progress.say("")
    for name, meaning in places.items():
        progress.say(f"{run.path(name):<44} {meaning}")


def warm_up() -> None:
    """Annotate one small document, which compiles every kernel and fills Numba's cache."""
    row = {"id": "warm-up", "text": b"Every kernel compiles when it is called first.\n", "url": "", "license": ""}
    batch = pa.RecordBatch.from_pylist([row], schema=RAW)
    source = Input(name="warmup", paths=["-"], format="text")
    Annotator(Annotate()).annotate(batch, source, 0, 0)
    progress.say("all kernels are compiled")

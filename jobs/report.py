"""Job `report`: what the jobs of a run left, on one page, ``report.html``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow.compute as pc

from curation import storage
from curation.dataset import Record, read_manifest, read_part
from curation.report import ReportData, render
from curation.report.data import Sample, reason_counts
from jobs import progress
from jobs.report_mixtures import mixed_samples
from jobs.run_context import JobError, Run
from tokenizer.shards.order import SPLITS

DATASETS = ("documents", "signals", "duplicates", "curated", "rejected", "dead")
UNREADABLE_SHOWN = 20
SAMPLE_REASONS = 8
SAMPLES_PER_REASON = 3
SAMPLE_CHARACTERS = 300
SAMPLE_POOL = 2000
"""Rejected documents that the samples are chosen from: the first with text, so that large runs are not read whole."""


def report(run: Run) -> None:
    """Write ``report.html`` from whatever jobs have run; sections of the others say so.

    Raises:
        JobError: a file of the run is damaged.
    """
    page = render(gather(run))
    storage.write_bytes(run.path("report.html"), page.encode())
    progress.say(f"{'report':<16} {run.path('report.html')}")


def gather(run: Run) -> ReportData:
    """Everything the report shows, read from the run folder."""
    manifests = {name: _json(run, name, "manifest.json") for name in DATASETS}
    shards = {split: _json(run, "shards", split, "manifest.json") for split in SPLITS}
    annotated = _json(run, "_jobs", "annotate", "done.json")
    funnel = _json(run, "funnel.json")
    return ReportData(
        name=run.recipe.name,
        annotated=annotated["counts"] if annotated else None,
        datasets={name: manifest for name, manifest in manifests.items() if manifest},
        funnel=funnel,
        duplicates=_json(run, "_jobs", "dedup", "done.json"),
        unreadable=_unreadable(run) if manifests["dead"] else (),
        tokenizer=_json(run, "tokenizer", "evaluation.json"),
        shards={split: manifest for split, manifest in shards.items() if manifest},
        metrics=_metrics(run),
        evaluation=_json(run, "model", "evaluation.json"),
        languages=annotated.get("mixtures") if annotated else None,
        mixed=mixed_samples(run) if annotated and manifests["signals"] and manifests["documents"] else (),
        samples=choose_samples(_pool(run), list(reason_counts(funnel))) if funnel and manifests["rejected"] else (),
    )


def _json(run: Run, *names: str) -> Any:
    """The value of a JSON file of the run; None when there is no such file."""
    url = run.path(*names)
    return _parse(url, storage.read_text(url)) if storage.exists(url) else None


def _parse(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise JobError(f"{where} is damaged ({error}); remove it and run its job again") from error


def _metrics(run: Run) -> list[Record]:
    """One record per training step, a last line cut short by a crash left out."""
    url = run.path("model", "metrics.jsonl")
    lines = storage.read_text(url).splitlines(keepends=True) if storage.exists(url) else []
    return [_parse(f"{url}, line {n}", line) for n, line in enumerate(lines, 1) if line.endswith("\n")]


def _unreadable(run: Run) -> list[Record]:
    rows: list[Record] = []
    for file in sorted(read_manifest(run.output, "dead")["files"]):
        columns = ["source", "path", "location", "records", "error"]
        rows += read_part(run.output, "dead", file, columns).slice(0, UNREADABLE_SHOWN - len(rows)).to_pylist()
        if len(rows) >= UNREADABLE_SHOWN:
            break
    return rows


def _pool(run: Run) -> list[Record]:
    """The first rejected documents that kept their text, the text cut to `SAMPLE_CHARACTERS`."""
    columns = ["id", "source", "language", "domain", "reasons", "text"]
    rows: list[Record] = []
    for file in sorted(read_manifest(run.output, "rejected")["files"]):
        part = read_part(run.output, "rejected", file, columns)
        part = part.filter(pc.is_valid(part["text"])).slice(0, SAMPLE_POOL - len(rows))
        cut = pc.utf8_slice_codeunits(part["text"], 0, SAMPLE_CHARACTERS + 1)
        rows += [{**row, "text": _beginning(row["text"])} for row in part.set_column(5, "text", cut).to_pylist()]
        if len(rows) >= SAMPLE_POOL:
            break
    return rows


def _beginning(text: str) -> str:
    return text if len(text) <= SAMPLE_CHARACTERS else f"{text[:SAMPLE_CHARACTERS]}…"


def choose_samples(pool: Iterable[Record], reasons: list[str]) -> list[Sample]:
    """Up to `SAMPLES_PER_REASON` documents for each of the first `SAMPLE_REASONS` reasons, grouped by reason.

    Documents in languages not shown yet come first, then those with fewest other reasons; none is shown twice.
    """
    unused = dict(enumerate(pool))
    chosen: list[Sample] = []
    for reason in reasons[:SAMPLE_REASONS]:
        languages: set[str] = set()
        for _ in range(SAMPLES_PER_REASON):
            fitting = [number for number, row in unused.items() if reason in row["reasons"]]
            if not fitting:
                break
            best = min(fitting, key=lambda n: (unused[n]["language"] in languages, len(unused[n]["reasons"]), n))
            row = unused.pop(best)
            languages.add(row["language"])
            chosen.append(Sample(**{**row, "reason": reason, "reasons": tuple(row["reasons"])}))
    return chosen

"""Job `select`: signals, duplicates, policy and mixture to ``curated/`` and ``rejected/``.

Two passes: `decide` reads numbers and writes ``decisions/`` (every failing reason of every document) and the funnel; it
reads text only where the policy has rules for lines, and scans only documents that pass all else. `select` deals out
the mixture from the funnel, then reads each document once, cuts removed lines out and writes it where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import mixture, schema, storage
from curation.dataset import (
    Job,
    PartWriter,
    Record,
    fingerprint,
    iterate_part,
    part_name,
    pretty_json,
    read_manifest,
    read_part,
    write_parquet,
)
from curation.mixture import Group
from curation.recipe import Copies
from curation.scores import with_scores
from curation.text.cut import cut, span_bytes
from filters import decisions, rehydration
from filters.line_rules import LineCleaner
from filters.policy import Policy, load_policy
from filters.rehydration import Weights
from jobs import progress
from jobs.look_up import score_fingerprints
from jobs.parts import for_each_part
from jobs.passages import cut_passages
from jobs.run_context import JobError, Run

VERSION = 4
BATCH_ROWS = 4096
PARTS_A_WORKER = 8  # parts take well under a second each


def decide_job(run: Run, annotated: Job, deduplicated: Job) -> Job:
    policy = load_policy(run.recipe.select.policy)
    described = {
        "version": VERSION,
        "policy": policy.model_dump(),
        "languages": run.recipe.select.languages,
        "copies": run.recipe.select.copies,
        "signals": annotated.fingerprint,
        "scores": score_fingerprints(run.output, policy),
        "duplicates": deduplicated.fingerprint,
    }
    return Job(run.output, "decide", ("decisions",), fingerprint(described), described)


def select_job(run: Run, decided: Job) -> Job:
    select = run.recipe.select
    described = {
        "version": VERSION,
        "mixture": select.mixture.model_dump(),
        "rehydration": None if select.rehydration is None else select.rehydration.model_dump(),
        "rejected_text": select.rejected_text,
        "seed": run.recipe.seed,
        "decisions": decided.fingerprint,
    }
    return Job(run.output, "select", ("curated", "rejected"), fingerprint(described), described)


class DecidePart(beam.DoFn):
    """Writes one part of ``decisions/`` from its signals and duplicates."""

    def __init__(self, job: Job, policy: Policy, languages: list[str], copies: Copies) -> None:
        self._job, self._policy, self._languages, self._copies = job, policy, languages, copies

    def setup(self) -> None:
        self._domains = self._policy.cleaned_domains()
        if self._domains:
            self._cleaner = LineCleaner(self._policy)

    def process(self, part: int) -> Iterator[int]:
        name = f"{part_name(part)}.parquet"
        signals = with_scores(self._job.run, name, read_part(self._job.run, "signals", name), self._policy.scores())
        duplicates = read_part(self._job.run, "duplicates", name)
        decided = decisions.decide(signals, duplicates, self._policy, self._languages, self._copies)
        if self._domains:
            documents = iterate_part(self._job.run, "documents", name, BATCH_ROWS, ["text"])
            decided = decisions.clean(decided, documents, self._domains, self._cleaner, signals["mixture_kind"])
        file = write_parquet(self._job.path("decisions", name), decided.to_batches(), schema.DECISIONS)
        counts = {"documents": decided.num_rows, "utf8_bytes": pc.sum(decided["utf8_bytes"]).as_py() or 0}
        record = {"files": {"decisions": {name: file}}, "counts": counts, "funnel": decisions.funnel(decided)}
        self._job.write_record(part, record)
        yield part


class SelectPart(beam.DoFn):
    """Writes the documents of one part to ``curated/`` and ``rejected/``."""

    def __init__(
        self, job: Job, decisions: str, rates: dict[Group, float], weights: Weights, rejected_text: float, seed: int
    ) -> None:
        self._job, self._decisions, self._rates, self._weights = job, decisions, rates, weights
        self._rejected_text, self._seed = rejected_text, seed

    def process(self, part: int) -> Iterator[int]:
        self._job.write_record(part, self._write(part))
        yield part

    def _write(self, part: int) -> Record:
        name = f"{part_name(part)}.parquet"
        run = self._job.run
        decided = read_part(run, self._decisions, name)
        duplicates = read_part(run, "duplicates", name, ["cluster_size", "keeper"])
        score = read_part(run, "signals", name, ["language_score"])
        table = pa.table({
            **{column: decided[column] for column in ("language", "domain", "reasons", "removed")}, **dict(zip(
                ("cluster_size", "keeper"), duplicates.columns, strict=True)), "language_score": score.column(0),
        })  # fmt: skip
        counts: dict[str, int] = {"documents": 0, "utf8_bytes": 0}
        groups: dict[str, dict[str, int]] = {}
        with ExitStack() as stack:
            writers: dict[tuple[str, str], PartWriter] = {}

            def write(dataset: str, file: str, batch: pa.RecordBatch) -> None:
                if batch.num_rows:
                    if (dataset, file) not in writers:
                        writers[dataset, file] = stack.enter_context(
                            PartWriter(self._job.path(dataset, file), batch.schema)
                        )
                    writers[dataset, file].write(batch)

            row = 0
            for documents in iterate_part(run, "documents", name, BATCH_ROWS):
                facts = table.slice(row, documents.num_rows).combine_chunks()
                row += documents.num_rows
                copies = self._copies(documents, facts)
                for (language, domain), rows in _groups(facts, copies > 0):
                    batch = _curated(documents.take(rows), facts.take(rows), copies[rows.to_numpy()])
                    write("curated", f"language={language}/domain={domain}/{name}", batch)
                    _count(groups, f"{language}/{domain}", batch)
                rejected = pa.array(np.flatnonzero(copies == 0))
                write("rejected", name, self._rejected(documents.take(rejected), facts.take(rejected)))
        files: dict[str, Record] = {"curated": {}, "rejected": {}}
        for (dataset, file), writer in sorted(writers.items()):
            files[dataset][file] = writer.record
        counts = {
            "documents": sum(group["documents"] for group in groups.values()),
            "utf8_bytes": sum(group["bytes"] for group in groups.values()),
        }
        return {"files": files, "counts": counts, "groups": groups}

    def _copies(self, documents: pa.RecordBatch, facts: pa.Table) -> np.ndarray:
        """Copies of every document, 0 for those that failed a rule: uint8[n]."""
        passes = pc.equal(pc.list_value_length(facts["reasons"]), 0).to_numpy(zero_copy_only=False)
        groups = zip(facts["language"].to_pylist(), facts["domain"].to_pylist(), strict=True)
        rate = np.array([self._rates.get(group, 0.0) for group in groups])
        if self._weights:
            rate = rate * rehydration.weights_of(facts["language"], facts["cluster_size"], self._weights)
        return mixture.copies(documents["id"].to_pylist(), rate, self._seed) * passes

    def _rejected(self, documents: pa.RecordBatch, facts: pa.Table) -> pa.RecordBatch:
        sampled = mixture.uniform(documents["id"].to_pylist(), self._seed, "rejected") < self._rejected_text
        reasons = [items or [decisions.DOWNSAMPLED] for items in facts["reasons"].to_pylist()]
        keeper = facts["keeper"].combine_chunks()
        is_duplicate = pc.not_equal(keeper, documents["address"])
        columns = {name: documents[name] for name in ("id", "address", "source")} | {
            "domain": facts["domain"].combine_chunks(),
            "language": facts["language"].combine_chunks(),
            "reasons": pa.array(reasons, pa.list_(pa.string())),
            "keeper": pc.if_else(is_duplicate, keeper, pa.scalar(None, pa.uint64())),
            "text": pc.if_else(pa.array(sampled), documents["text"], pa.scalar(None, pa.large_string())),
        }
        return pa.record_batch([columns[f.name] for f in schema.REJECTED], schema=schema.REJECTED)


def _groups(facts: pa.Table, kept: np.ndarray) -> Iterator[tuple[Group, pa.Array]]:
    """The kept rows of each language and domain, in a fixed order."""
    keys = pa.table({"language": facts["language"], "domain": facts["domain"], "row": np.arange(len(kept))})
    grouped = (
        keys.filter(pa.array(kept)).group_by(["language", "domain"], use_threads=False).aggregate([("row", "list")])
    )
    for group in sorted(grouped.to_pylist(), key=lambda g: (g["language"], g["domain"])):
        yield (group["language"], group["domain"]), pa.array(sorted(group["row_list"]))


def _curated(documents: pa.RecordBatch, facts: pa.Table, copies: np.ndarray) -> pa.RecordBatch:
    columns = {name: documents[name] for name in documents.schema.names}
    columns |= {n: facts[n].combine_chunks() for n in ("language", "domain", "language_score", "cluster_size")}
    removed = facts["removed"].combine_chunks()
    columns["text"] = cut(documents["text"], removed)
    columns |= {"copies": pa.array(copies), "removed_bytes": pa.array(span_bytes(removed).astype(np.uint32))}
    return pa.record_batch([columns[f.name] for f in schema.CURATED], schema=schema.CURATED)


def _count(groups: dict[str, dict[str, int]], group: str, batch: pa.RecordBatch) -> None:
    into = groups.setdefault(group, {"documents": 0, "bytes": 0, "epoch_bytes": 0})
    length = pc.binary_length(batch["text"])
    into["documents"] += batch.num_rows
    into["bytes"] += pc.sum(length).as_py()
    into["epoch_bytes"] += pc.sum(pc.multiply(length, batch["copies"].cast(length.type))).as_py()


def decide(run: Run, annotated: Job, deduplicated: Job) -> Job:
    """First pass: decisions and the funnel up to the mixture."""
    job = decide_job(run, annotated, deduplicated)
    if job.open():
        return job
    policy = load_policy(run.recipe.select.policy)
    step = beam.ParDo(DecidePart(job, policy, run.recipe.select.languages, run.recipe.select.copies))
    for_each_part(run, job, annotated.finished_parts(), lambda: step, PARTS_A_WORKER)
    funnel = decisions.merge([record["funnel"] for record in job.records()])
    if not sum(row["passed"] for row in funnel):
        reasons: dict[str, int] = {}
        for row in funnel:
            for reason, count in row["reasons"].items():
                reasons[reason] = reasons.get(reason, 0) + count
        worst = ", ".join(f"{r} ({n:,})" for r, n in sorted(reasons.items(), key=lambda item: -item[1])[:5])
        raise JobError(f"policy '{policy.name}' rejects every document; most frequent reasons: {worst}")
    job.close({"signals": annotated.fingerprint, "duplicates": deduplicated.fingerprint}, {"funnel": funnel})
    return job


def select(run: Run, annotated: Job, deduplicated: Job) -> Job:
    """Run both passes, or find them done; writes ``funnel.json``.

    Raises:
        JobError: the policy or the mixture leaves no document.
    """
    decided = decide(run, annotated, deduplicated)
    if run.recipe.dedup.passages is not None:
        decided = cut_passages(run, decided)
    job = select_job(run, decided)
    if job.open():
        progress.say(f"{job.name:<16} done already")
        return job
    recipe = run.recipe
    rows = decided.summary()["funnel"]
    (dataset,) = decided.datasets
    weights, available = _weights(run, decided, rows)
    shares = mixture.shares(available, recipe.select.mixture)
    rates = {group: share.rate for group, share in shares.items()}
    step = beam.ParDo(SelectPart(job, dataset, rates, weights, recipe.select.rejected_text, recipe.seed))
    for_each_part(run, job, annotated.finished_parts(), lambda: step, PARTS_A_WORKER)
    kept = _kept(job)
    if not any(counts["documents"] for counts in kept.values()):
        passed = sum(row["passed"] for row in rows)
        raise JobError(
            f"the mixture uses none of the {passed:,} documents that passed; raise select.mixture.budget "
            f"({recipe.select.mixture.budget:g}) or the shares of their domains"
        )
    storage.write_bytes(run.path("funnel.json"), pretty_json(_finish_funnel(rows, kept, shares)))
    job.close({"decisions": decided.fingerprint}, {"groups": kept, "rehydration": weights})
    return job


def _weights(run: Run, decided: Job, rows: list[Record]) -> tuple[Weights, dict[Group, float]]:
    """Weights by language and size of cluster, and the bytes of each group when its documents are weighted."""
    settings = run.recipe.select.rehydration
    available = {(row["language"], row["domain"]): float(row["passed_bytes"]) for row in rows}
    if settings is None:
        return {}, available
    (dataset,) = decided.datasets
    found = [rehydration.sizes(read_part(run.output, dataset, name), read_part(run.output, "duplicates", name))
             for name in sorted(read_manifest(run.output, dataset)["files"])]  # fmt: skip
    sizes = rehydration.merge(found)
    weights = rehydration.weights(sizes, settings)
    return weights, available | rehydration.weighted_bytes(sizes, weights)


def _finish_funnel(
    rows: list[dict[str, Any]], kept: dict[str, dict[str, int]], shares: dict[Group, mixture.Share]
) -> list[dict[str, Any]]:
    """Add to each row what the mixture made of it: documents and bytes kept, and the shares asked and got."""
    epoch = sum(counts["epoch_bytes"] for counts in kept.values()) or 1
    for row in rows:
        counts = kept.get(f"{row['language']}/{row['domain']}", {"documents": 0, "bytes": 0, "epoch_bytes": 0})
        share = shares[row["language"], row["domain"]]
        row |= {f"kept_{name}": value for name, value in counts.items()}
        row |= {"asked_share": share.asked, "got_share": counts["epoch_bytes"] / epoch, "rate": share.rate}
    return rows


def _kept(job: Job) -> dict[str, dict[str, int]]:
    """Documents and bytes kept of each "language/domain", over all parts."""
    kept: dict[str, dict[str, int]] = {}
    for record in job.records():
        for group, counts in record["groups"].items():
            into = kept.setdefault(group, {})
            for name, value in counts.items():
                into[name] = into.get(name, 0) + value
    return kept
